"""The batch window of a trigger: many small events become one execution.

Documentation pages: ``docs/webhooks.md`` and ``docs/triggers.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from windhover.model.definition import Definition
from windhover.plugin.types import WrittenDuration
from windhover.util.byte_sizes import read_byte_size


def _byte_size(value: object) -> object:
    return read_byte_size(value) if isinstance(value, str) else value


class EventBatch(Definition):
    """When the events that were gathered become one execution: as soon as one of three limits is reached.

    An execution has at most `maxEvents` events, and no more than `maxBytes` of them unless a single event is
    larger. None waits longer than `maxDuration`.
    """

    max_events: Annotated[
        int, Field(ge=1, le=10_000, description="How many events one execution has at most.")
    ] = 1000
    max_bytes: Annotated[
        int,
        BeforeValidator(_byte_size),
        Field(
            ge=1,
            le=256 * 1024**2,
            description="How large its events may be together: bytes, or a size such as `512KB`.",
        ),
    ] = 4 * 1024**2
    max_duration: Annotated[
        WrittenDuration, Field(description="How long an event waits for others at most.")
    ] = timedelta(minutes=1)

    @model_validator(mode="after")
    def _check_duration(self) -> Self:
        if self.max_duration <= timedelta():
            raise ValueError("`maxDuration` must be longer than nothing")
        return self

    def is_full(self, events: int, size: int) -> bool:
        """Whether so many events, of so many bytes, wait for nothing more."""
        return events >= self.max_events or size >= self.max_bytes

    def cut(self, sizes: Sequence[int]) -> int:
        """How many of the events that wait, given by their sizes in order, the next execution has."""
        size = 0
        for number, each in enumerate(sizes[: self.max_events]):
            size += each
            if size > self.max_bytes and number:
                return number
        return min(len(sizes), self.max_events)
