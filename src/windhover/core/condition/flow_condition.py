"""``io.kestra.plugin.core.condition.FlowCondition``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ConditionType
from windhover.plugin.types import Static


class FlowCondition(ConditionType):
    """The flow is a certain one; use `ExecutionFlow` instead."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.FlowCondition"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.models.conditions.types.FlowCondition",)
    deprecated: ClassVar[bool] = True

    namespace: Annotated[Static[Text], Field(description="The namespace of the flow.")]
    flow_id: Annotated[Static[Text], Field(description="The id of the flow.")]

    def holds(self, context: ConditionContext) -> bool:
        return (context.namespace, context.flow_id) == (self.namespace, self.flow_id)
