"""``io.kestra.plugin.core.condition.PublicHoliday``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression.library.calendar import is_public_holiday
from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ScheduleConditionType


class PublicHoliday(ScheduleConditionType):
    """The date is a public holiday of a country."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.PublicHoliday"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.PublicHolidayCondition",
        "io.kestra.plugin.core.condition.PublicHolidayCondition",
    )

    date: Annotated[Text, Field(description="The date that is looked at.")] = "{{ trigger.date }}"
    country: Annotated[
        Text | None,
        Field(description="The country by its two letters (ISO 3166-1); unset, the server's."),
    ] = None
    sub_division: Annotated[
        Text | None, Field(description="A part of the country (ISO 3166-2), for its own holidays.")
    ] = None

    def holds(self, context: ConditionContext) -> bool:
        country = context.text(self.country) if self.country is not None else context.country
        if not country:
            raise ValueError("the server's locale names no country; set `country`")
        part = context.text(self.sub_division) if self.sub_division is not None else None
        return is_public_holiday(context.date(self.date), country, part)
