"""Types for the properties of plugins, beyond those that Python and pydantic have.

    class Wait(RunnableTask[None]):
        duration: Duration                  # PT5S in a flow, a timedelta in `run`
        until: DateTime | None = None       # 2024-05-01T10:00:00+02:00, a datetime with a zone
        level: Level = LogLevel.INFO        # INFO
        expr: Static[str]                   # taken literally, never rendered
        value: Typed[JsonValue]             # {{ 1 + 1 }} is the number 2

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from windhover.model.definition import DurationText, Text
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.problems import problems_of
from windhover.util.durations import format_duration, parse_duration, read_duration
from windhover.util.nearest import nearest


class StaticMarker(msgspec.Struct, frozen=True):
    """Marks a property in which expressions are not evaluated."""


class TypedMarker(msgspec.Struct, frozen=True):
    """Marks a property whose expressions keep the type of their value.

    ``text``: what is written without an expression around it is text, whatever it is.
    """

    text: bool = False


class DayOfWeek(StrEnum):
    """The days of the week, in their order."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


T = TypeVar("T")
#: ``level: Static[str]``: taken literally, never rendered, and checked when the flow is saved.
Static = Annotated[T, StaticMarker()]


#: ``value: Typed[JsonValue]``: a text that is one expression becomes the value of it, a number or a map too.
Typed = Annotated[T, TypedMarker()]

#: ``value: TypedText[JsonValue]``: as :data:`Typed`, but what is written out is text: a map is its JSON.
TypedText = Annotated[T, TypedMarker(text=True)]


def is_template(text: str) -> bool:
    """The text holds an expression or a tag, so that its value is known only when it is rendered."""
    return "{{" in text or "{%" in text


def _duration(value: object) -> object:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return read_duration(value)
    return _only(value, timedelta, "an ISO-8601 duration such as PT30S, PT5M or P1DT2H")


_ZONE = re.compile(r"\[(?P<zone>[^\]]+)\]$")
_OFFSET_TIME_EXAMPLE = "a time of day with an offset, such as 09:30:00+02:00 or 07:30:00Z"
_DATE_TIME_EXAMPLE = "a date and time with a zone, such as 2024-05-01T10:00:00Z"


def _date_time(value: object) -> object:
    if not isinstance(value, str):
        return _only(value, datetime, _DATE_TIME_EXAMPLE)
    return parse_date_time(value)


def parse_date_time(text: str) -> datetime:
    """The date that a text says, in the zone or offset that it is written with; UTC without one.

    Raises:
        ValueError: the text is no date.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    zone = _ZONE.search(text)
    try:
        instant = datetime.fromisoformat(text[: zone.start()] if zone else text)
        if zone is not None:
            instant = instant.astimezone(ZoneInfo(zone["zone"]))
    except (ValueError, ZoneInfoNotFoundError):
        raise ValueError(f"`{text}` is not {_DATE_TIME_EXAMPLE}") from None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _local_time(value: object) -> object:
    example = "a time of day such as 09:30:00"
    if not isinstance(value, str):
        return _only(value, time, example)
    return _time(value, example)


def _offset_time(value: object) -> object:
    if not isinstance(value, str):
        return _only(value, time, _OFFSET_TIME_EXAMPLE)
    return parse_offset_time(value)


def parse_offset_time(text: str) -> time:
    """The time of day that a text says, which must name its offset.

    Raises:
        ValueError: the text is no such time.
    """
    found = _time(text, _OFFSET_TIME_EXAMPLE)
    if found.tzinfo is None:
        raise ValueError(f"`{text}` is not {_OFFSET_TIME_EXAMPLE}")
    return found


def _time(value: str, example: str) -> time:
    try:
        return time.fromisoformat(value)
    except ValueError:
        raise ValueError(f"`{value}` is not {example}") from None


def _level(value: object) -> object:
    if isinstance(value, LogLevel):
        return value
    names = [level.name for level in LogLevel]
    if isinstance(value, str) and value in names:
        return LogLevel[value]
    near = nearest(value, names) if isinstance(value, str) else None
    hint = f"; did you mean {near}?" if near else ""
    raise ValueError(f"`{value}` is not a log level ({', '.join(names)}){hint}")


_OFFSET = re.compile(r"Z|(UTC|GMT|UT)?[+-]\d{1,2}(:?\d{2}){0,2}")


def _time_zone(value: object) -> object:
    if isinstance(value, str) and not _OFFSET.fullmatch(value):
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(value)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError(f"timezone '({value})' is not a valid time-zone ID") from None
    return value


def readable_as(annotation: Any) -> AfterValidator:
    """For text that is kept as written but must become a value of this type once it is rendered.

    Text without an expression is checked at once: ``Annotated[Text, readable_as(DateTime)]``.
    """
    adapters: list[TypeAdapter[Any]] = []  # made at the first text: most annotations never see one

    def check(text: str) -> str:
        if is_template(text):
            return text
        if not adapters:
            adapters.append(TypeAdapter(annotation))
        try:
            adapters[0].validate_python(text)
        except ValidationError as error:
            raise ValueError(str(problems_of(error, text)[0])) from None
        return text

    return AfterValidator(check)


def _only(value: object, wanted: type, example: str) -> object:
    if isinstance(value, wanted):
        return value
    raise ValueError(f"`{value}` is not {example}")


#: ``PT5M``: an ISO-8601 duration.
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "format": "duration"}),
]

#: ``2024-05-01T10:00:00Z``: an instant, UTC where no zone is given. ``…+02:00[Europe/Paris]`` is read too.
DateTime = Annotated[
    datetime,
    BeforeValidator(_date_time),
    PlainSerializer(lambda value: value.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

#: ``09:30:00``: a time of day.
LocalTime = Annotated[
    time,
    BeforeValidator(_local_time),
    PlainSerializer(lambda value: value.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "format": "partial-time"}),
]

#: ``09:30:00+02:00``: a time of day with an offset.
OffsetTime = Annotated[
    time,
    BeforeValidator(_offset_time),
    PlainSerializer(lambda value: value.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "format": "time"}),
]

#: ``INFO``: a log level by its name.
Level = Annotated[
    LogLevel,
    BeforeValidator(_level),
    PlainSerializer(lambda value: value.name, return_type=str),
    WithJsonSchema({"type": "string", "enum": [level.name for level in LogLevel]}),
]

#: ``Europe/Paris`` or ``+02:00``: the name of a time zone, or an offset.
TimeZone = Annotated[str, BeforeValidator(_time_zone)]

if TYPE_CHECKING:
    WrittenDuration = timedelta
else:
    #: A duration of a definition, written out in the flow. Bare numbers count seconds.
    WrittenDuration = Annotated[
        DurationText,
        AfterValidator(parse_duration),
        PlainSerializer(format_duration, return_type=str),
        WithJsonSchema({"type": "string", "format": "duration"}),
    ]

#: The name of a time zone, or an expression that gives it.
TimeZoneText = Annotated[Text, readable_as(TimeZone)]

#: Text that gives a :data:`DateTime` once it is rendered.
DateTimeText = Annotated[Text, readable_as(DateTime)]

#: Text that gives an :data:`OffsetTime` once it is rendered.
OffsetTimeText = Annotated[Text, readable_as(OffsetTime)]

#: Text that gives true or false once it is rendered.
BooleanText = Annotated[Text, readable_as(bool)]

#: Text that gives the name of a day of the week once it is rendered.
DayOfWeekText = Annotated[Text, readable_as(DayOfWeek)]

#: Text that gives the name of a state once it is rendered.
StateText = Annotated[Text, readable_as(StateType)]

#: States of executions: a list, or text that gives one once it is rendered.
StatesText = str | tuple[StateText, ...]
