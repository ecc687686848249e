"""Instants as the API writes them: UTC, six digits, ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

#: An instant in the API's JSON. It is text already, because msgspec leaves out digits that are zero.
Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


def instant(date: datetime) -> str:
    """Write an instant; it must know its time zone."""
    if date.tzinfo is not UTC:
        date = date.astimezone(UTC)
    return date.isoformat(timespec="microseconds")[:26] + "Z"


def optional_instant(date: datetime | None) -> str | None:
    return None if date is None else instant(date)


def read_instant(text: str) -> datetime:
    """Read an instant or a date of a query; without a zone it is UTC, and `` `` stands for a lost ``+``.

    Raises:
        ValueError: the text is neither.
    """
    date = datetime.fromisoformat(text.strip().replace(" ", "+", 1) if "T" in text else text.strip())
    return (date.replace(tzinfo=UTC) if date.tzinfo is None else date).astimezone(UTC)
