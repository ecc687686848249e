"""``io.kestra.plugin.core.condition.DayWeekInMonth``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression.library.calendar import is_day_week_in_month
from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ScheduleConditionType
from windhover.plugin.types import DayOfWeek, DayOfWeekText, readable_as


class DayInMonth(StrEnum):
    """Which of the same days of the week in a month."""

    FIRST = "FIRST"
    LAST = "LAST"
    SECOND = "SECOND"
    THIRD = "THIRD"
    FOURTH = "FOURTH"


class DayWeekInMonth(ScheduleConditionType):
    """The date is on the first (second, third, fourth, last) such day of the week in its month."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.DayWeekInMonth"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.DayWeekInMonthCondition",
        "io.kestra.plugin.core.condition.DayWeekInMonthCondition",
    )

    date: Annotated[Text, Field(description="The date that is looked at.")] = "{{ trigger.date }}"
    day_of_week: Annotated[DayOfWeekText, Field(description="The day: `MONDAY` to `SUNDAY`.")]
    day_in_month: Annotated[
        Annotated[Text, readable_as(DayInMonth)], Field(description="Which of these days of the month.")
    ]

    def holds(self, context: ConditionContext) -> bool:
        day, place = context.text(self.day_of_week), context.text(self.day_in_month)
        return is_day_week_in_month(context.date(self.date), DayOfWeek(day), DayInMonth(place))
