"""``io.kestra.plugin.core.condition.ExecutionOutputs``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression import truthy
from windhover.model.execution import Execution
from windhover.plugin.condition import ConditionContext, ExecutionConditionType
from windhover.plugin.types import BooleanText


class ExecutionOutputs(ExecutionConditionType):
    """An expression over the outputs of the execution is true; false when it has none."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionOutputs"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionOutputsCondition",
        "io.kestra.plugin.core.condition.ExecutionOutputsCondition",
    )

    expression: Annotated[BooleanText, Field(description="The expression, over `trigger.outputs`.")]

    def holds_for(self, execution: Execution, context: ConditionContext) -> bool:
        return bool(execution.outputs) and truthy(context.renderer.render(self.expression))
