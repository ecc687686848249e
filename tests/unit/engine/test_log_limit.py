"""The log of an execution has an end, and says so."""

from __future__ import annotations

from datetime import UTC, datetime

from windhover.engine.creation import new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.live import LiveExecution
from windhover.engine.recorder import Recorder
from windhover.model.log import LogEntry, LogLevel
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry

NOW = datetime(2024, 5, 1, tzinfo=UTC)
FLOW = """
id: talking
namespace: test
tasks:
  - {id: t, type: io.kestra.plugin.core.log.Log, message: x}
"""
FULL = "The log is full (limit of an execution: 5 lines); further lines are dropped."


def recorder(lines: int) -> Recorder:
    """A step of an execution that has so many lines already."""
    flow = parse_flow(FLOW, shared_registry()).flow.with_revision(1, tenant_id="main", updated=NOW)
    live = LiveExecution(flow, new_execution(flow, {}, "execution", NOW), lines)
    return Recorder(live, NOW, EngineEnvironment(max_log_lines=5))


def line(message: str) -> LogEntry:
    return LogEntry("main", "test", "talking", "execution", NOW, LogLevel.INFO, message)


def written(step: Recorder) -> list[tuple[int, str]]:
    return [(entry.sequence, entry.message) for entry in step.effects.logs]


def test_lines_beyond_the_limit_are_dropped_and_the_last_line_says_so() -> None:
    step = recorder(0)
    step.accept_logs([line(str(number)) for number in range(3)])
    step.accept_logs([line(str(number)) for number in range(3, 9)])
    step.accept_logs([line("more")])
    assert written(step) == [(1, "0"), (2, "1"), (3, "2"), (4, "3"), (5, FULL)]


def test_the_engine_still_says_what_becomes_of_the_execution() -> None:
    step = recorder(4)
    step.log(LogLevel.WARN, "The agreement is broken.")
    step.accept_logs([line("more")])
    step.log(LogLevel.ERROR, "It failed.")
    assert written(step) == [(5, FULL), (6, "The agreement is broken."), (7, "It failed.")]


def test_what_the_engine_says_of_each_try_does_not_fill_the_log() -> None:
    step = recorder(4)
    for _ in range(3):
        step.log(LogLevel.INFO, "Tried again.")
    assert written(step) == [(5, FULL)]


def test_after_a_restart_of_the_server_the_log_is_as_full_as_before() -> None:
    step = recorder(5)
    step.accept_logs([line("more")])
    assert written(step) == []
