"""ISO-8601 durations as the flow language writes them: ``PT0.5S``, ``P1DT2H``.

Days are the largest unit (24 hours); weeks, months and years have no fixed length and are refused.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_ISO = re.compile(
    r"(?P<sign>[-+])?P(?:(?P<days>[-+]?\d+)D)?"
    r"(?P<time>T(?=[-+\d])(?:(?P<hours>[-+]?\d+)H)?(?:(?P<minutes>[-+]?\d+)M)?(?:(?P<seconds>[-+]?\d+(?:[.,]\d{0,9})?)S)?)?",
    re.IGNORECASE,
)
_SECONDS = re.compile(r"[-+]?\d+(?:\.\d+)?")


def parse_duration(text: str) -> timedelta:
    """Read an ISO-8601 duration, to the microsecond.

    Raises:
        ValueError: the text is no such duration; the message says what one looks like.
    """
    whole, seconds = _read_parts(text)
    return timedelta(seconds=whole) + timedelta(seconds=float(seconds))


def parse_seconds(text: str) -> float:
    """Read an ISO-8601 duration as a number of seconds, to the nanosecond.

    >>> parse_seconds("PT1M1.123456789S")
    61.123456789

    Raises:
        ValueError: the text is no such duration; the message says what one looks like.
    """
    whole, seconds = _read_parts(text)
    return float(whole + seconds)


def _read_parts(text: str) -> tuple[int, Decimal]:
    """The days, hours and minutes of a duration, as seconds, and its seconds."""
    match = _ISO.fullmatch(text.strip())
    if match is None or not any(match[part] for part in ("days", "hours", "minutes", "seconds")):
        raise ValueError(f"`{text}` is not an ISO-8601 duration such as PT30S, PT5M or P1DT2H")
    days, hours, minutes = (int(match[part] or 0) for part in ("days", "hours", "minutes"))
    whole = ((days * 24 + hours) * 60 + minutes) * 60
    seconds = Decimal((match["seconds"] or "0").replace(",", "."))
    return (-whole, -seconds) if match["sign"] == "-" else (whole, seconds)


def read_duration(value: object) -> timedelta:
    """Read what an expression gave for a duration: ISO-8601 text, or a number of seconds.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    try:
        return timedelta(seconds=float(text)) if _SECONDS.fullmatch(text) else parse_duration(text)
    except OverflowError:
        raise ValueError(f"`{text}` is too long a duration") from None


def read_time_limit(text: str) -> timedelta | None:
    """The time limit that a rendered ``timeout`` says; None if it is empty.

    Raises:
        ValueError: it is no duration, or none that can pass.
    """
    if not text.strip():
        return None
    try:
        limit = read_duration(text)
    except ValueError as error:
        raise ValueError(f"`timeout`: {error}") from None
    if limit <= timedelta():
        raise ValueError(f"`timeout` must be more than 0, not `{text}`")
    return limit


def format_duration(duration: timedelta) -> str:
    """Write a duration in ISO-8601, hours as the largest unit, as Java's ``Duration`` prints it."""
    total = round(duration.total_seconds() * 1_000_000)
    if total == 0:
        return "PT0S"
    sign = "-" if total < 0 else ""
    seconds, micros = divmod(abs(total), 1_000_000)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    text = f"PT{sign}{hours}H" if hours else "PT"
    if minutes:
        text += f"{sign}{minutes}M"
    if seconds or micros:
        fraction = f".{micros:06d}".rstrip("0") if micros else ""
        text += f"{sign}{seconds}{fraction}S"
    return text


def format_clock(duration: timedelta) -> str:
    """Write a duration as ``HH:MM:SS.mmm``, the form log lines about time limits use."""
    millis = round(duration.total_seconds() * 1000)
    seconds, millis = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{millis:03d}"
