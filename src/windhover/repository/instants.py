"""Instants and durations as the tables hold them: whole microseconds, from 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def to_micros(instant: datetime) -> int: ...
@overload
def to_micros(instant: None) -> None: ...
def to_micros(instant: datetime | None) -> int | None:
    """The number that stands for an instant. It must know its time zone."""
    return None if instant is None else (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant (UTC) that a number stands for."""
    return _EPOCH + timedelta(microseconds=micros)


def duration_micros(duration: timedelta) -> int:
    """The number that stands for a duration."""
    return duration // _MICROSECOND
