"""``io.kestra.plugin.core.trigger.Flow``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from windhover.core.condition.execution_flow import ExecutionFlow
from windhover.core.condition.multiple_condition import MultipleCondition
from windhover.core.dependencies import Dependency, DependencyMode, DependencyWindow, OnMiss
from windhover.core.preconditions import Preconditions
from windhover.expression.moments import zone_of
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.documentation import Example
from windhover.plugin.gathering import ALL_EXECUTIONS, AfterFiring, Gathering, Interest
from windhover.plugin.task import Output
from windhover.plugin.trigger import FlowTrigger
from windhover.plugin.types import is_template

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
    outputs: Annotated[
        dict[str, JsonValue] | None,
        Field(description="The outputs of its flow, with those of the executions gathered before it."),
    ] = None
    start_date: Annotated[str, Field(description="When it was created.")]
    end_date: Annotated[str | None, Field(description="When it reached an end, or was paused.")] = None
    first_failed_task_id: Annotated[
        str | None, Field(description="The task of its first task run that failed.")
    ] = None
    last_task_id: Annotated[str | None, Field(description="The task of its last task run.")] = None


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
        if self.on_miss is not None and (self.window is None or not self.window.ends):
            raise ValueError("`onMiss` needs a `window` that ends: `deadline`, `from` and `to`, or `every`")
        if self.window is not None and not self.depends_on:
            raise ValueError("`window` is for `dependsOn`; `preconditions` have a `timeWindow`")
        return self

    def reacts_to(self, state: StateType) -> bool:
        return state in self._states

    @cached_property
    def _states(self) -> frozenset[StateType]:
        """The states that are written, or else the usual ones and those that a part of the trigger names."""
        if "states" in self.model_fields_set:
            return frozenset(self.states)
        flows = self.preconditions.flows if self.preconditions is not None else None
        named = [flow.states or () for flow in flows or ()] + [each.states for each in self.depends_on]
        return frozenset(self.states).union(*named)

    def interests(self) -> Sequence[Interest]:
        for condition in self.conditions:
            if isinstance(condition, ExecutionFlow) and not _is_dynamic(condition):
                return (Interest(condition.namespace, condition.flow_id),)
        if self.preconditions is not None and self.preconditions.flows and not self.preconditions.where:
            return tuple(Interest(flow.namespace, flow.flow_id) for flow in self.preconditions.flows)
        if self.depends_on and all(dependency.namespace for dependency in self.depends_on):
            return tuple(Interest(each.namespace, each.flow_id) for each in self.depends_on)
        return (ALL_EXECUTIONS,)

    def gatherings(self) -> Sequence[Gathering]:
        return self._gatherings

    @cached_property
    def _gatherings(self) -> tuple[Gathering, ...]:
        found = [each.gathering() for each in self.conditions if isinstance(each, MultipleCondition)]
        if self.preconditions is not None and (self.preconditions.flows or self.preconditions.where):
            found.append(self.preconditions.gathering())
        if self.depends_on:
            found.append(self._dependencies())
        return tuple(found)

    def _dependencies(self) -> Gathering:
        requirements = {dependency.key: dependency.is_met for dependency in self.depends_on}
        needed = {
            DependencyMode.ALL: len(requirements),
            DependencyMode.ANY: 1,
            DependencyMode.AT_LEAST: min(self.min_satisfied or 1, len(requirements)),
        }[self.mode]
        window = self.window
        once = window is not None and window.fire_once
        return Gathering(
            id=f"depends_on_{self.id}",
            requirements=requirements,
            needed=needed,
            window_at=window.open_or_next if window is not None and window.ends else None,
            lookback=window.lookback if window is not None else None,
            after_firing=AfterFiring.WAIT if once else AfterFiring.RESET,
            zone=zone_of(window.timezone) if window is not None and window.timezone is not None else None,
            miss_labels=self.on_miss.labels if self.on_miss is not None else None,
        )


def _is_dynamic(condition: ExecutionFlow) -> bool:
    return is_template(condition.namespace) or is_template(condition.flow_id)
