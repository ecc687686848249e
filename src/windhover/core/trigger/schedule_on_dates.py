"""``io.kestra.plugin.core.trigger.ScheduleOnDates``."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field

from windhover.core.trigger.schedule import ScheduleOutput
from windhover.model.execution import JsonValue
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output
from windhover.plugin.trigger import Calendar, ScheduleTrigger
from windhover.plugin.types import DateTimeText, TimeZoneText, parse_date_time


@dataclass(frozen=True, slots=True)
class ListedDates:
    """Dates that are listed, in order and in UTC, told in a time zone."""

    dates: tuple[datetime, ...]
    zone: ZoneInfo

    def next_after(self, instant: datetime) -> datetime | None:
        position = bisect_right(self.dates, instant.astimezone(UTC))
        return self.dates[position].astimezone(self.zone) if position < len(self.dates) else None

    def previous_before(self, instant: datetime) -> datetime | None:
        position = bisect_left(self.dates, instant.astimezone(UTC))
        return self.dates[position - 1].astimezone(self.zone) if position else None


class ScheduleOnDates(ScheduleTrigger):
    """Start one execution at each of some dates."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.trigger.ScheduleOnDates"
    output: ClassVar[type[Output] | None] = ScheduleOutput
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Twice, on two days.",
            full=True,
            code="""\
id: launch
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: "It is {{ trigger.date }}"
triggers:
  - id: days
    type: io.kestra.plugin.core.trigger.ScheduleOnDates
    timezone: Europe/Paris
    dates:
      - "2030-01-01T09:00:00+01:00"
      - "2030-06-01T09:00:00+02:00"
""",
        ),
    )

    timezone: Annotated[
        TimeZoneText | None,
        Field(description="The time zone that `trigger.date` is told in; the server's when there is none."),
    ] = None
    dates: Annotated[
        str | tuple[DateTimeText, ...],
        Field(description="The dates, each with a zone; or an expression that gives a list of them."),
    ]

    def calendar(self, zone: str, render: Callable[[JsonValue], JsonValue]) -> Calendar:
        listed = render(self.dates if isinstance(self.dates, str) else list(self.dates))
        if not isinstance(listed, list | tuple):
            raise ValueError(f"`dates` must be a list of dates, and `{listed}` is none")
        told_in = ZoneInfo(str(render(self.timezone)) if self.timezone else zone)
        dates = {_date(value).replace(microsecond=0) for value in listed}
        return ListedDates(tuple(sorted(dates)), told_in)


def _date(value: JsonValue) -> datetime:
    date = value if isinstance(value, datetime) else parse_date_time(str(value))
    return date.astimezone(UTC)
