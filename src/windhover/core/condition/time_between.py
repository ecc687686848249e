"""``io.kestra.plugin.core.condition.TimeBetween``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from windhover.model.definition import Text
from windhover.plugin.condition import ScheduleConditionType
from windhover.plugin.types import OffsetTimeText


class TimeBetween(ScheduleConditionType):
    """The time of day is after one time, before another, or both."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.TimeBetween"
    aliases: ClassVar[tuple[str, ...]] = (
        "io.kestra.core.models.conditions.types.TimeBetweenCondition",
        "io.kestra.plugin.core.condition.TimeBetweenCondition",
    )

    date: Annotated[Text, Field(description="The date that is looked at.")] = "{{ trigger.date }}"
    after: Annotated[OffsetTimeText | None, Field(description="The time must be after this one.")] = None
    before: Annotated[OffsetTimeText | None, Field(description="The time must be before this one.")] = None

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.after is None and self.before is None:
            raise ValueError("`after` or `before` must be set")
        return self
