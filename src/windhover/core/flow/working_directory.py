"""``io.kestra.plugin.core.flow.WorkingDirectory``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windhover.core.shared_directory import CollectDirectory, PrepareDirectory
from windhover.model.definition import Definition
from windhover.model.execution import JsonValue
from windhover.model.task import Task
from windhover.plugin.documentation import Example
from windhover.plugin.flowable import Body, Fault, FlowableTask, Lane
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import RunnableTask, TaskDefinition


class Cache(Definition):
    """Files that are kept from one execution to the next."""

    patterns: Annotated[list[str] | str, Field(description="Which files, as patterns such as `venv/**`.")]
    ttl: Annotated[
        str | None,
        Field(description="How old the files may be, as an ISO-8601 duration. May be an expression."),
    ] = None


class NamespaceFiles(Definition):
    """Which files of namespaces are put into the directory."""

    enabled: bool | str = True
    include: list[str] | str | None = None
    exclude: list[str] | str | None = None
    namespaces: list[str] | str | None = None
    if_exists: Literal["OVERWRITE", "FAIL", "WARN", "IGNORE"] | str = "OVERWRITE"
    folder_per_namespace: bool | str = False


class WorkingDirectory(FlowableTask):
    """Run tasks one after the other in one directory, on one worker.

    What a task leaves there, the next ones find. The directory is removed at the end; `outputFiles` and
    `cache` say what of it stays. The tasks of `errors` and `finally` run outside of it.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.WorkingDirectory"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.tasks.flows.WorkingDirectory",
        "io.kestra.core.tasks.flows.Worker",
    )
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Write a file in one task and read it in the next",
            code="""
id: together
type: io.kestra.plugin.core.flow.WorkingDirectory
inputFiles:
  names.txt: |
    Ada
    Grace
outputFiles:
  - greetings.txt
tasks:
  - id: greet
    type: io.kestra.plugin.scripts.shell.Commands
    commands:
      - sed 's/^/Hello /' names.txt > greetings.txt
  - id: show
    type: io.kestra.plugin.scripts.shell.Commands
    commands:
      - cat greetings.txt
""",
        ),
    )

    input_files: Annotated[
        dict[str, JsonValue] | str | None,
        Field(description="Files to begin with, by path: their content or the URI of a stored file."),
    ] = None
    output_files: Annotated[
        list[str] | str | None,
        Field(description="Patterns of files to store at the end; `outputFiles` has their URIs."),
    ] = None
    namespace_files: Annotated[
        NamespaceFiles | None, Field(description="Files of namespaces to begin with.")
    ] = None
    cache: Annotated[Cache | None, Field(description="Files to keep for later executions.")] = None
    tasks: TaskList = ()

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.tasks)], directory=True)

    def opening(self) -> TaskDefinition | None:
        if not self.input_files and self.cache is None and self.namespace_files is None:
            return None
        properties = {"inputFiles": self.input_files, **self._cache_patterns()}
        if self.namespace_files is not None:
            properties["namespaceFiles"] = self.namespace_files.model_dump(
                mode="json", by_alias=True, exclude_none=True
            )
        if self.cache is not None and self.cache.ttl is not None:
            properties["cacheTtl"] = self.cache.ttl
        return self._work(PrepareDirectory, properties)

    def closing(self, opened: Mapping[str, JsonValue], *, failed: bool) -> TaskDefinition | None:
        # What a failed task leaves half-done is no good beginning for the next execution.
        cache = {} if failed else self._cache_patterns()
        if not self.output_files and not cache:
            return None
        properties = {"outputFiles": self.output_files, "restored": opened.get("restored"), **cache}
        return self._work(CollectDirectory, properties)

    def check(self) -> Iterator[Fault]:
        if not self.tasks:
            yield Fault("The 'tasks' property cannot be empty")
            yield Fault("The 'tasks' property cannot be empty", "tasks")
        if not all(_is_runnable(task) for task in self.tasks):
            yield Fault("Only runnable tasks are allowed as children of a WorkingDirectory task")
        if any(task.worker_group is not None for task in self.tasks):
            yield Fault(
                "Cannot set a Worker Group in any WorkingDirectory sub-tasks, it is only supported at the "
                "WorkingDirectory level"
            )

    def _cache_patterns(self) -> dict[str, JsonValue]:
        return {} if self.cache is None else {"cachePatterns": self.cache.patterns}

    def _work(
        self, plugin: type[PrepareDirectory | CollectDirectory], properties: Mapping[str, JsonValue]
    ) -> TaskDefinition:
        given = {name: value for name, value in properties.items() if value is not None}
        return TaskDefinition(
            id=self.id, type=self.type, log_level=self.log_level, plugin=plugin, properties=given
        )


def _is_runnable(task: Task) -> bool:
    return isinstance(task, TaskDefinition) and issubclass(task.plugin, RunnableTask)
