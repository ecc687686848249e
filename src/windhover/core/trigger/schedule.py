"""``io.kestra.plugin.core.trigger.Schedule``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from windhover.core.cron import CronExpression, parse_cron
from windhover.model.definition import Text
from windhover.model.execution import JsonValue
from windhover.plugin.documentation import Example
from windhover.plugin.nesting import ConditionList
from windhover.plugin.task import Output
from windhover.plugin.trigger import Calendar, ScheduleTrigger
from windhover.plugin.types import DateTime, Static

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class ScheduleOutput(Output):
    """The variable ``trigger`` of an execution that a schedule started."""

    date: Annotated[DateTime, Field(description="The date of the schedule.")]
    next: Annotated[DateTime, Field(description="The date after it.")]
    previous: Annotated[DateTime, Field(description="The date before it.")]


@dataclass(frozen=True, slots=True)
class CronCalendar:
    """The dates of a cron expression in a time zone."""

    cron: CronExpression
    zone: ZoneInfo

    def next_after(self, instant: datetime) -> datetime | None:
        return self.cron.next_after(instant, self.zone)

    def previous_before(self, instant: datetime) -> datetime | None:
        return self.cron.previous_before(instant, self.zone)


class Schedule(ScheduleTrigger):
    """Start executions at the dates of a cron expression."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.trigger.Schedule"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.models.triggers.types.Schedule",)
    output: ClassVar[type[Output] | None] = ScheduleOutput
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Every weekday at nine in Paris.",
            full=True,
            code="""\
id: weekdays
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: "It is {{ trigger.date }}"
triggers:
  - id: nine
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 9 * * MON-FRI"
    timezone: Europe/Paris
""",
        ),
    )

    cron: Annotated[
        Static[Text],
        Field(
            description="The dates: minute, hour, day of month, month and day of week, or a nickname such as"
            " `@daily`."
        ),
    ]
    with_seconds: Annotated[bool, Field(description="The expression has six fields, the seconds first.")] = (
        False
    )
    schedule_conditions: Annotated[
        ConditionList, Field(deprecated=True, description="More conditions; write them in `conditions`.")
    ] = ()
    backfill: Annotated[
        Static[dict[str, JsonValue] | None],
        Field(deprecated=True, description="Without effect; backfills are started through the API."),
    ] = None

    @model_validator(mode="after")
    def _check_cron(self) -> Self:
        try:
            self.expression()
        except ValueError as error:
            raise PydanticCustomError(
                "cron",
                "invalid cron expression '{cron}': {reason}",
                {"cron": self.cron, "reason": str(error)},
            ) from None
        return self

    @property
    def all_conditions(self) -> tuple[BaseModel, ...]:
        # Read past the attribute, which warns whoever reads it that it is deprecated.
        return (*self.conditions, *self.__dict__["schedule_conditions"])

    def calendar(self, zone: str, render: Callable[[JsonValue], JsonValue]) -> Calendar:
        return CronCalendar(self.expression(), ZoneInfo(self.timezone or zone))

    def expression(self) -> CronExpression:
        """The dates that ``cron`` names."""
        return _expression(self.cron, self.with_seconds)


@cache
def _expression(cron: str, with_seconds: bool) -> CronExpression:
    expression = parse_cron(cron, with_seconds=with_seconds)
    if expression.next_after(_LONG_AGO, UTC) is None:
        raise ValueError("no date ever matches it")
    return expression
