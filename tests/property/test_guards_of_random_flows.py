"""Random flows with time limits, an agreement, a breakpoint, kills and crashes, against the slow model."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path as FilePath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine.events import Begin, KillRequested, LeaveBreakpoint, TimerFired
from windhover.model.execution import Breakpoint, Stage
from windhover.model.sla import MaxDurationSla
from windhover.model.state import TERMINATED, StateType

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import FlowTree, flows
from reference_model import Model
from reference_runs import Path
from test_engine import ENDS, STOPPED, Harness, check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

BREACHES = {"FAIL": StateType.FAILED, "CANCEL": StateType.CANCELLED}


def timers(harness: Harness) -> list[str]:
    """The timers that may ring: time limits that are not over yet, and the agreement."""
    found = []
    for key in sorted(harness.timers):
        kind, _, owner = key.partition(":")
        node = harness.live.nodes.get(owner)
        if kind == "sla" or (kind == "timeout" and node and node.record.stage is not Stage.EXPIRED):
            found.append(key)
    return found


def ring(harness: Harness, model: Model, key: str, behavior: str) -> None:
    kind, _, owner = key.partition(":")
    path = () if kind == "sla" else harness.path(owner)
    harness.apply(TimerFired(key))
    if kind == "timeout":
        model.expire(path)
    else:
        model.breach("soon", BREACHES.get(behavior))


def stops(flow: FlowTree) -> list[str]:
    """The tasks that may have a breakpoint: early ones, which are seldom in a branch that is not taken.

    What is skipped behind one ends in the very step in which others begin, where the model knows no order:
    see the test that compares with an execution without breakpoints.
    """
    return sorted(
        task.id for task in flow.all_tasks() if task.run_if == "true" and int(re.sub(r"\D", "", task.id)) < 6
    )


def one_thing(harness: Harness, model: Model, data: st.DataObject, behavior: str) -> None:
    """Let one thing happen, to the engine and to the model."""
    things = ["end"] * 5 * bool(harness.jobs) + ["crash", "kill"] + ["ring"] * 2 * bool(timers(harness))
    if model.rests:
        things += ["leave"] * 3
    match data.draw(st.sampled_from(things)):
        case "end":
            run_id = data.draw(st.sampled_from(sorted(harness.jobs)))
            path = harness.path(run_id)
            state = data.draw(STOPPED if model.is_stopped(path) else ENDS)
            harness.end(harness.jobs[run_id], state)
            model.leaf_ended(path, state)
        case "crash":
            harness.crash()
            model.crash()
        case "kill":
            harness.apply(KillRequested())
            model.kill()
        case "ring":
            ring(harness, model, data.draw(st.sampled_from(timers(harness))), behavior)
        case "leave":
            harness.apply(LeaveBreakpoint())
            model.leave_breakpoint()


@RELAXED
@given(flow=flows(), data=st.data(), behavior=st.sampled_from(["FAIL", "CANCEL", "NONE"]))
def test_guarded_flows_end_as_the_slow_model_says(flow: FlowTree, data: st.DataObject, behavior: str) -> None:
    sla = MaxDurationSla(id="soon", type="MAX_DURATION", duration="PT1H", behavior=behavior)
    flow = replace(flow, sla=(sla,))
    stop = data.draw(st.sampled_from([None, *stops(flow)]))
    harness = Harness(flow, [Breakpoint(stop)] if stop else [])
    model = Model(flow, breakpoints={stop})
    harness.apply(Begin())
    model.begin()
    for _ in range(2000):
        assert harness.live.record.state.current is model.state
        expected = {run.path: run.state for run in model.runs if run.ended}
        assert {path: s for path, s in harness.states().items() if s in TERMINATED} == expected
        if harness.ended:
            break
        assert harness.jobs or model.rests, "nothing runs and nothing has ended"
        one_thing(harness, model, data, behavior)
    check_ended(harness)
    assert not timers(harness), "a timer is left"


def played(harness: Harness, data: st.DataObject, ends: dict[Path, StateType], *, crashes: bool) -> None:
    """Play an execution to its end; a task ends the same way whenever it runs."""
    harness.apply(Begin())
    for _ in range(2000):
        if harness.ended:
            check_ended(harness)
            return
        rests = harness.live.record.state.current is StateType.BREAKPOINT
        things = ["end"] * 3 * bool(harness.jobs) + ["leave"] * 2 * rests
        assert things, "nothing runs and nothing has ended"
        match data.draw(st.sampled_from(things + ["crash"] * crashes)):
            case "end":
                run_id = data.draw(st.sampled_from(sorted(harness.jobs)))
                path = harness.path(run_id)
                if path not in ends:
                    ends[path] = data.draw(st.sampled_from([StateType.SUCCESS] * 3 + [StateType.WARNING]))
                harness.end(harness.jobs[run_id], ends[path])
            case "leave":
                harness.apply(LeaveBreakpoint())
            case "crash":
                harness.crash()
    raise AssertionError("the execution never ended")


@RELAXED
@given(flow=flows(broken=False), data=st.data(), crashes=st.booleans())
def test_breakpoints_change_no_end(flow: FlowTree, data: st.DataObject, crashes: bool) -> None:
    """Wherever they are, also at tasks that are skipped. Without failures no end depends on an order."""
    names = sorted(task.id for task in flow.all_tasks())
    points = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=4))
    ends: dict[Path, StateType] = {}
    stopped = Harness(flow, [Breakpoint(name) for name in points])
    played(stopped, data, ends, crashes=crashes)
    straight = Harness(flow)
    played(straight, data, ends, crashes=False)
    assert stopped.states() == straight.states()
    assert stopped.live.record.state.current is straight.live.record.state.current
