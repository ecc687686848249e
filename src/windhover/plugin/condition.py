"""Base classes of conditions: what must hold for a trigger to start an execution.

A condition is a definition: it says what to compare and keeps text that may hold expressions as written. It
is evaluated in a :class:`ConditionContext`, which is all that it may look at.

Documentation page: ``docs/conditions.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Protocol

import msgspec
from pydantic import BaseModel

from windhover.model.execution import Execution, JsonValue, TaskRun
from windhover.model.state import StateType
from windhover.model.trigger import Condition
from windhover.plugin.documentation import Example
from windhover.plugin.kind import PluginKind
from windhover.plugin.types import parse_date_time


class ConditionError(Exception):
    """A condition cannot be evaluated; ``condition`` is the type of it, or ``when``."""

    def __init__(self, condition: str, reason: str) -> None:
        super().__init__(f"Condition `{condition}` cannot be evaluated: {reason}")
        self.condition = condition
        self.reason = reason


class ConditionRenderer(Protocol):
    """Renders the expressions of conditions. Both methods raise ``windhover.expression.ExpressionError``."""

    def render(self, template: JsonValue) -> JsonValue:
        """Render text to text; lists and maps deeply."""

    def evaluate(self, template: JsonValue) -> JsonValue:
        """As :meth:`render`, but a sole ``{{ expression }}`` keeps its type."""


class ConditionContext(msgspec.Struct, frozen=True):
    """What a condition may look at.

    ``namespace`` and ``flow_id`` name the flow that has the trigger. ``execution`` is the execution that is
    reacted to, where there is one, and ``task_runs`` gives its task runs. ``country`` is the server's, by two
    letters, for holidays of a condition that names none. ``when_renderer`` renders `when`, where its
    variables are others than those of conditions.
    """

    renderer: ConditionRenderer
    namespace: str
    flow_id: str
    execution: Execution | None = None
    task_runs: Callable[[], Iterable[TaskRun]] = tuple
    country: str | None = None
    when_renderer: ConditionRenderer | None = None

    def render_when(self, expression: str) -> JsonValue:
        """The expression of a `when`, rendered.

        Raises:
            windhover.expression.ExpressionError: it cannot be rendered.
        """
        return (self.when_renderer or self.renderer).render(expression)

    def text(self, template: str) -> str:
        """A template, rendered."""
        return str(self.renderer.render(template))

    def date(self, template: str) -> datetime:
        """A template, rendered and read as a date in the offset that it is written with.

        Raises:
            windhover.expression.ExpressionError: it cannot be rendered.
            ValueError: it is no date.
        """
        value = self.renderer.evaluate(template)
        if isinstance(value, datetime):
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return parse_date_time(str(value))

    def states(self, templates: str | Sequence[str]) -> frozenset[StateType]:
        """States: a list of templates, or one that gives a list.

        Raises:
            ValueError: there is no such state.
        """
        value = self.renderer.evaluate(templates if isinstance(templates, str) else list(templates))
        if isinstance(value, str):
            value = [name.strip(" \"'") for name in value.strip("[] ").split(",")]
        return frozenset(StateType(str(name)) for name in value)


class ConditionType(Condition):
    """Base class of condition types."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.CONDITION
    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    deprecated: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = ()

    def evaluate(self, context: ConditionContext) -> bool:
        """Whether the condition holds.

        Raises:
            ConditionError: it cannot be told, because an expression fails or gives no fitting value.
        """
        try:
            return self.holds(context)
        except ConditionError:
            raise
        except Exception as error:  # Whatever a condition type raises, its trigger must be told of.
            raise ConditionError(type(self).__name__, str(error)) from error

    @abstractmethod
    def holds(self, context: ConditionContext) -> bool:
        """Whether the condition holds; what a type implements.

        Raises:
            windhover.expression.ExpressionError: an expression fails.
            ValueError: an expression gives a value that does not fit.
        """

    def parts(self) -> Sequence[ConditionType]:
        """The conditions inside this one."""
        return ()


def unfit_conditions(conditions: Iterable[BaseModel], *, executions: bool) -> Iterator[str]:
    """What is wrong with conditions that could never be evaluated; ``executions``: there is one to look at.

    A condition over several executions is for the trigger itself to accept or refuse, and only inside others
    it is wrong in any case.
    """
    for condition in conditions:
        if not isinstance(condition, ConditionType):
            continue
        if isinstance(condition, ExecutionConditionType) and not executions:
            yield f"Condition `{type(condition).__name__}` needs an execution, and this trigger has none"
        for part in condition.parts():
            if isinstance(part, RememberedConditionType):
                yield f"Condition `{type(part).__name__}` cannot stand inside `{type(condition).__name__}`"
        yield from unfit_conditions(condition.parts(), executions=executions)


class ScheduleConditionType(ConditionType):
    """Base class of conditions that can be decided from a date alone, so that a schedule can look ahead."""


class ExecutionConditionType(ConditionType):
    """Base class of conditions that look at the execution that is reacted to, and so need one."""

    def holds(self, context: ConditionContext) -> bool:
        if context.execution is None:
            raise ValueError("there is no execution to look at")
        return self.holds_for(context.execution, context)

    @abstractmethod
    def holds_for(self, execution: Execution, context: ConditionContext) -> bool:
        """Whether the condition holds for an execution; see :meth:`ConditionType.holds`."""


class RememberedConditionType(ConditionType):
    """Base class of conditions over several executions, which the server remembers for a Flow trigger."""

    def holds(self, context: ConditionContext) -> bool:
        raise ValueError("it looks at several executions, which only a Flow trigger remembers")
