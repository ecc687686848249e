"""Executions that stand at a breakpoint, wait for their turn, or wait after their end."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from windhover.engine.events import (
    KillRequested,
    LeaveBreakpoint,
    PauseRequested,
    Queued,
    Released,
    Resume,
)
from windhover.model.execution import Breakpoint
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import CLEANED, FlowRun

# ---------------------------------------------------------------- breakpoints

EACH = """
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: first, type: io.kestra.plugin.core.debug.Return}
      - {id: second, type: io.kestra.plugin.core.debug.Return}
"""


def test_an_execution_stops_at_a_breakpoint() -> None:
    run = FlowRun(EACH, breakpoints=[Breakpoint("second", "b")])
    for _ in range(3):
        run.end()
    assert (run.state, run.waiting()) == (StateType.BREAKPOINT, [])
    assert run.logs[-1] == "INFO Stopped at the breakpoint before the task 'second'."
    run.apply(PauseRequested())
    run.crash()
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint())
    assert run.waiting() == ["second"]
    run.end()
    assert run.history() == "CREATED RUNNING BREAKPOINT RUNNING SUCCESS"


def test_other_breakpoints_may_be_set_when_one_is_left() -> None:
    run = FlowRun(EACH, breakpoints=[Breakpoint("first")])
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint((Breakpoint("second"),)))
    run.end()
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint(()))
    for _ in range(3):
        run.end()
    assert run.state is StateType.SUCCESS


def test_an_execution_is_killed_at_a_breakpoint() -> None:
    run = FlowRun(EACH, breakpoints=[Breakpoint("first")])
    run.apply(KillRequested())
    assert run.history() == "CREATED RUNNING BREAKPOINT KILLING KILLED"


# ---------------------------------------------------------------- waiting for a turn


def test_an_execution_tells_why_it_waits_and_not_for_ever() -> None:
    source = "concurrency: {limit: 1, maxWait: PT10M}\n" + CLEANED
    run = FlowRun(source, begin=False)
    run.apply(Queued(1))
    assert run.live.record.waits_for == "The flow runs at most 1 executions at once (`concurrency.limit`)."
    assert run.fire() == "queue"
    assert run.history() == "CREATED QUEUED FAILED"
    assert run.logs[-1] == "ERROR Execution is FAILED because it waited for its turn longer than PT10M."
    assert run.live.record.waits_for is None

    run = FlowRun(source, begin=False)
    run.apply(Queued(1))
    run.apply(KillRequested())
    assert (run.state, run.timers, run.live.record.waits_for) == (StateType.KILLED, {}, None)

    run = FlowRun(source, begin=False)
    run.apply(Queued(1))
    run.apply(Released())
    assert (run.waiting(), run.timers, run.live.record.waits_for) == (["a"], {}, None)


def test_the_longest_wait_may_be_that_of_the_server() -> None:
    run = FlowRun("concurrency: {limit: 1}\n" + CLEANED, begin=False, queue_limit=timedelta(hours=2))
    run.apply(Queued(1))
    assert run.timers["queue"] - run.now == timedelta(hours=2)


# ---------------------------------------------------------------- tasks after the end that wait

AFTER_END = """
tasks:
  - {id: work, type: io.kestra.plugin.core.debug.Return}
afterExecution:
  - %s
  - {id: last, type: io.kestra.plugin.core.debug.Return}
"""
AFTER_PAUSE = "{id: wait, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT1H%s}"
AFTER_RETRY = (
    "{id: wait, type: io.kestra.plugin.core.execution.Fail, "
    "retry: {type: constant, interval: PT1H, maxAttempts: 2}}"
)


@pytest.mark.parametrize("state", [StateType.SUCCESS, StateType.FAILED])
def test_a_pause_after_the_end_leads_back_to_it(state: StateType) -> None:
    run = FlowRun(AFTER_END % AFTER_PAUSE % "")
    run.end(state)
    run.fire()
    run.end()
    assert run.history() == f"CREATED RUNNING {state.value} PAUSED RESTARTED RUNNING {state.value}"
    assert run.ended


@pytest.mark.parametrize("waits", [AFTER_PAUSE % "", AFTER_RETRY])
def test_a_kill_ends_what_waits_after_the_end(waits: str) -> None:
    run = FlowRun(AFTER_END % waits)
    run.end()
    if run.waiting():
        run.end(StateType.FAILED)
    paused = " PAUSED SUCCESS" if run.state is StateType.PAUSED else ""
    run.apply(KillRequested("me"))
    assert run.history() == f"CREATED RUNNING SUCCESS{paused}"
    assert (run.ended, run.run("wait").state.current) == (True, StateType.KILLED)
    assert "last" not in run.task_ids()
    assert "INFO The tasks after the end of the execution are stopped by me." in run.logs
    assert not run.timers


def test_a_pause_after_the_end_that_nobody_resumes_cancels_no_more_than_what_follows() -> None:
    run = FlowRun(AFTER_END % AFTER_PAUSE % ", behavior: CANCEL")
    run.end()
    run.fire()
    assert run.history() == "CREATED RUNNING SUCCESS PAUSED SUCCESS"
    assert run.ended
    assert "last" not in run.task_ids()


def test_an_agreement_ends_with_the_execution_though_it_waits_again() -> None:
    agreement = "sla: [{id: holds, type: EXECUTION_ASSERTION, assert: '%s', behavior: FAIL}]\n"
    holds = agreement % '{{ (outputs.wait.onResume.no ?? "") == "" }}'
    run = FlowRun(holds + AFTER_END % AFTER_PAUSE % "")
    run.end()
    run.apply(Resume(inputs={"no": "x"}))
    run.end()
    assert run.history() == "CREATED RUNNING SUCCESS PAUSED RESTARTED RUNNING SUCCESS"


def test_a_pause_still_waits_when_a_breakpoint_beside_it_is_left() -> None:
    run = FlowRun(
        """
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    onPause: {id: notice, type: io.kestra.plugin.core.debug.Return}
""",
        breakpoints=[Breakpoint("notice")],
    )
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint())
    assert (run.state, run.waiting()) == (StateType.PAUSED, ["notice"])
    run.crash()
    run.end()
    run.apply(Resume())
    assert run.state is StateType.SUCCESS
    assert run.ended
