"""The engine against the slow model: random flows, random order of events, crashes at random commits."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path as FilePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine.events import Begin, KillRequested, TimerFired
from windhover.engine.messages import Job, TaskEnded
from windhover.model.state import TERMINATED, StateType

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import FlowTree, flows
from harness import Harness
from reference_model import Model

#: What was told to stop may just have come to its end.
STOPPED = st.sampled_from([StateType.KILLED] * 3 + [StateType.SUCCESS, StateType.FAILED])
ENDS = st.sampled_from([StateType.SUCCESS] * 4 + [StateType.FAILED, StateType.WARNING, StateType.KILLED])


def check_ended(harness: Harness) -> None:
    assert harness.ended, "the execution never ended"
    assert harness.live.record.state.current in TERMINATED
    for node in harness.live.nodes.values():
        assert node.record.state.current in TERMINATED, f"{harness.path(node.record.id)} is unfinished"
        for attempt in node.record.attempts or ():
            assert attempt.state.current in TERMINATED
        dates = [change.date for change in node.record.state.histories]
        assert dates == sorted(dates)
        states = [change.state for change in node.record.state.histories]
        assert all(a is not b for a, b in itertools.pairwise(states))


def play(flow: FlowTree, data: st.DataObject, *, crashes: bool, kill: bool) -> None:
    harness, model = Harness(flow), Model(flow)
    harness.apply(Begin())
    model.begin()
    kills = 0
    late: list[Job] = []
    for _ in range(2000):
        assert harness.live.record.state.current is model.state
        assert harness.states() == {run.path: run.state for run in model.runs} | {
            path: state for path, state in harness.states().items() if state not in TERMINATED
        }
        if harness.ended:
            break
        if crashes and data.draw(st.integers(0, 4)) == 0:
            late.extend(harness.jobs.values())
            harness.crash()
            model.crash()
            if harness.ended:
                break
        if kill and kills < 3 and data.draw(st.integers(0, 5)) == 0:
            kills += 1
            harness.apply(KillRequested("test"))
            model.kill()
            continue
        if late and data.draw(st.booleans()):
            before = harness.states()
            stale = late.pop()
            if harness.jobs.get(stale.identity.task_run_id) is not stale:
                harness.apply(
                    TaskEnded(
                        "execution",
                        stale.identity.task_run_id,
                        stale.identity.dispatch,
                        "w",
                        harness.at(),
                        StateType.FAILED,
                    )
                )
                assert harness.states() == before, "a late result changed something"
        assert harness.jobs, "nothing runs and nothing has ended"
        run_id = data.draw(st.sampled_from(sorted(harness.jobs)))
        job = harness.jobs[run_id]
        if data.draw(st.booleans()):
            harness.start(job)
        else:
            path = harness.path(run_id)
            state = data.draw(STOPPED if model.is_stopped(path) else ENDS)
            harness.end(job, state)
            model.leaf_ended(path, state)
    check_ended(harness)


RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@RELAXED
@given(flow=flows(), data=st.data())
def test_every_flow_ends_as_the_slow_model_says(flow: FlowTree, data: st.DataObject) -> None:
    play(flow, data, crashes=False, kill=False)


@RELAXED
@given(flow=flows(), data=st.data())
def test_a_crash_at_any_commit_changes_no_end(flow: FlowTree, data: st.DataObject) -> None:
    play(flow, data, crashes=True, kill=False)


@RELAXED
@given(flow=flows(), data=st.data())
def test_a_kill_ends_everything(flow: FlowTree, data: st.DataObject) -> None:
    play(flow, data, crashes=False, kill=True)


@RELAXED
@given(flow=flows(), data=st.data())
def test_a_crash_does_not_undo_a_kill(flow: FlowTree, data: st.DataObject) -> None:
    play(flow, data, crashes=True, kill=True)


@RELAXED
@given(flow=flows(), data=st.data())
def test_killed_tasks_that_never_answer_are_given_up(flow: FlowTree, data: st.DataObject) -> None:
    harness = Harness(flow)
    harness.apply(Begin())
    while not harness.ended and data.draw(st.booleans()) and harness.jobs:
        harness.end(next(iter(harness.jobs.values())), data.draw(ENDS))
    if harness.live.record.state.current not in TERMINATED:
        harness.apply(KillRequested())
        # What was told to stop is given up, then the `finally` branches, then what those have left.
        for key in ("kill", "finally", "kill"):
            if key in harness.timers:
                harness.apply(TimerFired(key))
        assert harness.live.record.state.current is StateType.KILLED
    while not harness.ended:
        harness.end(next(iter(harness.jobs.values())), StateType.SUCCESS)
    check_ended(harness)
