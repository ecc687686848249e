"""``io.kestra.plugin.core.condition.Expression``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression import truthy
from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ConditionType


class Expression(ConditionType):
    """An expression is true."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.Expression"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.VariableCondition",
        "io.kestra.plugin.core.condition.ExpressionCondition",
    )

    expression: Annotated[Text, Field(description="The expression.")]

    def holds(self, context: ConditionContext) -> bool:
        return truthy(context.renderer.render(self.expression))
