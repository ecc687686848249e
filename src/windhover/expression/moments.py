"""Dates as the language reads them: zoned, with nanoseconds, from texts, epochs and date objects."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from windhover.expression.errors import EvaluationError

_ISO = re.compile(
    r"(?P<year>[+-]?\d{4,9})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.](?P<fraction>\d{0,9}))?)?)?"
    r"(?P<offset>Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?(?:\[(?P<zone>[^\]]+)\])?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d\d)(?::?(\d\d))?)?")
NANOS = 1_000_000_000


class Moment(msgspec.Struct, frozen=True):
    """A date and time in a zone; ``nano`` is the whole fraction of its second (0 to 999,999,999)."""

    clock: datetime
    """Aware, without microseconds."""
    nano: int = 0

    @classmethod
    def of(cls, value: datetime) -> Moment:
        """From an aware datetime."""
        return cls(value.replace(microsecond=0), value.microsecond * 1000)

    @property
    def epoch_seconds(self) -> int:
        return int((self.clock - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())

    @property
    def zone_name(self) -> str:
        """Name of the zone, or its offset if it has none."""
        return zone_name(self.clock)

    def in_zone(self, zone: tzinfo) -> Moment:
        """The same instant in another zone."""
        try:
            return Moment(self.clock.astimezone(zone), self.nano)
        except OverflowError:
            raise EvaluationError("The date is out of range") from None


def zone_name(clock: datetime) -> str:
    """``Europe/Paris``, ``Z`` or ``+02:00``."""
    key = getattr(clock.tzinfo, "key", None)
    if key is not None:
        return str(key)
    return offset_text(clock, "+HH:MM", "Z")


def offset_text(clock: datetime, pattern: str = "+HH:MM", zero: str = "Z") -> str:
    """The zone's offset; ``pattern`` is one of +HH, +HHmm, +HHMM, +HH:MM and +HH:MM:ss as in Java."""
    offset = clock.utcoffset() or timedelta()
    seconds = int(offset.total_seconds())
    if seconds == 0 and zero is not None and zero != "":
        return zero
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    if pattern == "+HHmm":
        return f"{sign}{hours:02}" + (f"{minutes:02}" if minutes else "")
    if pattern == "+HHMM":
        return f"{sign}{hours:02}{minutes:02}"
    if pattern == "+HHMMss":
        return f"{sign}{hours:02}{minutes:02}" + (f"{seconds:02}" if seconds else "")
    text = f"{sign}{hours:02}:{minutes:02}"
    return text + f":{seconds:02}" if pattern == "+HH:MM:ss" and seconds else text


@lru_cache(maxsize=512)
def zone_of(name: str) -> tzinfo:
    """The time zone with a name or offset, as Java's ZoneId reads it. Raises EvaluationError."""
    if name in ("Z", "UTC", "GMT", "UT"):
        return UTC if name == "Z" else ZoneInfo("UTC" if name == "UT" else name)
    for prefix in ("UTC", "GMT", "UT"):
        if name.startswith(prefix) and _OFFSET.fullmatch(name[len(prefix) :]):
            name = name[len(prefix) :]
    if match := _OFFSET.fullmatch(name):
        return _fixed(match)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise EvaluationError(f"Unknown time-zone ID: {name}") from None


def _fixed(match: re.Match[str]) -> tzinfo:
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60 + int(match[4] or 0)
    if seconds > 18 * 3600:
        raise EvaluationError(f"Zone offset not in valid range: {match[0]}")
    if seconds == 0:
        return UTC
    return timezone(timedelta(seconds=-seconds if match[1] == "-" else seconds))


def from_epoch(number: int, zone: tzinfo) -> Moment:
    """Epoch seconds; a number of 13 digits is milliseconds, one of 19 nanoseconds."""
    digits = len(str(abs(number)))
    scale = NANOS if digits == 19 else 1000 if digits == 13 else 1
    seconds, rest = divmod(number, scale)
    try:
        clock = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        return Moment(clock.astimezone(zone), rest * (NANOS // scale))
    except OverflowError:
        raise EvaluationError(f"{number} is not a date: it is out of range") from None


def from_date(value: date, zone: tzinfo) -> Moment:
    """A date or datetime object; without a zone of its own it is in ``zone``."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return Moment.of(value if value.tzinfo is not None else value.replace(tzinfo=zone))


def parse_iso(text: str, zone: tzinfo) -> Moment:
    """A date in ISO 8601, with or without time, offset and ``[zone]``; what is missing is ``zone``, midnight.

    Raises EvaluationError.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise EvaluationError(f"Text '{text}' could not be parsed as a date")
    try:
        clock = datetime(
            int(match["year"]),
            int(match["month"]),
            int(match["day"]),
            int(match["hour"] or 0),
            int(match["minute"] or 0),
            int(match["second"] or 0),
        )
    except ValueError as error:
        raise EvaluationError(f"Text '{text}' could not be parsed as a date: {error}") from None
    nano = int((match["fraction"] or "").ljust(9, "0"))
    offset, named = match["offset"], match["zone"]
    if offset is None:
        return Moment(clock.replace(tzinfo=zone), nano)
    at_offset = clock.replace(tzinfo=zone_of(offset.upper() if offset in "zZ" else offset))
    if named:
        return Moment(at_offset.astimezone(zone_of(named)), nano)
    return Moment(at_offset, nano)
