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
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, SkipValidation
from pydantic.alias_generators import to_camel

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.context import RunContext
from windhover.plugin.definition import bind_properties
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.kind import PluginKind
from windhover.plugin.types import Static, StaticMarker

__all__ = [
    "BoundTask",
    "Output",
    "OutputT",
    "RunnableTask",
    "Static",
    "StaticMarker",
    "TaskDefinition",
    "TaskFailure",
    "outputs_of",
]


class Output(BaseModel):
    """Base of what a task returns; field names are written in camelCase, None values are left out."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True)

    #: The end state a task chooses for itself, for instance WARNING; not an output.
    final_state: ClassVar[StateType | None] = None


OutputT = TypeVar("OutputT", bound=Output | None, covariant=True)


def outputs_of(result: object) -> dict[str, JsonValue]:
    """The outputs of a run as JSON: those of an :class:`Output`, a map as it is, nothing for None.

    Any other JSON value becomes the output ``value``.

    Raises:
        TypeError: the result, or something in it, cannot be said in JSON.
    """
    if result is None:
        return {}
    if isinstance(result, Output):
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        value = to_jsonable_python(result, by_alias=True)
    except PydanticSerializationError as error:
        raise TypeError(f"A result of {type(result).__name__} cannot be an output: {error}") from None
    return value if isinstance(value, dict) else {"value": value}


class TaskFailure(Exception):
    """Raised by a task to fail its run with a message for the flow's author.

    ``outputs`` are kept on the failed run.
    """

    def __init__(self, message: str, outputs: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__(message)
        self.outputs = outputs


class BoundTask(BaseModel):
    """A task whose properties are rendered and typed. The kinds of tasks below say what becomes of it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        defer_build=True,  # a class is validated into only where its task runs
    )

    plugin_kind: ClassVar[PluginKind]
    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    deprecated: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = ()
    reported_metrics: ClassVar[tuple[MetricDescription, ...]] = ()


class RunnableTask(BoundTask, Generic[OutputT]):
    """A task that a worker runs. Subclasses are the typed form, after rendering."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.RUNNABLE

    #: Variables that only the expressions of this type of task can read; see :meth:`local_variables`.
    local_variable_names: ClassVar[frozenset[str]] = frozenset()

    #: Whether it renders texts that are not among its properties as they are written, such as those of a
    #: file. Else a job holds only the outputs that the expressions of its properties name.
    renders_other_texts: ClassVar[bool] = False

    @classmethod
    def local_variables(
        cls, properties: Mapping[str, JsonValue], working_directory: Path
    ) -> Mapping[str, JsonValue]:
        """The values of ``local_variable_names`` for one attempt, from the properties before rendering."""
        return {}

    @abstractmethod
    def run(self, ctx: RunContext) -> OutputT | Awaitable[OutputT]:
        """Do the work: ``async def`` is awaited on the worker's loop, ``def`` runs in a thread.

        Raises:
            TaskFailure: the run fails with this message. Any other exception fails it as well, its
                message at ERROR and its stack trace at TRACE.
        """


class TaskDefinition(Task):
    """A task that does work, as the flow writes it: its class and its properties before rendering.

    ``properties`` holds what is not common to all tasks, as JSON values, under the names that flows use
    (camelCase).
    """

    plugin: SkipValidation[type[BoundTask]]
    properties: Mapping[str, JsonValue] = {}

    def bind(self, rendered: Mapping[str, JsonValue]) -> BoundTask:
        """Validate rendered properties into the class.

        Raises:
            InvalidProperties: values do not fit their properties; it has one problem for each.
        """
        return bind_properties(self.plugin, rendered)
