"""``io.kestra.plugin.core.condition.ExecutionStatus``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.execution import Execution
from windhover.plugin.condition import ConditionContext, ExecutionConditionType
from windhover.plugin.types import StatesText


class ExecutionStatus(ExecutionConditionType):
    """The execution is in one of some states, or in none of some others."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionStatus"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionStatusCondition",
        "io.kestra.plugin.core.condition.ExecutionStatusCondition",
    )

    in_: Annotated[StatesText | None, Field(alias="in", description="The states that count.")] = None
    not_in: Annotated[StatesText | None, Field(description="The states that do not count.")] = None

    def holds_for(self, execution: Execution, context: ConditionContext) -> bool:
        state = execution.state.current
        if self.in_ is not None and state not in context.states(self.in_):
            return False
        return self.not_in is None or state not in context.states(self.not_in)
