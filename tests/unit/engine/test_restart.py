"""Going back in an execution: what a restart and a changed state leave, and what runs then."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from windhover.engine.events import Begin, KillRequested, Recover, Resume, TimerFired
from windhover.engine.live import LiveExecution
from windhover.engine.messages import CommandRefused, NothingToRestart, TaskEnded
from windhover.engine.replay import restart_as
from windhover.engine.restart import change_state, restart
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from restart_run import DIRECTORY, LOOP, MEANWHILE, PAUSE_THEN_WORK, START, Run, flow_of


def test_a_pause_whose_time_ran_out_is_passed() -> None:
    run = Run(PAUSE_THEN_WORK).begin()
    (timer,) = run.timers
    run.apply(TimerFired(timer))
    assert run.state == "FAILED"
    run.restart()
    assert run.state == "SUCCESS"
    assert run.worked == ["work"]


def test_a_pause_that_was_killed_waits_again() -> None:
    run = Run(PAUSE_THEN_WORK).begin()
    run.apply(KillRequested())
    assert run.state == "KILLED"
    run.restart()
    assert run.state == "PAUSED"
    run.apply(Resume())
    run.work()
    assert run.state == "SUCCESS"


def test_a_shared_directory_begins_anew() -> None:
    run = Run(DIRECTORY).begin("b")
    before = run.ids_of("a")
    run.restart()
    assert run.state == "SUCCESS"
    assert run.worked == ["a", "b"]
    assert run.ids_of("a") != before


def test_the_state_of_a_task_in_a_shared_directory_stays() -> None:
    run = Run(DIRECTORY).begin("b")
    execution, runs = run.records()
    with pytest.raises(CommandRefused, match="'shared'"):
        change_state(execution, runs, run.flow, run.record("b").id, StateType.SUCCESS, run.now())


def test_a_restart_of_a_loop_goes_on_in_the_round_that_failed() -> None:
    run = Run(LOOP, {"values": ["1", "2"]}).begin("b")
    assert run.worked == ["a", "b"]
    run.restart()
    assert run.worked == ["b", "a", "b", "last"]
    assert run.state == "SUCCESS"


def test_only_a_restart_is_labelled_as_one() -> None:
    run = Run(LOOP, {"values": ["1"]}).begin("last")
    execution, runs = run.records()
    anew = restart_as(execution, runs, run.flow, run.now(), run.environment.new_id)
    assert [label.key for label in anew.execution.labels if label.key.startswith("system.re")] == [
        "system.restarted"
    ]

    last = run.record("last").id
    changed = change_state(execution, runs, run.flow, last, StateType.SUCCESS, run.now())
    assert not [label for label in changed.execution.labels if label.key == "system.restarted"]


def test_a_pause_does_not_end_before_what_runs_meanwhile() -> None:
    run = Run(MEANWHILE)
    run.apply(Begin())
    assert run.state == "PAUSED"
    assert [job.identity.task_id for job in run.jobs] == ["notice"]
    run.apply(Resume())
    assert run.record("wait").state.current is StateType.RUNNING
    run.failing = {"notice"}
    run.work()
    assert run.record("notice").state.current is StateType.FAILED
    assert run.state == "SUCCESS"


def test_what_runs_meanwhile_is_handed_out_again_after_a_crash() -> None:
    run = Run(MEANWHILE)
    run.apply(Begin())
    run.jobs.clear()
    execution, runs = run.records()
    run.live = LiveExecution.restore(run.flow, execution, runs, 0)
    run.apply(Recover())
    run.work()
    assert run.worked == ["notice"]
    assert run.state == "PAUSED"
    run.apply(Resume())
    assert run.state == "SUCCESS"


def test_a_kill_stops_what_runs_meanwhile() -> None:
    run = Run(MEANWHILE)
    run.apply(Begin())
    run.apply(KillRequested())
    assert run.state == "KILLING"
    job = run.jobs.pop().identity
    killed = TaskEnded("execution", job.task_run_id, job.dispatch, "w", run.now(), StateType.KILLED)
    run.apply(killed)
    assert run.state == "KILLED"
    assert run.record("wait").state.current is StateType.KILLED


def test_what_failed_though_its_tasks_did_not_goes_on_behind_them() -> None:
    run = Run(LOOP, {"values": ["1"]})
    run.apply(Begin())
    for _ in ("a", "b"):
        job = run.jobs.pop(0).identity
        run.apply(
            TaskEnded("execution", job.task_run_id, job.dispatch, "w", run.now(), StateType.SUCCESS, {})
        )
    execution, runs = run.records()
    # As a defect of the engine leaves it, when the last task was about to start.
    run.jobs.clear()
    execution.state.become(StateType.FAILED, run.now())
    run.take_up(restart(execution, [one for one in runs if one.task_id != "last"], run.flow, run.now()))
    assert run.worked == ["last"]
    assert run.state == "SUCCESS"


def test_what_failed_before_its_first_task_is_not_restarted() -> None:
    run = Run(LOOP, {"values": ["1"]})
    execution, _ = run.records()
    execution.state.become(StateType.FAILED, run.now())
    with pytest.raises(NothingToRestart):
        restart(execution, [], run.flow, run.now())


def test_a_restart_of_a_warning_takes_up_what_was_allowed_to_fail() -> None:
    tasks = """
    - {id: lenient, type: io.kestra.plugin.core.log.Log, message: x, allowFailure: true}
    - {id: last, type: io.kestra.plugin.core.log.Log, message: x}
    """
    run = Run(tasks).begin("lenient")
    assert run.state == "WARNING"
    run.restart()
    assert run.worked == ["lenient"], "what ended well is not run again"
    assert run.state == "SUCCESS"


def test_a_restart_of_a_cancelled_execution_passes_the_pause_that_cancelled_it() -> None:
    run = Run(PAUSE_THEN_WORK.replace("FAIL", "CANCEL")).begin()
    (timer,) = run.timers
    run.apply(TimerFired(timer))
    assert run.state == "CANCELLED"
    run.restart()
    assert (run.state, run.worked) == ("SUCCESS", ["work"])


@pytest.mark.parametrize("ended", [StateType.KILLED, StateType.CANCELLED])
def test_what_was_ended_before_its_first_task_begins(ended: StateType) -> None:
    run = Run(DIRECTORY)
    execution, _ = run.records()
    execution.state.become(ended, run.now())
    execution.schedule_date = START + timedelta(days=1)
    run.take_up(restart(execution, [], run.flow, run.now()))
    assert run.state == "SUCCESS", "it does not wait for its date any more"


@pytest.mark.parametrize(
    ("ended", "hint"),
    [
        (StateType.SUCCESS, "Nothing in it failed or was stopped; it can be replayed."),
        (StateType.WARNING, "Nothing in it failed or was stopped; it can be replayed."),
        (StateType.SKIPPED, "Nothing in it failed or was stopped; it can be replayed."),
        (StateType.RETRIED, "A new execution has taken its place."),
        (StateType.FAILED, "It failed before its first task; it can be replayed."),
    ],
)
def test_a_restart_that_is_refused_says_what_else_can_be_done(ended: StateType, hint: str) -> None:
    execution, _ = Run(DIRECTORY).records()
    execution.state.become(ended, START)
    with pytest.raises(NothingToRestart, match=f"No task found to restart execution from! {hint}"):
        restart(execution, [], flow_of(DIRECTORY), START)


def test_a_restart_as_another_revision_goes_on_behind_the_pause() -> None:
    run = Run(PAUSE_THEN_WORK).begin()
    assert run.state == "PAUSED"
    execution, runs = run.records()
    before = msgspec.json.encode((execution, runs))
    new = restart_as(execution, runs, run.flow, run.now(), run.environment.new_id)
    assert msgspec.json.encode((execution, runs)) == before, "the old execution was changed"
    assert new.execution.parent_id == "execution"
    new.execution.id = "execution"
    for each in new.task_runs:
        each.execution_id = "execution"
    run.take_up(new)
    assert (run.state, run.worked) == ("SUCCESS", ["work"])
