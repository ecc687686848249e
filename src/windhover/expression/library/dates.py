"""Filters and functions of dates and times."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo

from windhover.expression.date_patterns import format_moment, parse_moment
from windhover.expression.errors import EvaluationError
from windhover.expression.moments import NANOS, Moment, from_date, from_epoch, parse_iso, zone_of
from windhover.expression.registry import Example, filter_, function
from windhover.expression.scope import Frame
from windhover.expression.values import JavaLong, is_integer, is_number, to_string

_NAMES = ("format", "timeZone", "existingFormat", "locale")


def _text(value: object, argument: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise EvaluationError(f"A date filter expects an argument '{argument}' with type string.")
    return value


def _zone(frame: Frame, time_zone: object) -> tzinfo:
    return zone_of(_text(time_zone, "timeZone") or frame.scope.zone)


def to_moment(
    value: object, zone: tzinfo, existing_format: object = None, locale: str | None = None
) -> Moment:
    """A value as a moment: a date, a text in ISO 8601 or the given format, or a number since the epoch."""
    if isinstance(value, date):
        return from_date(value, zone)
    if is_integer(value):
        return from_epoch(value, zone)
    if isinstance(value, str):
        pattern = _text(existing_format, "existingFormat")
        if pattern is not None:
            return parse_moment(value, pattern, zone, locale)
        return parse_iso(value, zone)
    raise EvaluationError(f"The value '{to_string(value)}' is not a date")


@filter_(
    "date",
    "A date in a format: a name (`iso`, `sql`, `iso_sec`, `iso_local_date`, ..) or a Java pattern. Texts are "
    "read in ISO 8601 unless `existingFormat` says otherwise; an integer counts seconds, milliseconds "
    "(13 digits) or nanoseconds (19 digits) since 1970.",
    Example(
        '{{ "2024-05-06T07:08:09Z" | date("yyyy-MM-dd HH:mm", timeZone="Asia/Tokyo") }}', "2024-05-06 16:08"
    ),
    Example('{{ "July 24, 2001" | date("yyyy-MM-dd", existingFormat="MMMM dd, yyyy") }}', "2001-07-24"),
    Example("{{ 1378653552 | date }}", "2013-09-08T15:19:12.000000Z"),
    needs_frame=True,
)
def date_filter(
    frame: Frame,
    value: object,
    format_: object = None,
    time_zone: object = None,
    existing_format: object = None,
    locale: object = None,
) -> str:
    zone, language = _zone(frame, time_zone), _text(locale, "locale")
    moment = to_moment(value, zone, existing_format, language).in_zone(zone)
    return format_moment(moment, _format(format_), language)


def _format(format_: object) -> str:
    return "iso" if format_ is None else _text(format_, "format") or ""


_UNITS: dict[str, int] = {
    "NANOS": 1,
    "MICROS": 1000,
    "MILLIS": 1_000_000,
    "SECONDS": NANOS,
    "MINUTES": 60 * NANOS,
    "HOURS": 3600 * NANOS,
    "HALF_DAYS": 12 * 3600 * NANOS,
}
_DAYS = {"DAYS": 1, "WEEKS": 7}
_MONTHS = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1200, "MILLENNIA": 12000}


def _shift(moment: Moment, amount: int, unit: str) -> Moment:
    """Moves a moment: hours and less along the time line, days and more on the calendar."""
    clock = moment.clock
    try:
        if unit in _UNITS:
            total = moment.nano + amount * _UNITS[unit]
            seconds, nano = divmod(total, NANOS)
            moved = (clock.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(clock.tzinfo)
            return Moment(moved, nano)
        if unit in _DAYS:
            return Moment(clock + timedelta(days=amount * _DAYS[unit]), moment.nano)
        if unit in _MONTHS:
            year, month = divmod(clock.year * 12 + clock.month - 1 + amount * _MONTHS[unit], 12)
            day = min(clock.day, calendar.monthrange(year, month + 1)[1])
            return Moment(clock.replace(year=year, month=month + 1, day=day), moment.nano)
    except (OverflowError, ValueError):
        raise EvaluationError(f"The date is out of range after adding {amount} {unit}") from None
    raise EvaluationError(f"No enum constant java.time.temporal.ChronoUnit.{unit}")


def _amount(value: object) -> int:
    if is_integer(value):
        return value
    if is_number(value):
        return int(value)
    try:
        return int(value) if isinstance(value, str) else _amount_refused()
    except ValueError:
        return _amount_refused()


def _amount_refused() -> int:
    raise EvaluationError("The 'dateAdd' filter expects an integer as argument 'amount'.")


@filter_(
    "dateAdd",
    "A date moved by an amount of a unit (`DAYS`, `HOURS`, `MONTHS`, .., as Java names them), in a format as "
    "with `date`.",
    Example('{{ "2024-01-31T00:00:00Z" | dateAdd(1, "MONTHS") }}', "2024-02-29T00:00:00.000000Z"),
    Example('{{ "2024-01-01" | dateAdd(-1, "DAYS", "yyyy-MM-dd") }}', "2023-12-31"),
    needs_frame=True,
)
def date_add(
    frame: Frame,
    value: object,
    amount: object,
    unit: object,
    format_: object = None,
    time_zone: object = None,
    existing_format: object = None,
    locale: object = None,
) -> str:
    if not isinstance(unit, str):
        raise EvaluationError("The 'dateAdd' filter expects an argument 'unit' with type string.")
    zone, language = _zone(frame, time_zone), _text(locale, "locale")
    moment = _shift(to_moment(value, zone, existing_format, language), _amount(amount), unit).in_zone(zone)
    return format_moment(moment, _format(format_), language)


def _timestamp(name: str, summary: str, example: str, count: Callable[[Moment], int | str]) -> None:
    @filter_(
        name,
        f"{summary} from 1970 to a date.",
        Example(f'{{{{ "2013-09-08T16:19:12.123456+01:00" | {name} }}}}', example),
        needs_frame=True,
    )
    def timestamp(
        frame: Frame, value: object, time_zone: object = None, existing_format: object = None
    ) -> int | str:
        return count(to_moment(value, _zone(frame, time_zone), existing_format))


def _nanoseconds(moment: Moment) -> int:
    return moment.epoch_seconds * NANOS + moment.nano


_timestamp("timestamp", "Seconds", "1378653552", lambda moment: JavaLong(moment.epoch_seconds))
_timestamp(
    "timestampMilli",
    "Milliseconds",
    "1378653552123",
    lambda moment: JavaLong(_nanoseconds(moment) // 1_000_000),
)
_timestamp(
    "timestampMicro",
    "Microseconds, as a text,",
    "1378653552123456",
    lambda moment: str(_nanoseconds(moment) // 1000),
)
_timestamp(
    "timestampNano",
    "Nanoseconds, as a text,",
    "1378653552123456000",
    lambda moment: str(_nanoseconds(moment)),
)


@function(
    "now",
    "The current date and time, as a text in a format as with `date`.",
    Example("{{ now() }}"),
    Example('{{ now(format="yyyy-MM-dd", timeZone="Europe/Paris") }}'),
    needs_frame=True,
)
def now(
    frame: Frame,
    format_: object = None,
    time_zone: object = None,
    existing_format: object = None,
    locale: object = None,
) -> str:
    moment = Moment.of(_aware(frame.scope.clock())).in_zone(_zone(frame, time_zone))
    return format_moment(moment, _format(format_), _text(locale, "locale"))


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
