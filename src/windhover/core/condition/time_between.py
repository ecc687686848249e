"""``io.kestra.plugin.core.condition.TimeBetween``."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from windhover.model.definition import Text
from windhover.plugin.condition import ConditionContext, ScheduleConditionType
from windhover.plugin.types import OffsetTimeText, is_template, parse_offset_time


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
        if self.after is not None and self.before is not None:
            texts = (self.after, self.before)
            if not any(map(is_template, texts)) and _time(self.after) >= _time(self.before):
                raise ValueError(
                    f"no time is after {self.after} and before {self.before} of the same day; for a span over"
                    " midnight use `Or` with two conditions"
                )
        return self

    def holds(self, context: ConditionContext) -> bool:
        date = context.date(self.date)
        time = _microseconds(date.timetz(), date.utcoffset())
        if self.after is not None and time <= _time(context.text(self.after)):
            return False
        return self.before is None or time < _time(context.text(self.before))


def _time(text: str) -> int:
    """The time of day that a text says, in microseconds of UTC.

    Raises:
        ValueError: the text is no time of day with an offset.
    """
    found = parse_offset_time(text)
    return _microseconds(found, found.utcoffset())


def _microseconds(clock: time, offset: timedelta | None) -> int:
    of_day = timedelta(
        hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond
    )
    return (of_day - (offset or timedelta())) // timedelta(microseconds=1)
