"""What a Flow trigger waits for when one execution is not enough: several things within a window of time.

Documentation page: ``docs/flow-triggers.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta, tzinfo
from enum import Enum, auto

import msgspec

from windhover.model.execution import Label
from windhover.plugin.condition import ConditionContext


class Span(msgspec.Struct, frozen=True):
    """A stretch of time, with its start and without its end."""

    start: datetime
    end: datetime


#: The window that is open at an instant, or the next one if none is, in a time zone.
WindowAt = Callable[[datetime, tzinfo], Span]


class AfterFiring(Enum):
    """What becomes of what was gathered once it was complete."""

    #: All must happen anew.
    RESET = auto()
    #: Every further execution that meets a requirement completes it again, until the window ends.
    GO_ON = auto()
    #: Nothing more until the window ends.
    WAIT = auto()


class Gathering(msgspec.Struct, frozen=True):
    """Requirements that executions meet one by one, until ``needed`` of them are met.

    ``id`` is the name under which the server keeps what was met, and the keys of ``requirements`` say the
    same after an edit of the flow that does not change them. Without ``window_at`` what was met counts for
    ever, with ``lookback`` for so long. ``zone`` is that of the window, None for the server's. If there are
    ``miss_labels``, a window that ends without having been complete starts an execution that has failed,
    with these labels.
    """

    id: str
    requirements: Mapping[str, Callable[[ConditionContext], bool]]
    needed: int
    window_at: WindowAt | None = None
    lookback: timedelta | None = None
    after_firing: AfterFiring = AfterFiring.RESET
    zone: tzinfo | None = None
    miss_labels: tuple[Label, ...] | None = None


class Interest(msgspec.Struct, frozen=True):
    """Executions that a Flow trigger may react to: those of a flow, of a namespace, or all."""

    namespace: str | None = None
    flow_id: str | None = None


ALL_EXECUTIONS = Interest()


def repeating(instant: datetime, zone: tzinfo, length: timedelta, offset: timedelta) -> Span:
    """The window around an instant of those that follow one another.

    They begin at midnight for windows of days, at the full hour for windows of hours, and so on, moved by
    ``offset``.
    """
    local = instant.astimezone(zone)
    if length >= timedelta(days=1):
        start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    elif length >= timedelta(hours=1):
        start = local.replace(minute=0, second=0, microsecond=0)
    elif length >= timedelta(minutes=1):
        minutes = int(length.total_seconds() // 60)
        start = local.replace(minute=local.minute // minutes * minutes, second=0, microsecond=0)
    else:
        start = local.replace(second=0, microsecond=0)
    first = start.astimezone(instant.tzinfo) + offset
    first += (instant - first) // length * length
    return Span(first, first + length)


def daily(instant: datetime, zone: tzinfo, begin: time, end: time) -> Span:
    """The window of every day from one time to another that is open at an instant, or the next one.

    One whose end is not after its beginning goes on over midnight.
    """
    today = instant.astimezone(zone).date()
    span = None
    for days in (-1, 0, 1, 2):
        day = today + timedelta(days=days)
        last = day if end > begin else day + timedelta(days=1)
        span = Span(
            datetime.combine(day, begin, zone).astimezone(instant.tzinfo),
            datetime.combine(last, end, zone).astimezone(instant.tzinfo),
        )
        if span.end > instant:
            break
    assert span is not None
    return span
