"""Base classes of tasks that do work.

    class Log(RunnableTask[None]):
        '''Log one or more messages.'''

        type_name = "io.kestra.plugin.core.log.Log"

        message: str | list[str]
        level: Level = "INFO"

        async def run(self, ctx: RunContext) -> None: ...

An author writes plain types. In a flow every property may hold an expression instead of a value of
its type, unless it is declared ``Static``; the worker renders the properties and validates the result
into the class, so that ``run`` sees final, typed values.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.context import RunContext


class Output(BaseModel):
    """Base of what a task returns; field names are written in camelCase, None values are left out."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    #: The end state a task chooses for itself, for instance WARNING; not an output.
    final_state: ClassVar[StateType | None] = None


OutputT = TypeVar("OutputT", bound=Output | None, covariant=True)


@dataclass(frozen=True, slots=True)
class StaticMarker:
    """Marks a property in which expressions are not evaluated."""


T = TypeVar("T")
#: ``level: Static[str]``: taken literally, never rendered, and checked when the flow is saved.
Static = Annotated[T, StaticMarker()]


class TaskFailure(Exception):
    """Raised by a task to fail its run with a message for the flow's author.

    ``outputs`` are kept on the failed run.
    """

    def __init__(self, message: str, outputs: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__(message)
        self.outputs = outputs


class RunnableTask(BaseModel, Generic[OutputT]):
    """A task that a worker runs. Subclasses are the typed form, after rendering."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )

    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def run(self, ctx: RunContext) -> OutputT | Awaitable[OutputT]:
        """Do the work: ``async def`` is awaited on the worker's loop, ``def`` runs in a thread.

        Raises:
            TaskFailure: the run fails with this message. Any other exception fails it as well, its
                message at ERROR and its stack trace at TRACE.
        """


class TaskDefinition(Task):
    """A task that does work, as the flow writes it: its class and its properties before rendering.

    ``properties`` holds what is not common to all tasks, under the names of the class's properties
    (aliases replaced), as JSON values.
    """

    plugin: type[RunnableTask[Output | None]]
    properties: Mapping[str, JsonValue] = {}

    def bind(self, rendered: Mapping[str, JsonValue]) -> RunnableTask[Output | None]:
        """Validate rendered properties into the class.

        Raises:
            pydantic.ValidationError: a value does not fit its property.
        """
        return self.plugin.model_validate(rendered)
