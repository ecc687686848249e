"""``io.kestra.plugin.core.condition.ExecutionFlow``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.definition import Text
from windhover.model.execution import Execution
from windhover.plugin.condition import ConditionContext, ExecutionConditionType


class ExecutionFlow(ExecutionConditionType):
    """The execution is one of a certain flow."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionFlow"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionFlowCondition",
        "io.kestra.plugin.core.condition.ExecutionFlowCondition",
    )

    namespace: Annotated[Text, Field(description="The namespace of the flow.")]
    flow_id: Annotated[Text, Field(description="The id of the flow.")]

    def holds_for(self, execution: Execution, context: ConditionContext) -> bool:
        return (execution.namespace, execution.flow_id) == (
            context.text(self.namespace),
            context.text(self.flow_id),
        )
