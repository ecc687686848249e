"""``io.kestra.plugin.core.condition.ExecutionLabels``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.model.execution import Execution
from windhover.model.labels import Labels
from windhover.plugin.condition import ConditionContext, ExecutionConditionType


class ExecutionLabels(ExecutionConditionType):
    """The execution has all of some labels."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.ExecutionLabels"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.ExecutionLabelsCondition",
        "io.kestra.plugin.core.condition.ExecutionLabelsCondition",
    )

    labels: Annotated[Labels, Field(description="The labels: a map, or a list of keys and values.")]

    def holds_for(self, execution: Execution, context: ConditionContext) -> bool:
        return all(label in execution.labels for label in self.labels)
