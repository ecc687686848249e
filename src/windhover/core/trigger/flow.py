"""``io.kestra.plugin.core.trigger.Flow``."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from windhover.core.time_window import TimeWindow
from windhover.model.definition import Definition, NonEmptyText, PluginId, Text
from windhover.model.execution import JsonValue
from windhover.model.labels import Labels
from windhover.model.state import StateType
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output
from windhover.plugin.trigger import FlowTrigger
from windhover.plugin.types import LocalTime, TimeZone, WrittenDuration

#: The states that a trigger without `states` reacts to.
DEFAULT_STATES = (
    StateType.SUCCESS,
    StateType.WARNING,
    StateType.FAILED,
    StateType.KILLED,
    StateType.CANCELLED,
    StateType.RETRIED,
    StateType.SKIPPED,
    StateType.RESUBMITTED,
    StateType.PAUSED,
)


class FlowOutput(Output):
    """The variable ``trigger`` of an execution that another execution started."""

    execution_id: Annotated[str, Field(description="The id of the execution that was reacted to.")]
    execution_labels: Annotated[dict[str, JsonValue], Field(description="Its labels.")]
    state: Annotated[StateType, Field(description="Its state.")]
    namespace: Annotated[str, Field(description="The namespace of its flow.")]
    flow_id: Annotated[str, Field(description="The id of its flow.")]
    flow_revision: Annotated[int, Field(description="The revision of its flow.")]
    outputs: Annotated[dict[str, JsonValue] | None, Field(description="The outputs of its flow.")] = None


class UpstreamFlow(Definition):
    """A flow (or all of a namespace) whose executions are waited for."""

    namespace: Text
    flow_id: Text | None = None
    states: tuple[StateType, ...] | None = None
    labels: dict[str, JsonValue] | None = None


class FilterField(StrEnum):
    """What a filter looks at."""

    FLOW_ID = "FLOW_ID"
    NAMESPACE = "NAMESPACE"
    STATE = "STATE"
    EXPRESSION = "EXPRESSION"


class FilterType(StrEnum):
    """How a filter compares."""

    EQUAL_TO = "EQUAL_TO"
    NOT_EQUAL_TO = "NOT_EQUAL_TO"
    IN = "IN"
    NOT_IN = "NOT_IN"
    IS_TRUE = "IS_TRUE"
    IS_FALSE = "IS_FALSE"
    IS_NULL = "IS_NULL"
    IS_NOT_NULL = "IS_NOT_NULL"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    REGEX = "REGEX"
    CONTAINS = "CONTAINS"


class Filter(Definition):
    """One comparison: with `values` for `IN` and `NOT_IN`, with `value` for all others."""

    field: FilterField
    type: FilterType
    value: Text | None = None
    values: tuple[Text, ...] | None = None

    @model_validator(mode="after")
    def _check_operands(self) -> Self:
        several = self.type in (FilterType.IN, FilterType.NOT_IN)
        needed, other = ("values", "value") if several else ("value", "values")
        if getattr(self, needed) is None:
            raise ValueError(f"`{needed}` cannot be null for type {self.type}")
        if getattr(self, other) is not None:
            raise ValueError(f"`{other}` must be null for type {self.type}")
        return self


class Operand(StrEnum):
    """How filters are taken together."""

    AND = "AND"
    OR = "OR"


class ExecutionFilter(Definition):
    """Comparisons that an execution must pass: all, or any."""

    id: NonEmptyText
    operand: Operand = Operand.AND
    filters: Annotated[tuple[Filter, ...], Field(min_length=1)]


class Preconditions(Definition):
    """Executions that must have happened within a window of time, before the trigger fires."""

    id: PluginId
    time_window: TimeWindow = TimeWindow()
    reset_on_success: bool = True
    flows: tuple[UpstreamFlow, ...] | None = None
    where: tuple[ExecutionFilter, ...] | None = None


class Dependency(Definition):
    """Executions that are waited for; what is not written matches any."""

    namespace: Text | None = None
    flow_id: Text | None = None
    states: tuple[StateType, ...] = ()
    labels: Labels = ()
    when: Text = "true"


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
        return self

    @property
    def length(self) -> timedelta:
        """The length of a window that repeats."""
        return self.every if self.every is not None else timedelta(days=1)


class MissBehavior(StrEnum):
    """What happens when a deadline passes."""

    FAIL = "FAIL"


class OnMiss(Definition):
    """What happens when a deadline passes before all dependencies are satisfied."""

    behavior: MissBehavior = MissBehavior.FAIL
    labels: Labels = ()


class Flow(FlowTrigger):
    """Start an execution when executions of other flows reach a state."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.trigger.Flow"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.models.triggers.types.Flow",)
    output: ClassVar[type[Output] | None] = FlowOutput
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="After two flows have succeeded on the same day.",
            full=True,
            code="""\
id: report
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.flowId }} was the last"
triggers:
  - id: upstream
    type: io.kestra.plugin.core.trigger.Flow
    preconditions:
      id: both
      flows:
        - namespace: company.team
          flowId: extract
          states: [SUCCESS]
        - namespace: company.team
          flowId: load
          states: [SUCCESS]
""",
        ),
    )

    states: Annotated[tuple[StateType, ...], Field(description="The states that the trigger reacts to.")] = (
        DEFAULT_STATES
    )
    preconditions: Annotated[
        Preconditions | None, Field(description="Executions that must have happened within a window.")
    ] = None
    depends_on: Annotated[tuple[Dependency, ...], Field(description="Executions that are waited for.")] = ()
    mode: Annotated[DependencyMode, Field(description="How many dependencies must be satisfied.")] = (
        DependencyMode.ALL
    )
    min_satisfied: Annotated[
        int | None, Field(ge=1, description="The number of dependencies for mode `AT_LEAST`.")
    ] = None
    window: Annotated[
        DependencyWindow | None, Field(description="The time within which dependencies count.")
    ] = None
    on_miss: Annotated[OnMiss | None, Field(description="What happens when a deadline passes.")] = None

    @model_validator(mode="after")
    def _check_dependencies(self) -> Self:
        if (self.mode is DependencyMode.AT_LEAST) != (self.min_satisfied is not None):
            raise ValueError("`minSatisfied` must be set for mode AT_LEAST, and for it alone")
        if self.min_satisfied is not None and self.min_satisfied > len(self.depends_on):
            there = len(self.depends_on)
            raise ValueError(f"`minSatisfied` is {self.min_satisfied}, but there are {there} dependencies")
        return self
