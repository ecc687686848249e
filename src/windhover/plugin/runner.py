"""Task runners: where the commands of a script task are run.

Documentation page: ``docs/scripts.md``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel

from windhover.plugin.context import RunContext
from windhover.plugin.kind import PluginKind


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run: its words, what to add to the environment, and the folder to run it in."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path


#: Takes one line of output, and whether it was written to standard error.
LineConsumer = Callable[[str, bool], None]


class TaskRunner(BaseModel, ABC):
    """Base class of task runners. Its fields are the properties of ``taskRunner`` beside ``type``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        protected_namespaces=(),
    )

    plugin_kind: ClassVar[PluginKind] = PluginKind.TASK_RUNNER
    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    async def run(self, ctx: RunContext, command: Command, on_line: LineConsumer) -> int:
        """Run the command to its end and return its exit code.

        Cancelled, it ends the command and all that the command started before it lets the cancellation
        through.

        Raises:
            windhover.plugin.task.TaskFailure: the command cannot be started.
        """


def _parse_runner(value: object) -> object:
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        return value
    from windhover.plugin.registry import shared_registry

    name: str = value["type"]
    registry = shared_registry()
    found = registry.find(name)
    if found is None or not issubclass(found.cls, TaskRunner):
        near = registry.suggest(name)
        raise ValueError(
            f"Invalid type: {name} is no task runner" + (f"; did you mean {near}?" if near else "")
        )
    return found.cls.model_validate(
        {key: item for key, item in value.items() if key not in ("type", "version")}
    )


#: A property that holds a task runner: a map with its ``type`` and properties.
AnyTaskRunner = Annotated[
    TaskRunner,
    BeforeValidator(_parse_runner),
    WithJsonSchema({"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]}),
]
