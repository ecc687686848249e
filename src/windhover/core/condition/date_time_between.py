"""``io.kestra.plugin.core.condition.DateTimeBetween``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from windhover.model.definition import Text
from windhover.plugin.condition import ScheduleConditionType
from windhover.plugin.types import DateTimeText


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
        return self
