"""What a round does first."""

from __future__ import annotations

from datetime import UTC, datetime

from windhover.engine.messages import Event, LogsWritten, TaskEnded, TaskStarted
from windhover.executor.event_order import failures_first
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _started(run: str, execution: str = "one") -> TaskStarted:
    return TaskStarted(execution, run, 1, "worker", NOW)


def _ended(run: str, state: StateType = StateType.SUCCESS, execution: str = "one") -> TaskEnded:
    return TaskEnded(execution, run, 1, "worker", NOW, state)


def _logged(run: str) -> LogsWritten:
    line = LogEntry("main", "company", "flow", "one", NOW, LogLevel.INFO, "hi", task_run_id=run)
    return LogsWritten("one", (line,))


def test_a_failure_comes_before_what_has_ended_well_with_all_that_was_told_of_its_attempt() -> None:
    items: list[Event] = [
        _started("good"),
        _ended("elsewhere", execution="other"),
        _started("bad"),
        _logged("good"),
        _ended("good"),
        _logged("bad"),
        LogsWritten("one"),
        _ended("bad", StateType.FAILED),
    ]
    good, bad = [items[0], items[3], items[4]], [items[2], items[5], items[7]]
    assert failures_first(items) == [bad[0], items[1], *bad[1:], *good[:2], items[6], good[2]]


def test_without_a_failure_the_order_stays() -> None:
    items: list[Event] = [_ended("a"), _started("b"), _ended("b", StateType.KILLED), LogsWritten("one")]
    assert failures_first(items) == items
    assert failures_first([]) == []
