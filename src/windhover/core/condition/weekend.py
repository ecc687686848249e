"""``io.kestra.plugin.core.condition.Weekend``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression.library.calendar import is_weekend
from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ScheduleConditionType


class Weekend(ScheduleConditionType):
    """The date is on a Saturday or a Sunday."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.Weekend"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.WeekendCondition",
        "io.kestra.plugin.core.condition.WeekendCondition",
    )

    date: Annotated[Text, Field(description="The date that is looked at.")] = "{{ trigger.date }}"

    def holds(self, context: ConditionContext) -> bool:
        return is_weekend(context.date(self.date))
