"""``io.kestra.plugin.core.trigger.ScheduleOnDates``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.trigger.schedule import ScheduleOutput
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output
from windhover.plugin.trigger import ScheduleTrigger
from windhover.plugin.types import DateTimeText, TimeZoneText


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
