"""Restart and replay: random flows run to an end, are taken up again with other outcomes, and end again."""

from __future__ import annotations

import os
import sys
from pathlib import Path as FilePath

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from windhover.engine.events import Begin, KillRequested
from windhover.engine.messages import CommandRefused, NothingToRestart
from windhover.engine.replay import replay
from windhover.engine.restart import UNSUCCESSFUL, ancestors, change_state, restart
from windhover.model.execution import Phase, TaskRun
from windhover.model.state import StateType

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import FlowTree, flows
from test_engine import ENDS, Harness, check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def run_to_end(harness: Harness, data: st.DataObject, *, crashes: bool = False) -> set[str]:
    """Let every job end as it is drawn; returns the task runs that a worker was given."""
    worked: set[str] = set()
    for _ in range(2000):
        if crashes and data.draw(st.integers(0, 4)) == 0:
            harness.crash()
        if harness.ended:
            return worked
        assert harness.jobs, "nothing runs and nothing has ended"
        run_id = data.draw(st.sampled_from(sorted(harness.jobs)))
        worked.add(run_id)
        harness.end(harness.jobs[run_id], data.draw(ENDS))
    raise AssertionError("the execution never ended")


def ended_once(flow: FlowTree, data: st.DataObject, *, kill: bool) -> Harness:
    harness = Harness(flow)
    harness.apply(Begin())
    if kill and not harness.ended and data.draw(st.booleans()):
        for _ in range(data.draw(st.integers(0, 5))):
            if harness.jobs:
                harness.end(harness.jobs[sorted(harness.jobs)[0]], data.draw(ENDS))
        if not harness.ended:
            harness.apply(KillRequested())
            while not harness.ended:
                harness.end(next(iter(harness.jobs.values())), StateType.KILLED)
            return harness
    run_to_end(harness, data)
    return harness


def outputs(runs: list[TaskRun]) -> dict[str, object]:
    return {run.id: run.outputs for run in runs}


@RELAXED
@given(flow=flows(), data=st.data(), crashes=st.booleans(), kill=st.booleans())
def test_a_restart_runs_what_failed_and_ends(
    flow: FlowTree, data: st.DataObject, crashes: bool, kill: bool
) -> None:
    harness = ended_once(flow, data, kill=kill)
    for _ in range(2):
        execution, runs = harness.records()
        well = {StateType.SUCCESS, StateType.WARNING}
        if execution.state.current is StateType.WARNING:
            # What failed and was allowed to is what there is to restart.
            well.remove(StateType.WARNING)
        done = {run.id for run in runs if run.state.current in well}
        try:
            reworked = restart(execution, runs, flow, harness.at())  # type: ignore[arg-type]
        except NothingToRestart:
            return
        kept = {run.id for run in reworked.task_runs}
        harness.take_up(reworked)
        worked = run_to_end(harness, data, crashes=crashes)
        check_ended(harness)
        assert not worked & done & kept, "what had ended well was run again"
        assert kept <= set(harness.live.nodes), "task runs got lost"


@RELAXED
@given(flow=flows(), data=st.data(), crashes=st.booleans())
def test_a_replay_runs_what_comes_after_and_nothing_before(
    flow: FlowTree, data: st.DataObject, crashes: bool
) -> None:
    harness = ended_once(flow, data, kill=False)
    execution, runs = harness.records()
    assume(runs)
    before = msgspec.json.encode(runs)
    chosen = data.draw(st.sampled_from(runs))
    new = replay(
        execution,
        runs,
        flow,  # type: ignore[arg-type]
        harness.at(),
        harness.environment.new_id,
        task_run_id=chosen.id,
        execution_id="execution",
    )
    assert msgspec.json.encode(runs) == before, "the old execution was changed"
    finished = [run for run in new.task_runs if run.state.current.is_terminated]
    known = outputs(finished)
    again = {run.id for run in new.task_runs if run.task_id == chosen.task_id} - set(known)
    bad = [r for r in runs if r.task_id == chosen.task_id and r.state.current in UNSUCCESSFUL]
    assert len(again) <= 1 + len(bad), "another run of the same task is run again, though it ended well"
    assert len(finished) < len(new.task_runs), "nothing is run again"
    harness.take_up(new)
    worked = run_to_end(harness, data, crashes=crashes)
    check_ended(harness)
    assert not worked & set(known), "what came before was run again"
    ended = {run_id: harness.live.nodes[run_id].record.outputs for run_id in known}
    assert ended == known


@RELAXED
@given(flow=flows(broken=False), data=st.data(), kill=st.booleans())
def test_a_replay_fails_for_nothing_that_it_took_over(
    flow: FlowTree, data: st.DataObject, kill: bool
) -> None:
    harness = ended_once(flow, data, kill=kill)
    execution, runs = harness.records()
    by_id = {run.id: run for run in runs}
    normal = [run for run in runs if all(at.phase is Phase.TASKS for at in (run, *ancestors(run, by_id)))]
    assume(normal)
    chosen = data.draw(st.sampled_from(normal))
    around = (chosen, *ancestors(chosen, by_id))
    # What was stopped alone, and followed by others, is a part of what the replay goes on from.
    assume(
        not any(
            (run.parent_task_run_id, run.phase, run.lane) == (at.parent_task_run_id, at.phase, at.lane)
            and run.state.current in UNSUCCESSFUL
            and run is not at
            for run in runs
            for at in around
        )
    )
    new = replay(
        execution,
        runs,
        flow,  # type: ignore[arg-type]
        harness.at(),
        harness.environment.new_id,
        task_run_id=chosen.id,
        execution_id="execution",
    )
    harness.take_up(new)
    worked = False
    while not harness.ended:
        assert harness.jobs, "nothing runs and nothing has ended"
        worked = True
        harness.end(next(iter(harness.jobs.values())), StateType.SUCCESS)
    check_ended(harness)
    failed = [node for node in harness.live.nodes.values() if node.record.state.current in UNSUCCESSFUL]
    assert harness.live.record.state.current not in UNSUCCESSFUL, (worked, failed)


@RELAXED
@given(flow=flows(), data=st.data(), crashes=st.booleans())
def test_after_a_changed_state_all_goes_on(flow: FlowTree, data: st.DataObject, crashes: bool) -> None:
    harness = ended_once(flow, data, kill=False)
    execution, runs = harness.records()
    normal = [run for run in runs if run.phase is Phase.TASKS]
    assume(normal)
    chosen = data.draw(st.sampled_from(normal))
    state = data.draw(st.sampled_from([StateType.SUCCESS, StateType.WARNING, StateType.FAILED]))
    try:
        new = change_state(execution, runs, flow, chosen.id, state, harness.at())  # type: ignore[arg-type]
    except CommandRefused:
        return  # it ran in a branch that goes, or in a shared directory
    harness.take_up(new)
    run_to_end(harness, data, crashes=crashes)
    check_ended(harness)
    assert harness.live.nodes[chosen.id].record.state.current is state
