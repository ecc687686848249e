"""``io.kestra.plugin.core.condition.Or``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.plugin.condition import ConditionContext, ConditionType, ScheduleConditionType
from windhover.plugin.nesting import ConditionList


class Or(ScheduleConditionType):
    """At least one of the conditions holds."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.Or"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.OrCondition",
        "io.kestra.plugin.core.condition.OrCondition",
    )

    conditions: Annotated[ConditionList, Field(min_length=1, description="The conditions.")]

    def holds(self, context: ConditionContext) -> bool:
        return any(part.evaluate(context) for part in self.parts())

    def parts(self) -> Sequence[ConditionType]:
        return [part for part in self.conditions if isinstance(part, ConditionType)]
