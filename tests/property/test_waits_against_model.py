"""Random flows with retries, rounds and subflows, time limits, kills and crashes, against the slow model."""

from __future__ import annotations

import os
import sys
from pathlib import Path as FilePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine.events import Begin, KillRequested
from windhover.model.execution import Stage
from windhover.model.state import TERMINATED, StateType

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import KINDS, MODELLED, FlowTree, flows
from reference_waits import WaitingModel
from test_engine import ENDS, STOPPED, Harness, check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

CHILD_ENDS = st.sampled_from([StateType.SUCCESS, StateType.FAILED, StateType.WARNING, StateType.KILLED])


def timers(harness: Harness) -> list[str]:
    """The timers that may ring: tries, rounds, and time limits that are not over yet."""
    found = []
    for key in sorted(harness.timers):
        kind, _, owner = key.partition(":")
        node = harness.live.nodes.get(owner)
        if kind in ("retry", "loop") or (
            kind == "timeout" and node and node.record.stage is not Stage.EXPIRED
        ):
            found.append(key)
    return found


def one_thing(harness: Harness, model: WaitingModel, data: st.DataObject, *, rough: bool) -> None:
    """Let one thing happen, to the engine and to the model."""
    children = harness.running_children()
    things = ["job"] * 5 * bool(harness.jobs) + ["child"] * 4 * bool(children)
    things += ["ring"] * 4 * bool(timers(harness))
    assert things, "nothing can happen any more, and the execution has not ended"
    match data.draw(st.sampled_from(things + ["crash", "kill"] * rough)):
        case "job":
            run_id = data.draw(st.sampled_from(sorted(harness.jobs)))
            path = harness.path(run_id)
            state = data.draw(STOPPED if model.is_stopped(path) else ENDS)
            harness.end(harness.jobs[run_id], state)
            model.leaf_ended(path, state)
        case "child":
            child = data.draw(st.sampled_from(children))
            path = harness.path(child.task_run_id)
            state = StateType.KILLED if child.killed else data.draw(CHILD_ENDS)
            harness.end_child(child, state)
            model.child_ended(path, state)
        case "ring":
            key = data.draw(st.sampled_from(timers(harness)))
            kind, _, owner = key.partition(":")
            path = harness.path(owner)
            harness.fire(key)
            {"retry": model.try_again, "loop": model.next_round, "timeout": model.expire}[kind](path)
        case "crash":
            harness.crash()
            model.crash()
        case "kill":
            harness.apply(KillRequested())
            model.kill()


@RELAXED
@given(flow=flows(KINDS + MODELLED), data=st.data(), rough=st.booleans())
def test_what_waits_ends_as_the_slow_model_says(flow: FlowTree, data: st.DataObject, rough: bool) -> None:
    harness, model = Harness(flow), WaitingModel(flow)
    harness.apply(Begin())
    model.begin()
    for _ in range(2000):
        assert harness.live.record.state.current is model.state
        expected = {run.path: run.state for run in model.runs if run.ended}
        assert {path: s for path, s in harness.states().items() if s in TERMINATED} == expected
        if harness.ended:
            break
        one_thing(harness, model, data, rough=rough)
    check_ended(harness)
    assert not timers(harness), "a timer is left"
