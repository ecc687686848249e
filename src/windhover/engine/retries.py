"""When a failed task run is tried again.

Documentation page: ``docs/retries.md``.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from windhover.engine.frame import Node
from windhover.engine.live import LiveExecution, ancestors
from windhover.model.execution import TaskRun
from windhover.model.retry import ConstantRetry, ExponentialRetry, RandomRetry, Retry
from windhover.model.state import StateType
from windhover.util.durations import parse_duration


def retry_of(live: LiveExecution, node: Node) -> Retry | None:
    """The retry that a task run is under: its task's own, else that of the nearest around it.

    What may fail is none of the business of those around it: its failure never reaches them.
    """
    if node.task.retry is not None or node.task.allow_failure:
        return node.task.retry
    for owner in ancestors(node):
        if owner.task.retry is not None:
            return owner.task.retry
    return live.flow.retry


def next_try(retry: Retry, record: TaskRun, now: datetime) -> datetime | None:
    """When the next attempt of a task run is due; None when no attempt is left.

    Attempts that a lost worker did not finish do not count.
    """
    finished = (a for a in record.attempts or () if a.state.current is not StateType.RESUBMITTED)
    first = next((attempt.state.start_date for attempt in finished), record.state.start_date)
    return _due(retry, max(1, record.tries), first, now, seed=record.id)


def next_execution(live: LiveExecution, retry: Retry, now: datetime) -> datetime | None:
    """When a new execution is due in the place of a failed one; None when no attempt is left."""
    metadata = live.record.metadata
    return _due(retry, metadata.attempt_number, metadata.original_created_date, now, seed=live.record.id)


def _due(retry: Retry, attempts: int, first: datetime, now: datetime, *, seed: str) -> datetime | None:
    if retry.max_attempts is not None and attempts >= retry.max_attempts:
        return None
    due = now + _delay(retry, attempts, seed)
    if retry.max_duration is not None and due > first + parse_duration(retry.max_duration):
        return None
    return due


def _delay(retry: Retry, attempts: int, seed: str) -> timedelta:
    match retry:
        case ConstantRetry():
            return parse_duration(retry.interval)
        case ExponentialRetry():
            longest = parse_duration(retry.max_interval)
            # Far beyond any interval that fits: keeps the power within what a float can say.
            if attempts > 64:
                return longest
            return min(parse_duration(retry.interval) * retry.delay_factor ** (attempts - 1), longest)
        case RandomRetry():
            low, high = parse_duration(retry.min_interval), parse_duration(retry.max_interval)
            return low + (high - low) * _fraction(f"{seed}:{attempts}")


def _fraction(seed: str) -> float:
    """A number from 0 to 1 that looks random and is the same each time for the same try."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 2**48
