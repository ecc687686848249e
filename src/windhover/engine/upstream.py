"""An execution as a Flow trigger sees it, in one of the states that it has taken.

Documentation page: ``docs/flow-triggers.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import msgspec

from windhover.engine.creation import CORRELATION_ID
from windhover.engine.environment import EngineEnvironment
from windhover.engine.live import LiveExecution
from windhover.engine.spill import resolving
from windhover.engine.variables import LayeredVariables, execution_variables
from windhover.expression import Scope, has_expression, render_value
from windhover.model.execution import Execution, JsonValue
from windhover.model.flow import Flow
from windhover.model.labels import nested_labels
from windhover.model.state import TERMINATED, State, StateType
from windhover.plugin.condition import ConditionContext
from windhover.util.instants import instant_text


class Upstream:
    """An execution at the state of its history that stands at ``position``, and the flow that may react.

    It may have gone on since: what is told of it is what was true then, but for what its tasks have put out.
    """

    def __init__(
        self, live: LiveExecution, position: int, flow: Flow, environment: EngineEnvironment
    ) -> None:
        self._live = live
        self._flow = flow
        self._environment = environment
        record, histories = live.record, live.record.state.histories[: position + 1]
        state = histories[-1].state
        self.record: Execution = msgspec.structs.replace(
            record,
            state=State(state, histories),
            outputs=record.outputs if state in TERMINATED else None,
        )

    @cached_property
    def context(self) -> ConditionContext:
        """What the conditions of the trigger look at.

        In their expressions ``flow`` is the flow that reacts, in those of `when` the one that is reacted to.
        """
        return ConditionContext(
            renderer=_Renderer(self._condition_variables, self._environment, self.record.id),
            namespace=self._flow.namespace,
            flow_id=self._flow.id,
            execution=self.record,
            task_runs=lambda: [node.record for node in self._live.nodes.values()],
            country=self._environment.country,
            when_renderer=_Renderer(self._when_variables, self._environment, self.record.id),
        )

    def trigger_variables(self, outputs: dict[str, JsonValue] | None) -> dict[str, JsonValue]:
        """The variable ``trigger`` of the execution that is started, with the outputs given."""
        record = self.record
        labels = [label for label in record.labels if label.key != CORRELATION_ID]
        found: dict[str, JsonValue] = {
            "executionId": record.id,
            "executionLabels": nested_labels(labels),
            "state": record.state.current.value,
            "namespace": record.namespace,
            "flowId": record.flow_id,
            "flowRevision": record.flow_revision,
            "startDate": instant_text(record.state.start_date),
        }
        runs = [node.record for node in self._live.nodes.values()]
        failed = next((run.task_id for run in runs if run.state.current is StateType.FAILED), None)
        end = record.state.end_date
        rest = {
            "endDate": None if end is None else instant_text(end),
            "firstFailedTaskId": failed,
            "lastTaskId": runs[-1].task_id if runs else None,
            "outputs": outputs,
        }
        found.update({name: value for name, value in rest.items() if value is not None})
        return found

    def input_variables(self) -> Mapping[str, JsonValue]:
        """What templates of the trigger's inputs and labels read, besides ``flow``, ``trigger``, ``vars``."""
        own = {"flow", "trigger", "vars", "globals", "envs", "kestra"}
        variables = self._variables(None)
        return {name: variables[name] for name in variables if name not in own}

    def _condition_variables(self) -> Mapping[str, JsonValue]:
        return self._variables(self._flow_variable(self._flow.namespace, self._flow.id))

    def _when_variables(self) -> Mapping[str, JsonValue]:
        """What `when` reads: as in conditions, but ``flow`` and the rest are of the execution's own flow."""
        record = self.record
        load = self._environment.load_stored
        tasks = execution_variables(self._live, self._environment, load=load)["outputs"]
        retried = any(len(node.record.attempts or ()) > 1 for node in self._live.nodes.values())
        added: dict[str, JsonValue] = {
            "namespace": record.namespace,
            "flowId": record.flow_id,
            "state": record.state.current.value,
            "outputs": LayeredVariables(self._loading(record.outputs or {}), tasks),
            "hasRetryAttempt": retried,
        }
        return LayeredVariables(added, self._variables(self._flow_variable(record.namespace, record.flow_id)))

    def _variables(self, flow: dict[str, JsonValue] | None) -> Mapping[str, JsonValue]:
        record = self.record
        added: dict[str, JsonValue] = {
            "trigger": self._loading(self.trigger_variables(record.outputs)),
            "execution": self._loading(
                {
                    "id": record.id,
                    "state": record.state.current.value,
                    "startDate": instant_text(record.state.start_date),
                    "originalId": record.original_id,
                    **({"outputs": record.outputs} if record.outputs is not None else {}),
                }
            ),
        }
        if flow is not None:
            added["flow"] = flow
        lower = execution_variables(self._live, self._environment, load=self._environment.load_stored)
        return LayeredVariables(added, lower)

    def _loading(self, value: JsonValue) -> JsonValue:
        """The same, with outputs that are kept in the storage read when an expression looks at them."""
        load = self._environment.load_stored
        return value if load is None else resolving(value, load)

    def _flow_variable(self, namespace: str, flow_id: str) -> dict[str, JsonValue]:
        return {"namespace": namespace, "id": flow_id, "tenantId": self.record.tenant_id}


class _Renderer:
    """Renders with variables that are made when the first expression is met: most conditions hold none."""

    def __init__(
        self,
        variables: Callable[[], Mapping[str, JsonValue]],
        environment: EngineEnvironment,
        execution_id: str,
    ) -> None:
        self._variables = variables
        self._environment = environment
        self._execution_id = execution_id

    def render(self, template: JsonValue) -> JsonValue:
        return self._rendered(template, typed=False)

    def evaluate(self, template: JsonValue) -> JsonValue:
        return self._rendered(template, typed=True)

    def _rendered(self, template: JsonValue, *, typed: bool) -> JsonValue:
        if isinstance(template, str) and not has_expression(template):
            return template
        return render_value(template, self._scope, typed=typed)

    @cached_property
    def _scope(self) -> Scope:
        return self._environment.scope(self._variables(), self._execution_id)
