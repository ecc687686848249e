"""Dates, times and instants as inputs write them: ISO-8601, read strictly.

A text that cannot be read is answered in the words authors know from the original:
``Text '2020' could not be parsed at index 4``. The index is where reading stopped.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

_DATE = re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})", re.ASCII)
_TIME = re.compile(
    r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{0,9}))?)?", re.ASCII
)
_OFFSET = re.compile(
    r"Z|z|(?P<sign>[+-])(?P<hours>\d{2}):(?P<minutes>\d{2})(?::(?P<seconds>\d{2}))?", re.ASCII
)

_MONTHS = (
    *("JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE"),
    *("JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER"),
)
_DATE_SHAPE = "dddd-dd-dd"
_TIME_SHAPE = "dd:dd"


def parse_date(text: str) -> date:
    """Read a date such as ``2042-12-03``.

    Raises:
        ValueError: the text is no such date; the message says where it went wrong.
    """
    found, end = _read_date(text, 0)
    _expect_end(text, end)
    return found


def parse_time(text: str) -> time:
    """Read a time of day such as ``10:15`` or ``10:15:30.250``; digits below the microsecond are dropped.

    Raises:
        ValueError: the text is no such time; the message says where it went wrong.
    """
    found, end = _read_time(text, 0)
    _expect_end(text, end)
    return found


def time_text(text: str) -> str:
    """Read a time of day and write it with its seconds, and all further digits, to the nanosecond.

    >>> time_text("10:15"), time_text("10:15:30.123456780")
    ('10:15:00', '10:15:30.12345678')

    Raises:
        ValueError: as :func:`parse_time`.
    """
    seconds = parse_time(text).isoformat(timespec="seconds")
    fraction = text.partition(".")[2].rstrip("0")
    return f"{seconds}.{fraction}" if fraction else seconds


def parse_instant(text: str) -> datetime:
    """Read a date and time with an offset (``Z``, ``+02:00``) and return it in UTC.

    Raises:
        ValueError: the text is no such instant; the message says where it went wrong.
    """
    day, end = _read_date(text, 0)
    if text[end : end + 1].upper() != "T":
        raise _stopped(text, end)
    clock_start = end + 1
    at_end_of_day = text.startswith("24:00:00", clock_start)
    readable = f"{text[:clock_start]}00{text[clock_start + 2 :]}" if at_end_of_day else text
    clock, end = _read_time(readable, clock_start)
    if end - clock_start < len("10:15:30"):
        raise _stopped(text, end)
    offset = _OFFSET.match(text, end)
    if offset is None:
        raise _stopped(text, end)
    _expect_end(text, offset.end())
    try:
        instant = datetime.combine(day, clock, _timezone(offset)).astimezone(UTC)
        return instant + timedelta(days=1) if at_end_of_day else instant
    except (ValueError, OverflowError) as error:
        raise ValueError(f"Text '{text}' could not be parsed: {error}") from None


def format_instant(instant: datetime) -> str:
    """Write an instant in UTC with six digits of a second: ``2024-01-02T01:04:05.000000Z``."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def format_instant_bound(instant: datetime) -> str:
    """Write an instant in UTC with the groups of three digits it needs: none, ``.500``, ``.000250``."""
    text = format_instant(instant).removesuffix("Z")
    for empty in ("000", "000", "."):
        text = text.removesuffix(empty)
    return text + "Z"


def format_time(clock: time) -> str:
    """Write a time of day without what is zero at its end: ``10:15``, ``10:15:30``, ``10:15:30.250``."""
    if clock.microsecond:
        return clock.isoformat(timespec="microseconds" if clock.microsecond % 1000 else "milliseconds")
    return clock.isoformat(timespec="seconds" if clock.second else "minutes")


def _read_date(text: str, start: int) -> tuple[date, int]:
    match = _DATE.match(text, start)
    if match is None:
        raise _stopped(text, _where_shape_breaks(text, start, _DATE_SHAPE))
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    _check_range(text, "MonthOfYear", month, 1, 12)
    _check_range(text, "DayOfMonth", day, 1, 31, "28/31")
    try:
        return date(year, month, day), match.end()
    except ValueError:
        if year:
            reason = f"Invalid date '{_MONTHS[month - 1]} {day}'"
        else:
            reason = "the year 0 is out of range"
        raise ValueError(f"Text '{text}' could not be parsed: {reason}") from None


def _read_time(text: str, start: int) -> tuple[time, int]:
    match = _TIME.match(text, start)
    if match is None:
        raise _stopped(text, _where_shape_breaks(text, start, _TIME_SHAPE))
    micros = int((match["fraction"] or "").ljust(6, "0")[:6])
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    _check_range(text, "HourOfDay", hour, 0, 23)
    _check_range(text, "MinuteOfHour", minute, 0, 59)
    _check_range(text, "SecondOfMinute", second, 0, 59)
    return time(hour, minute, second, micros), match.end()


def _check_range(text: str, name: str, value: int, least: int, most: int, shown: str | None = None) -> None:
    if not least <= value <= most:
        reason = f"Invalid value for {name} (valid values {least} - {shown or most}): {value}"
        raise ValueError(f"Text '{text}' could not be parsed: {reason}")


def _timezone(offset: re.Match[str]) -> timezone:
    if offset["sign"] is None:
        return UTC
    delta = timedelta(
        hours=int(offset["hours"]), minutes=int(offset["minutes"]), seconds=int(offset["seconds"] or 0)
    )
    return timezone(-delta if offset["sign"] == "-" else delta)


def _where_shape_breaks(text: str, start: int, shape: str) -> int:
    """The index of the number or separator at which ``text`` leaves ``shape`` (``d`` stands for a digit)."""
    group = start
    for offset, wanted in enumerate(shape):
        at = start + offset
        if wanted != "d":
            if text[at : at + 1] != wanted:
                return at
            group = at + 1
        elif not ("0" <= text[at : at + 1] <= "9"):
            return group
    return start + len(shape)


def _expect_end(text: str, end: int) -> None:
    if end != len(text):
        raise ValueError(f"Text '{text}' could not be parsed, unparsed text found at index {end}")


def _stopped(text: str, index: int) -> ValueError:
    return ValueError(f"Text '{text}' could not be parsed at index {index}")
