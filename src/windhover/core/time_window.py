"""The time window in which conditions over several executions must all come true."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from windhover.model.definition import Definition
from windhover.plugin.gathering import Span, daily, repeating
from windhover.plugin.types import LocalTime, WrittenDuration


class TimeWindowType(StrEnum):
    """How a window begins and ends."""

    DAILY_TIME_DEADLINE = "DAILY_TIME_DEADLINE"
    DAILY_TIME_WINDOW = "DAILY_TIME_WINDOW"
    DURATION_WINDOW = "DURATION_WINDOW"
    SLIDING_WINDOW = "SLIDING_WINDOW"


#: The properties that each type needs, and those that it may have besides.
_PROPERTIES: dict[TimeWindowType, tuple[tuple[str, ...], tuple[str, ...]]] = {
    TimeWindowType.DAILY_TIME_DEADLINE: (("deadline",), ()),
    TimeWindowType.DAILY_TIME_WINDOW: (("start_time", "end_time"), ()),
    TimeWindowType.DURATION_WINDOW: ((), ("window", "window_advance")),
    TimeWindowType.SLIDING_WINDOW: (("window",), ()),
}


class TimeWindow(Definition):
    """A window of time.

    `DURATION_WINDOW` repeats every `window` (a day), moved by `windowAdvance`; `SLIDING_WINDOW` begins
    with its first execution and lasts for `window`; `DAILY_TIME_DEADLINE` lasts from midnight to `deadline`;
    `DAILY_TIME_WINDOW` from `startTime` to `endTime`.
    """

    type: TimeWindowType = TimeWindowType.DURATION_WINDOW
    deadline: LocalTime | None = None
    window: WrittenDuration | None = None
    window_advance: WrittenDuration | None = None
    start_time: LocalTime | None = None
    end_time: LocalTime | None = None

    @model_validator(mode="after")
    def _check_properties(self) -> Self:
        needed, allowed = _PROPERTIES[self.type]
        for name, info in TimeWindow.model_fields.items():
            if name == "type":
                continue
            is_set = getattr(self, name) is not None
            if is_set and name not in needed + allowed:
                raise ValueError(f"`{info.alias}` cannot be set for a time window of type {self.type}")
            if not is_set and name in needed:
                raise ValueError(f"`{info.alias}` must be set for a time window of type {self.type}")
        if self.length <= timedelta():
            raise ValueError("`window` must be longer than nothing")
        return self

    @property
    def length(self) -> timedelta:
        """The length of a duration window or a sliding window."""
        return self.window if self.window is not None else timedelta(days=1)

    def open_or_next(self, instant: datetime, zone: tzinfo) -> Span:
        """The window that is open at an instant, or the next one."""
        match self.type:
            case TimeWindowType.DURATION_WINDOW:
                return repeating(instant, zone, self.length, self.window_advance or timedelta())
            case TimeWindowType.SLIDING_WINDOW:
                return Span(instant, instant + self.length)
            case TimeWindowType.DAILY_TIME_DEADLINE:
                return daily(instant, zone, time.min, _set(self.deadline))
            case TimeWindowType.DAILY_TIME_WINDOW:
                return daily(instant, zone, _set(self.start_time), _set(self.end_time))


def _set(value: time | None) -> time:
    assert value is not None, "checked when the flow was read"
    return value
