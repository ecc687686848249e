"""Which dates of a schedule are run now, which are passed over, and which comes next: pure rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from windhover.engine.schedule_dates import Dates, Slot
from windhover.plugin.condition import ConditionError
from windhover.plugin.trigger import RecoverMissedSchedules

#: A date that is looked at this late was missed, whether or not a scheduler ran all the time.
TOLERANCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a schedule treats dates that were not run in time.

    ``watching_since`` is when the scheduler that looks began to; dates of before are missed.
    """

    recover: RecoverMissedSchedules
    late_maximum: timedelta | None
    allow_concurrent: bool
    watching_since: datetime
    #: Dates run, or asked about, in one look, at most; the rest follows at once.
    at_once: int = 100


@dataclass(frozen=True, slots=True)
class Decision:
    """``slots`` are run now, in order. ``skipped`` tells ranges of dates (first, last) that never will be."""

    slots: list[Slot] = field(default_factory=list)
    next_date: datetime | None = None
    skipped: list[tuple[datetime, datetime, str]] = field(default_factory=list)


def decide(dates: Dates, pending: datetime | None, now: datetime, rules: Rules) -> Decision:
    """What to do at ``now`` with a schedule whose next date is ``pending``.

    Raises:
        windhover.plugin.condition.ConditionError: it cannot be told whether a date that is due runs.
    """
    skipped: list[tuple[datetime, datetime, str]] = []
    if pending is not None and pending <= now and rules.late_maximum is not None:
        pending = _pass_over(dates, pending, now - rules.late_maximum, skipped, "later than allowed")
    if pending is not None and pending <= now and rules.recover is not RecoverMissedSchedules.ALL:
        pending = _recover(dates, pending, now, rules, skipped)
    slots: list[Slot] = []
    most = rules.at_once if rules.allow_concurrent else 1
    asked = 0
    while pending is not None and pending <= now and len(slots) < most and asked < rules.at_once:
        slot = dates.slot(pending)
        try:
            runs = dates.runs(slot)
        except ConditionError:
            if slots:
                break  # They run, and the next look begins with this date.
            raise
        if runs:
            slots.append(slot)
        asked += 1
        pending = dates.next_after(pending)
    return Decision(slots, pending, skipped)


def _recover(
    dates: Dates,
    pending: datetime,
    now: datetime,
    rules: Rules,
    skipped: list[tuple[datetime, datetime, str]],
) -> datetime | None:
    """Pass over dates that were missed: all of them, or all but the last."""
    in_time = max(rules.watching_since, now - TOLERANCE)
    if pending >= in_time:
        return pending
    if rules.recover is RecoverMissedSchedules.NONE:
        return _pass_over(dates, pending, in_time, skipped, "missed")
    last = dates.previous_before(in_time)
    if last is None or last <= pending:
        return pending
    return _pass_over(dates, pending, last, skipped, "missed")


def _pass_over(
    dates: Dates,
    pending: datetime,
    until: datetime,
    skipped: list[tuple[datetime, datetime, str]],
    reason: str,
) -> datetime | None:
    """Skip dates of before ``until``; returns the first that is left."""
    if pending >= until:
        return pending
    last = dates.previous_before(until) or pending
    skipped.append((pending, max(last, pending), reason))
    return dates.next_after(max(last, pending))
