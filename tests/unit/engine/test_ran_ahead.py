"""After a restart something may have run ahead of others in its lane: those still run, once, and in order."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from windhover.engine.events import KillRequested, LeaveBreakpoint, PauseRequested, Resume
from windhover.engine.live import LiveExecution
from windhover.engine.replay import replay, restart_as
from windhover.engine.restart import change_state, restart
from windhover.model.execution import Breakpoint
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import FlowRun, work
from test_taken_up_again import go_back, records, take_up

KILLED, SUCCESS, FAILED = StateType.KILLED, StateType.SUCCESS, StateType.FAILED
ROW = f"tasks:\n{work('a')}{work('b')}{work('c')}{work('d')}"
TOLERANT = ROW.replace("format: x", "format: x, allowFailure: true")


def ended(source: str, *states: StateType) -> FlowRun:
    """An execution whose jobs end so, one after the other."""
    run = FlowRun(source)
    for state in states:
        run.end(state)
    assert run.ended
    return run


def with_a_gap() -> FlowRun:
    """`a` runs again, and of what comes after it only `c` has run."""
    run = ended(ROW, KILLED, KILLED, SUCCESS, KILLED)
    go_back(run)
    assert (run.waiting(), run.task_ids()) == (["a"], ["a", "c"])
    return run


def rest(run: FlowRun) -> None:
    """Let the one job end while nothing new may start."""
    run.apply(PauseRequested())
    run.end()
    assert run.waiting() == []


def finish(run: FlowRun) -> list[str]:
    """Let all that is left end well; returns what that was."""
    done = []
    while not run.ended:
        done.append(run.end().identity.task_id)
    return done


def nothing(run: FlowRun) -> None: ...


@pytest.mark.parametrize("happens", [nothing, FlowRun.crash])
def test_a_gap_is_closed_after_a_pause_by_hand(happens: Callable[[FlowRun], None]) -> None:
    run = with_a_gap()
    for following in ("b", "d"):
        rest(run)
        happens(run)
        run.apply(Resume())
        happens(run)
        assert run.waiting() == [following]
    assert finish(run) == ["d"]
    assert run.state is SUCCESS


@pytest.mark.parametrize("happens", [nothing, FlowRun.crash])
def test_a_gap_is_closed_after_a_breakpoint_beside_it(happens: Callable[[FlowRun], None]) -> None:
    row = "".join(work(task_id, 10) for task_id in "abc")
    run = ended(
        f"""
tasks:
  - id: beside
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: row
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
{row}{work("stop", 6)}""",
        *(KILLED, KILLED, KILLED, SUCCESS),
    )
    execution, runs = records(run)
    execution.breakpoints = (Breakpoint("stop"),)
    take_up(run, restart(execution, runs, run.flow, run.now))
    assert run.state is StateType.BREAKPOINT
    run.end()
    happens(run)
    assert run.waiting() == []
    run.apply(LeaveBreakpoint())
    assert sorted(run.waiting()) == ["b", "stop"]
    assert sorted(finish(run)) == ["b", "stop"]


@pytest.mark.parametrize("happens", [nothing, FlowRun.crash])
def test_a_gap_is_closed_after_another_try(happens: Callable[[FlowRun], None]) -> None:
    retried = ROW.replace(
        "format: x", "format: x, retry: {type: constant, interval: PT1M, maxAttempts: 9}", 1
    )
    run = ended(retried, KILLED, KILLED, SUCCESS, KILLED)
    go_back(run)
    run.end(FAILED)
    assert run.state is StateType.RETRYING
    happens(run)
    run.fire()
    happens(run)
    assert finish(run) == ["a", "b", "d"]


def test_a_gap_that_a_kill_has_left_is_closed_by_a_restart() -> None:
    run = with_a_gap()
    rest(run)
    run.apply(KillRequested())
    assert run.state is KILLED
    go_back(run)
    assert finish(run) == ["b", "d"]


def test_a_gap_behind_what_is_said_to_have_ended_well_is_closed() -> None:
    run = with_a_gap()
    run.end(FAILED)
    take_up(run, change_state(*records(run), run.flow, run.run("a").id, SUCCESS, run.now))
    assert finish(run) == ["b", "d"]


def test_what_ran_ahead_and_is_taken_up_itself_waits_for_its_turn() -> None:
    run = ended(TOLERANT, KILLED, KILLED, FAILED, SUCCESS)
    go_back(run)
    rest(run)
    run.apply(KillRequested())
    execution, runs = records(run)
    execution.state.become(StateType.WARNING, run.now)  # somebody has said so
    take_up(run, restart(execution, runs, run.flow, run.now))
    assert finish(run) == ["b", "c"]


def test_what_ran_ahead_is_taken_up_after_what_was_created_later() -> None:
    run = ended(TOLERANT, KILLED, KILLED, FAILED, SUCCESS)
    go_back(run)
    run.end()
    run.end(FAILED)
    assert run.state is StateType.WARNING
    go_back(run)
    assert finish(run) == ["b", "c"]


def test_a_replay_runs_again_what_ran_ahead_of_where_it_begins() -> None:
    run = with_a_gap()
    finish(run)
    execution, runs = records(run)
    ids = iter(f"new{number}" for number in range(9))
    take_up(run, replay(execution, runs, run.flow, run.now, lambda: next(ids), task_run_id=run.run("b").id))
    assert finish(run) == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("order", "left"),
    [("anbcd", ["d"]), ("abncd", ["d"]), ("abcnd", ["d"]), ("abcdn", ["d", "n"])],
)
def test_what_another_revision_has_put_before_the_point_of_the_restart_is_not_run(
    order: str, left: list[str]
) -> None:
    run = with_a_gap()
    run.end()
    run.end()
    run.end(FAILED)
    new = FlowRun("tasks:\n" + "".join(work(task_id) for task_id in order), begin=False)
    execution, runs = records(run)
    ids = iter(f"new{number}" for number in range(9))
    again = restart_as(execution, runs, new.flow, run.now, lambda: next(ids), ran_in=run.flow)
    new.live = LiveExecution.restore(new.flow, again.execution, again.task_runs, 0)
    take_up(new, again)
    new.apply(PauseRequested())
    new.crash()
    new.apply(Resume())
    new.crash()
    assert finish(new) == left
