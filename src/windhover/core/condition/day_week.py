"""``io.kestra.plugin.core.condition.DayWeek``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression.library.calendar import day_of_week
from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ScheduleConditionType
from windhover.plugin.types import DayOfWeek, DayOfWeekText


class DayWeek(ScheduleConditionType):
    """The date is on one day of the week."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.DayWeek"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.DayWeekCondition",
        "io.kestra.plugin.core.condition.DayWeekCondition",
    )

    date: Annotated[Text, Field(description="The date that is looked at.")] = "{{ trigger.date }}"
    day_of_week: Annotated[DayOfWeekText, Field(description="The day: `MONDAY` to `SUNDAY`.")]

    def holds(self, context: ConditionContext) -> bool:
        return day_of_week(context.date(self.date)) == DayOfWeek(context.text(self.day_of_week))
