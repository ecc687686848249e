"""What all script tasks have in common: their properties, and the run from files in to files out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePath
from typing import ClassVar

from pydantic import Field

from windhover.core.runner.lines import MAX_LINE_BYTES
from windhover.core.runner.process import Process
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.namespace_files import NamespaceFiles, place_namespace_files
from windhover.plugin.runner import AnyTaskRunner, Command, TaskRunner
from windhover.plugin.task import Output, RunnableTask, Static, TaskFailure
from windhover.plugin.working_files import WorkingFiles, named_files
from windhover_scripts.protocol import MAX_CHARACTERS, ScriptReport

_OUTPUT_DIRECTORY = "output"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})

#: Said in the schema only: pydantic's own mark would warn whenever the field is looked at here.
_DEPRECATED: dict[str, JsonValue] = {"deprecated": True}

#: 128 and SIGKILL.
_KILLED_BY_SIGNAL_9 = 137


class TargetOS(StrEnum):
    """The operating system whose paths commands use."""

    LINUX = "LINUX"
    WINDOWS = "WINDOWS"
    AUTO = "AUTO"


class RunnerType(StrEnum):
    """The old way to choose a task runner."""

    PROCESS = "PROCESS"
    DOCKER = "DOCKER"


class ScriptOutput(Output):
    """What a script task gives."""

    vars: dict[str, JsonValue] = Field(default={}, description="Outputs that the script reported itself.")
    exit_code: int = Field(description="Exit code of the commands.")
    output_files: dict[str, str] = Field(default={}, description="URIs of the collected files, by path.")


class ScriptTask(RunnableTask[ScriptOutput]):
    """Base class of script tasks: a subclass says what is run, as shell lines."""

    task_runner: Static[AnyTaskRunner | None] = Field(None, description="Where the commands are run.")
    container_image: str | None = Field(
        None, description="Image for task runners that use containers; a process needs none."
    )
    before_commands: list[str] = Field([], description="Commands to run first, in the same shell.")
    env: dict[str, str] = Field({}, description="Environment variables for the commands.")
    input_files: dict[str, JsonValue] = Field(
        {}, description="Files to put into the working directory: contents, or `kestra://` URIs, by path."
    )
    output_files: list[str] = Field([], description="Patterns of files to store after the run.")
    namespace_files: NamespaceFiles | None = Field(
        None, description="Files of namespaces to put into the working directory."
    )
    interpreter: list[str] = Field(
        ["/bin/sh", "-c"], min_length=1, description="The shell that gets the commands as one argument."
    )
    fail_fast: bool = Field(True, description="Stop at the first command that fails.")
    target_os: TargetOS = Field(TargetOS.AUTO, alias="targetOS", description="Whose paths to use.")
    warning_on_std_err: bool | None = Field(
        None, description="It has no effect.", json_schema_extra=_DEPRECATED
    )
    output_directory: bool | None = Field(
        None, description="Use `outputFiles`.", json_schema_extra=_DEPRECATED
    )
    runner: Static[RunnerType | None] = Field(
        None, description="Use `taskRunner`.", json_schema_extra=_DEPRECATED
    )
    docker: Static[dict[str, JsonValue] | None] = Field(
        None, description="Use `taskRunner`.", json_schema_extra=_DEPRECATED
    )

    local_variable_names: ClassVar[frozenset[str]] = frozenset({"outputFiles", "outputDir"})

    @classmethod
    def local_variables(
        cls, properties: Mapping[str, JsonValue], working_directory: Path
    ) -> Mapping[str, JsonValue]:
        patterns = properties.get("outputFiles")
        found: dict[str, JsonValue] = {}
        if isinstance(patterns, list | tuple):
            found["outputFiles"] = named_files(patterns, working_directory)
        if properties.get("outputDirectory") is True or properties.get("runner") is not None:
            found["outputDir"] = str(working_directory / _OUTPUT_DIRECTORY)
        return found

    @abstractmethod
    async def shell_lines(self, ctx: RunContext, files: WorkingFiles) -> Sequence[str]:
        """The lines to run after ``beforeCommands``."""

    async def prepare_environment(self, ctx: RunContext) -> Mapping[str, str]:
        """Environment variables that the language needs."""
        return {}

    async def run(self, ctx: RunContext) -> ScriptOutput:
        files = WorkingFiles(ctx)
        if self.namespace_files is not None:
            await place_namespace_files(ctx, self.namespace_files, files.directory)
        await files.add_inputs(self.input_files)
        output_directory = self._make_output_directory(files)
        environment = {
            **await self.prepare_environment(ctx),
            **self.env,
            "WORKING_DIR": str(files.directory),
            **({"OUTPUT_DIR": str(output_directory)} if output_directory else {}),
        }
        lines = [await files.localize(line) for line in self.before_commands]
        lines += await self.shell_lines(ctx, files)
        command = Command([*self.interpreter, self._script(lines)], environment, files.directory)
        report = ScriptReport(ctx)
        exit_code = await self._runner(ctx).run(ctx, command, report.line)
        collected = await files.collect(self.output_files, output_directory)
        output = ScriptOutput(vars=report.outputs, exit_code=exit_code, output_files=collected)
        if exit_code != 0:
            raise TaskFailure(_failure(exit_code), output.model_dump(mode="json", by_alias=True))
        if report.overflowed:
            raise TaskFailure(
                f"The script reported more than {MAX_CHARACTERS // (1024 * 1024)} MiB of outputs,"
                f" or more than {MAX_LINE_BYTES // (1024 * 1024)} MiB on one line."
                " Write large data to a file and name it in `outputFiles`."
            )
        return output

    def _script(self, lines: Sequence[str]) -> str:
        if self.fail_fast and PurePath(self.interpreter[0]).name in _SHELLS:
            return "\n".join(["set -e", *lines])
        return "\n".join(lines)

    def _runner(self, ctx: RunContext) -> TaskRunner:
        if self.task_runner is not None:
            return self.task_runner
        if self.container_image is not None or self.docker is not None or self.runner is RunnerType.DOCKER:
            ctx.logger.debug("The commands run as a process on the worker, without a container")
        return Process()

    def _make_output_directory(self, files: WorkingFiles) -> Path | None:
        if not self.output_directory and self.runner is None:
            return None
        directory = files.directory / _OUTPUT_DIRECTORY
        directory.mkdir(exist_ok=True)
        return directory


def _failure(exit_code: int) -> str:
    message = f"Command failed with exit code {exit_code}"
    if exit_code == _KILLED_BY_SIGNAL_9:
        message += " (killed by SIGKILL: most often, the host was out of memory)"
    return message
