"""The kinds of values that settings hold, parsed from text as Micronaut writes them."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

_SHORT_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|d|w)", re.IGNORECASE)
_ISO_DURATION = re.compile(
    r"([-+])?P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_UNIT_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0,
}  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_SIZE_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_duration(text: str) -> timedelta:
    """``PT5M`` (ISO-8601), or a number and a unit: ``25ms``, ``10s``, ``5m``, ``1h``, ``7d``, ``2w``.

    Raises:
        ValueError: neither form; a number without a unit is refused because its unit would be a guess.
    """
    stripped = text.strip()
    if stripped == "0":
        return timedelta(0)
    short = _SHORT_DURATION.fullmatch(stripped)
    if short is not None:
        return timedelta(seconds=float(short[1]) * _UNIT_SECONDS[short[2].lower()])
    iso = _ISO_DURATION.fullmatch(stripped)
    if iso is None or not any(iso.groups()[1:]):
        raise ValueError("expected a duration such as 500ms, 10s, 5m, 7d or PT5M")
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in iso.groups()[1:])
    duration = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -duration if iso[1] == "-" else duration


def parse_size(text: str) -> int:
    """Bytes of ``1048576``, ``512KB``, ``10MB`` or ``10GB``; units are powers of 1024, as in Micronaut.

    Raises:
        ValueError: not a size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a size such as 1048576, 512KB, 10MB or 10GB")
    return int(float(match[1]) * _SIZE_FACTORS[match[2].lower()])


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _milliseconds(value: object) -> object:
    if isinstance(value, str) and value.strip().isdigit():
        return timedelta(milliseconds=int(value))
    return _duration(value)


def _size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


def _texts(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list):
        return tuple(item if isinstance(item, list | Mapping) else str(item) for item in value)
    return value


def _joined(value: object) -> object:
    if isinstance(value, list):
        return "\n".join(str(item) for item in value)
    return value


def _path(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.strip().upper().replace("-", "_") if isinstance(value, str) else value


class ValueKind:
    """Marks an annotated type with the words that documentation and error messages use for it."""

    def __init__(self, name: str, expected: str) -> None:
        self.name = name
        self.expected = expected


_DURATION = ValueKind("duration", "a duration such as 500ms, 10s, 5m, 7d or PT5M")

Duration = Annotated[timedelta, BeforeValidator(_duration), _DURATION]
"""A span of time; a bare number is refused."""

Milliseconds = Annotated[
    timedelta,
    BeforeValidator(_milliseconds),
    ValueKind("milliseconds or duration", "milliseconds as a whole number, or a duration such as 30s"),
]
"""A span of time whose bare number means milliseconds, as the connection pool's settings are written."""

ByteSize = Annotated[
    int, BeforeValidator(_size), ValueKind("size", "a size such as 1048576, 512KB, 10MB or 10GB")
]
"""A number of bytes."""

TextList = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    ValueKind("list of text", "a list, in YAML or comma separated"),
]

Lines = Annotated[str, BeforeValidator(_joined), ValueKind("text", "text, or a list of lines")]
"""Text that may also be written as a list of lines."""

FilePath = Annotated[Path, BeforeValidator(_path), ValueKind("path", "a path")]
"""A path of the file system; a leading ``~`` is the user's home."""

UpperCase = BeforeValidator(_upper)
"""For enumerations written in any case, with hyphens or underscores."""
