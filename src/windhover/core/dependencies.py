"""The `dependsOn` of a Flow trigger, with what says how many must be satisfied, and by when."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from windhover.core.requirement import definition_digest
from windhover.expression import truthy
from windhover.model.definition import Definition, Text
from windhover.model.labels import Labels
from windhover.model.state import StateType
from windhover.plugin.condition import ConditionContext
from windhover.plugin.gathering import Span, daily, repeating
from windhover.plugin.types import LocalTime, TimeZone, WrittenDuration


class Dependency(Definition):
    """Executions that are waited for; what is not written matches any."""

    namespace: Text | None = None
    flow_id: Text | None = None
    states: tuple[StateType, ...] = ()
    labels: Labels = ()
    when: Text = "true"

    @property
    def key(self) -> str:
        """The same whatever the order in which states and labels are written."""
        states = tuple(sorted(self.states))
        labels = tuple(sorted(self.labels, key=lambda label: label.key))
        return definition_digest(self.model_copy(update={"states": states, "labels": labels}))

    def is_met(self, context: ConditionContext) -> bool:
        """Whether an execution is one that is waited for.

        Raises:
            windhover.expression.ExpressionError: `when` cannot be rendered.
        """
        execution = context.execution
        assert execution is not None, "a Flow trigger reacts to executions"
        if self.namespace not in (None, execution.namespace) or self.flow_id not in (None, execution.flow_id):
            return False
        if self.states and execution.state.current not in self.states:
            return False
        if not all(label in execution.labels for label in self.labels):
            return False
        return self.when == "true" or truthy(context.render_when(self.when))


class DependencyMode(StrEnum):
    """How many dependencies must be satisfied."""

    ALL = "ALL"
    ANY = "ANY"
    AT_LEAST = "AT_LEAST"


class DependencyWindow(Definition):
    """The time within which dependencies count: one of `deadline`, `from` and `to`, `every`, `lookback`."""

    deadline: LocalTime | None = None
    from_: Annotated[LocalTime | None, Field(alias="from")] = None
    to: LocalTime | None = None
    every: WrittenDuration | None = None
    offset: WrittenDuration | None = None
    lookback: WrittenDuration | None = None
    timezone: TimeZone | None = None
    fire_once: bool = False

    @model_validator(mode="after")
    def _check_one_group(self) -> Self:
        groups = [
            self.deadline is not None,
            self.from_ is not None or self.to is not None,
            self.every is not None or self.offset is not None,
            self.lookback is not None,
        ]
        if sum(groups) != 1:
            raise ValueError("a window needs exactly one of `deadline`, `from` and `to`, `every`, `lookback`")
        if (self.from_ is None) != (self.to is None):
            raise ValueError("`from` and `to` must be set together")
        for name, length in (("every", self.every), ("lookback", self.lookback)):
            if length is not None and length <= timedelta():
                raise ValueError(f"`{name}` must be longer than nothing")
        return self

    @property
    def ends(self) -> bool:
        """Whether there is an instant by which all must have happened."""
        return self.lookback is None

    def open_or_next(self, instant: datetime, zone: tzinfo) -> Span:
        """The window that is open at an instant, or the next one; of those that end."""
        if self.deadline is not None:
            return daily(instant, zone, time.min, self.deadline)
        if self.from_ is not None and self.to is not None:
            return daily(instant, zone, self.from_, self.to)
        return repeating(instant, zone, self.every or timedelta(days=1), self.offset or timedelta())


class MissBehavior(StrEnum):
    """What happens when a deadline passes."""

    FAIL = "FAIL"


class OnMiss(Definition):
    """What happens when a deadline passes before all dependencies are satisfied."""

    behavior: MissBehavior = MissBehavior.FAIL
    labels: Labels = ()
