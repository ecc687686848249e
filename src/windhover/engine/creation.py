"""The making of a new execution: its record, and the expressions of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from windhover.engine.environment import EngineEnvironment
from windhover.expression import Scope, render_value
from windhover.model.execution import Execution, ExecutionMetadata, JsonValue, Label
from windhover.model.flow import Flow
from windhover.model.labels import SYSTEM_PREFIX, nested_labels
from windhover.model.state import State
from windhover.util.instants import instant_text
from windhover.util.nulls import without_nulls

CORRELATION_ID = "system.correlationId"


def new_execution(
    flow: Flow,
    inputs: dict[str, JsonValue],
    execution_id: str,
    now: datetime,
    *,
    labels: Sequence[Label] = (),
    schedule_date: datetime | None = None,
    kind: str | None = None,
) -> Execution:
    """A new execution of a flow, in state CREATED, with the labels of :func:`execution_labels`."""
    return Execution(
        id=execution_id,
        tenant_id=flow.tenant_id or "",
        namespace=flow.namespace,
        flow_id=flow.id,
        flow_revision=flow.revision or 0,
        state=State.created(now),
        original_id=execution_id,
        metadata=ExecutionMetadata(1, now),
        labels=execution_labels(flow, labels, execution_id),
        inputs=inputs if flow.inputs else None,
        variables=without_nulls(dict(flow.variables)) or None,
        schedule_date=schedule_date,
        kind=kind,
    )


def execution_labels(flow: Flow, labels: Sequence[Label], execution_id: str) -> list[Label]:
    """The labels of a new execution.

    They are the flow's, but for those of the system, and those given, the last one of a key in the
    place of the first, and a correlation id, which is its own id if it was given none.
    """
    of_flow = (label for label in flow.labels if not label.key.startswith(SYSTEM_PREFIX))
    merged = {label.key: label.value for label in (*of_flow, *labels)}
    merged.setdefault(CORRELATION_ID, execution_id)
    return [Label(key, value) for key, value in merged.items()]


class FlowInputRenderer:
    """Renders the expressions of a flow's inputs before there is an execution.

    ``context`` holds names that are known besides, such as ``trigger``. ``labels`` are those that the
    execution gets on top of the flow's, ``start`` is when it begins.
    """

    def __init__(
        self,
        environment: EngineEnvironment,
        flow: Flow,
        execution_id: str,
        context: Mapping[str, JsonValue] | None = None,
        *,
        labels: Sequence[Label] = (),
        start: datetime | None = None,
    ) -> None:
        self._execution_id = execution_id
        self._environment = environment
        self._variables: dict[str, object] = {
            "flow": {
                "id": flow.id,
                "namespace": flow.namespace,
                "revision": flow.revision,
                "tenantId": flow.tenant_id,
            },
            "execution": _coming_execution(execution_id, start),
            "globals": environment.globals,
            "envs": environment.envs,
            "kestra": environment.server,
        }
        if execution_id:
            merged = execution_labels(flow, labels, execution_id)
            self._variables["labels"] = nested_labels(merged)
        if flow.variables:
            self._variables["vars"] = without_nulls(flow.variables)
        if declared := environment.namespace_variables(flow.namespace):
            self._variables["namespace"] = declared
        if context:
            self._variables.update(context)

    def render(self, template: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
        return render_value(template, self._scope(variables))

    def evaluate(self, template: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
        return render_value(template, self._scope(variables), typed=True)

    def _scope(self, variables: Mapping[str, JsonValue]) -> Scope:
        return self._environment.scope({**self._variables, **variables}, self._execution_id)


def _coming_execution(execution_id: str, start: datetime | None) -> dict[str, JsonValue]:
    """What expressions read as ``execution`` before it is there."""
    known: dict[str, JsonValue] = {"id": execution_id, "originalId": execution_id, "state": "CREATED"}
    return known if start is None else {**known, "startDate": instant_text(start)}
