"""``io.kestra.plugin.core.condition.DateTimeBetween``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ScheduleConditionType
from windhover.plugin.types import DateTimeText, is_template, parse_date_time


class DateTimeBetween(ScheduleConditionType):
    """The date is after one date, before another, or both."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.DateTimeBetween"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.DateTimeBetweenCondition",
        "io.kestra.plugin.core.condition.DateTimeBetweenCondition",
    )

    date: Annotated[Text, Field(description="The date that is looked at.")] = "{{ trigger.date }}"
    after: Annotated[DateTimeText | None, Field(description="The date must be after this one.")] = None
    before: Annotated[DateTimeText | None, Field(description="The date must be before this one.")] = None

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.after is None and self.before is None:
            raise ValueError("`after` or `before` must be set")
        if self.after is not None and self.before is not None:
            texts = (self.after, self.before)
            if not any(map(is_template, texts)) and parse_date_time(self.after) >= parse_date_time(
                self.before
            ):
                raise ValueError(f"no date is after {self.after} and before {self.before}")
        return self

    def holds(self, context: ConditionContext) -> bool:
        date = context.date(self.date)
        if self.after is not None and date <= context.date(self.after):
            return False
        return self.before is None or date < context.date(self.before)
