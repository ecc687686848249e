"""``io.kestra.plugin.core.flow.Subflow``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from windhover.core.labels import read_labels
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.executable import ChildRequest, ExecutableTask
from windhover.plugin.task import Output
from windhover.plugin.types import Static

_TRANSMITTED = frozenset({StateType.FAILED, StateType.PAUSED, StateType.KILLED, StateType.WARNING})


class SubflowOutput(Output):
    """What a Subflow task gives."""

    execution_id: Annotated[str, Field(description="The execution that was started.")]
    state: Annotated[StateType, Field(description="How it ended; CREATED when nobody waits.")]
    outputs: Annotated[
        dict[str, JsonValue] | None, Field(description="The outputs of its flow, when it is waited for.")
    ] = None


class Subflow(ExecutableTask):
    """Start an execution of another flow, and wait for its end unless told otherwise."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Subflow"
    output: ClassVar[type[Output] | None] = SubflowOutput
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.tasks.flows.Subflow",
        "io.kestra.core.tasks.flows.Flow",
    )

    namespace: Annotated[str, Field(description="Namespace of the flow.")]
    flow_id: Annotated[str, Field(description="Id of the flow.")]
    revision: Static[Annotated[int, Field(ge=1)] | None] = None
    inputs: Annotated[dict[str, JsonValue] | None, Field(description="Inputs by id.")] = None
    labels: Annotated[
        dict[str, JsonValue] | list[JsonValue] | None, Field(description="Labels of the execution.")
    ] = None
    inherit_labels: Annotated[bool, Field(description="Give it this execution's labels, too.")] = False
    wait: Static[Annotated[bool, Field(description="End only when the execution has ended.")]] = True
    transmit_failed: Static[
        Annotated[bool, Field(description="End as the execution did; else end as SUCCESS.")]
    ] = True
    schedule_date: Annotated[datetime | None, Field(description="Start it then and not now.")] = None
    restart_behavior: Static[Literal["RETRY_FAILED", "NEW_EXECUTION"]] = "RETRY_FAILED"
    outputs: Static[
        Annotated[
            dict[str, JsonValue] | None,
            Field(
                deprecated=True,
                description="Rendered among the variables of the execution that was started. "
                "Declare outputs on its flow instead.",
            ),
        ]
    ] = None

    @field_validator("labels")
    @classmethod
    def _without_system_labels(
        cls, labels: dict[str, JsonValue] | list[JsonValue] | None
    ) -> dict[str, JsonValue] | list[JsonValue] | None:
        read_labels(labels or {}, allow_empty=True)
        return labels

    def child(self) -> ChildRequest:
        return ChildRequest(
            namespace=self.namespace,
            flow_id=self.flow_id,
            revision=self.revision,
            inputs=self.inputs or {},
            labels=read_labels(self.labels, allow_empty=True) if self.labels else (),
            inherit_labels=self.inherit_labels,
            wait=self.wait,
            schedule_date=self.schedule_date,
            restart_failed=self.restart_behavior == "RETRY_FAILED",
        )

    def legacy_outputs(self) -> dict[str, JsonValue] | None:
        # Not by attribute: that would warn of a deprecated property each time.
        outputs: dict[str, JsonValue] | None = vars(self)["outputs"]
        return outputs

    def end_state(self, child: StateType) -> StateType:
        return child if self.transmit_failed and child in _TRANSMITTED else StateType.SUCCESS
