"""Random flows of every construct, also of those that wait: whatever happens in whatever order, they end.

What waits is drawn along with all else: pauses, approvals, loops, subflows, batches, retries, `Exit`. Where
an end depends on the order of what happens, it is not compared; what has to hold of every end is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path as FilePath

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.engine.events import (
    Begin,
    KillRequested,
    LeaveBreakpoint,
    PauseRequested,
    Queued,
    Refused,
    Released,
    Resume,
    TimerFired,
)
from windhover.engine.messages import CommandRefused, NothingToRestart, TaskEnded
from windhover.engine.replay import replay
from windhover.engine.restart import change_state, restart
from windhover.model.execution import Breakpoint, Phase
from windhover.model.state import TERMINATED, StateType
from windhover.plugin.flowable import Decision

sys.path.insert(0, str(FilePath(__file__).parent))
from flow_trees import KINDS, WAITING, FlowTree, flows
from harness import Harness
from test_engine import ENDS, STOPPED, check_ended

RELAXED = settings(
    max_examples=int(os.environ.get("WINDHOVER_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

EVERY_KIND = KINDS + WAITING
CHILD_ENDS = st.sampled_from(
    [StateType.SUCCESS] * 3 + [StateType.FAILED, StateType.WARNING, StateType.KILLED]
)

#: Timers that end waiting in favour of what was told to stop; without them the workers have to answer.
GIVING_UP = ("kill", "finally")


def timers(harness: Harness) -> list[str]:
    """The timers that may ring while the execution is under way."""
    return sorted(harness.timers - {"replay"} - set(GIVING_UP))


def waits_for_person(harness: Harness) -> bool:
    record = harness.live.record
    return record.state.current is StateType.PAUSED and harness.live.held_by is None


def stands_at_breakpoint(harness: Harness) -> bool:
    return harness.live.record.state.current is StateType.BREAKPOINT


def next_thing(harness: Harness, data: st.DataObject, *, crashes: bool, kills: bool) -> str:
    things = ["job"] * 4 * bool(harness.jobs) + ["child"] * 4 * bool(harness.running_children())
    things += ["timer"] * 4 * bool(timers(harness)) + ["resume"] * 4 * waits_for_person(harness)
    things += ["leave"] * 4 * stands_at_breakpoint(harness)
    assert things, "nothing can happen any more, and the execution has not ended"
    things += ["begin"] * bool(harness.jobs) + ["crash"] * crashes + ["kill"] * kills
    things += ["give up"] * bool(harness.timers & set(GIVING_UP))
    things += ["pause"] * (data.draw(st.integers(0, 9)) == 0)
    return str(data.draw(st.sampled_from(things)))


def do(harness: Harness, data: st.DataObject, thing: str, worked: set[str]) -> None:
    match thing:
        case "job":
            run_id = data.draw(st.sampled_from(sorted(harness.jobs)))
            worked.add(run_id)
            # One that was given up may have gone with its round since then.
            node = harness.live.nodes.get(run_id)
            told = node is None or node.frame.is_cut
            harness.end(harness.jobs[run_id], data.draw(STOPPED if told else ENDS))
        case "begin":
            harness.start(harness.jobs[data.draw(st.sampled_from(sorted(harness.jobs)))])
        case "child":
            child = data.draw(st.sampled_from(harness.running_children()))
            harness.end_child(child, StateType.KILLED if child.killed else data.draw(CHILD_ENDS))
        case "timer":
            harness.fire(data.draw(st.sampled_from(timers(harness))))
        case "give up":
            harness.fire(data.draw(st.sampled_from(sorted(harness.timers & set(GIVING_UP)))))
        case "resume":
            decision = data.draw(st.sampled_from(list(Decision)[:2]))
            harness.apply(Resume(inputs=data.draw(st.sampled_from([{}, {"n": 1}])), decision=decision))
        case "leave":
            harness.apply(LeaveBreakpoint(data.draw(st.sampled_from([None, ()]))))
        case "pause":
            harness.apply(PauseRequested())
        case "kill":
            harness.apply(KillRequested("test"))
        case "crash":
            late = list(harness.jobs.values())
            harness.crash()
            for job in late:
                if harness.jobs.get(job.identity.task_run_id) is not job and data.draw(st.booleans()):
                    before = harness.states()
                    identity = job.identity
                    harness.apply(
                        TaskEnded(
                            "execution", identity.task_run_id, identity.dispatch, "w", harness.at(),
                            StateType.FAILED,
                        )
                    )  # fmt: skip
                    assert harness.states() == before, "a late result changed something"


def check(harness: Harness) -> None:
    check_ended(harness)
    assert not harness.running_children(), "an execution it waits for goes on"
    assert not timers(harness), "a timer is left"
    assert not harness.live.retrying


def run_to_end(
    harness: Harness, data: st.DataObject, *, crashes: bool = False, kills: bool = False
) -> set[str]:
    """Let things happen until the execution has ended; returns the task runs that a worker has ended."""
    worked: set[str] = set()
    for step in range(1500):
        if harness.ended:
            check(harness)
            return worked
        seldom = step < 100 and data.draw(st.integers(0, 4)) == 0
        do(
            harness,
            data,
            next_thing(harness, data, crashes=crashes and seldom, kills=kills and seldom),
            worked,
        )
    raise AssertionError("the execution never ended")


def begun(flow: FlowTree, data: st.DataObject) -> Harness:
    """An execution that has begun, perhaps with breakpoints, perhaps after it has waited for its turn."""
    points = st.lists(st.sampled_from(sorted(task.id for task in flow.all_tasks())), max_size=2)
    stops = data.draw(points) if data.draw(st.integers(0, 2)) == 0 else []
    harness = Harness(flow, [Breakpoint(task_id) for task_id in stops])
    if data.draw(st.integers(0, 5)):
        harness.apply(Begin())
        return harness
    harness.apply(Queued(1))
    if data.draw(st.booleans()):
        harness.crash()
    turns = [Released()] * 3 + [Refused(StateType.CANCELLED), KillRequested()]
    harness.apply(data.draw(st.sampled_from(turns)))
    return harness


@RELAXED
@given(flow=flows(EVERY_KIND), data=st.data(), crashes=st.booleans(), kills=st.booleans())
def test_whatever_happens_every_flow_ends(
    flow: FlowTree, data: st.DataObject, crashes: bool, kills: bool
) -> None:
    harness = begun(flow, data)
    run_to_end(harness, data, crashes=crashes, kills=kills)
    state = harness.live.record.state.current
    assert state in TERMINATED
    assert harness.replays is False
    was_killed = any(change.state is StateType.KILLING for change in harness.live.record.state.histories)
    assert not was_killed or state is StateType.KILLED
    if state is StateType.RETRIED:
        harness.apply(TimerFired("replay"))
        assert harness.replays, "no new execution takes the place of what is retried"


@RELAXED
@given(flow=flows(EVERY_KIND), data=st.data(), crashes=st.booleans(), kills=st.booleans())
def test_a_restart_runs_nothing_again_that_ended_well(
    flow: FlowTree, data: st.DataObject, crashes: bool, kills: bool
) -> None:
    harness = begun(flow, data)
    run_to_end(harness, data, kills=kills)
    for _ in range(2):
        execution, runs = harness.records()
        good = {StateType.SUCCESS, StateType.WARNING}
        if execution.state.current is StateType.WARNING:
            # What failed and was allowed to is what there is to restart.
            good.remove(StateType.WARNING)
        done = {run.id for run in runs if run.state.current in good}
        well = {c.id: c.runs for c in harness.children.values() if c.state is StateType.SUCCESS}
        try:
            reworked = restart(execution, runs, flow, harness.at())  # type: ignore[arg-type]
        except NothingToRestart:
            return
        kept = {run.id for run in reworked.task_runs}
        harness.take_up(reworked)
        worked = run_to_end(harness, data, crashes=crashes)
        assert not worked & done & kept, "what had ended well was run again"
        assert well == {id_: harness.children[id_].runs for id_ in well}, "a child was run again"


@RELAXED
@given(flow=flows(EVERY_KIND), data=st.data(), crashes=st.booleans(), kills=st.booleans())
def test_a_replay_goes_on_from_any_task_run(
    flow: FlowTree, data: st.DataObject, crashes: bool, kills: bool
) -> None:
    harness = begun(flow, data)
    run_to_end(harness, data, kills=kills)
    execution, runs = harness.records()
    if not runs:
        return
    before = msgspec.json.encode(runs)
    chosen = data.draw(st.sampled_from(runs))
    new = replay(
        execution, runs, flow, harness.at(), harness.environment.new_id,  # type: ignore[arg-type]
        task_run_id=chosen.id, execution_id="execution",
    )  # fmt: skip
    assert msgspec.json.encode(runs) == before, "the old execution was changed"
    known = {run.id: run.outputs for run in new.task_runs if run.state.current.is_terminated}
    harness.children.clear()
    harness.take_up(new)
    worked = run_to_end(harness, data, crashes=crashes)
    assert not worked & set(known), "what came before was run again"
    # A loop that goes round keeps the task runs of its last round alone.
    left = {run_id: node.record.outputs for run_id, node in harness.live.nodes.items() if run_id in known}
    assert left == {run_id: outputs for run_id, outputs in known.items() if run_id in left}
    assert not {child.task_run_id for child in harness.children.values()} & set(known)


@RELAXED
@given(flow=flows(EVERY_KIND), data=st.data(), crashes=st.booleans())
def test_it_goes_on_from_any_task_run_whose_state_is_changed(
    flow: FlowTree, data: st.DataObject, crashes: bool
) -> None:
    harness = begun(flow, data)
    run_to_end(harness, data, kills=True)
    execution, runs = harness.records()
    normal = [run for run in runs if run.phase is Phase.TASKS]
    if not normal:
        return
    chosen = data.draw(st.sampled_from(normal))
    state = data.draw(st.sampled_from([StateType.SUCCESS, StateType.WARNING, StateType.FAILED]))
    try:
        new = change_state(execution, runs, flow, chosen.id, state, harness.at())  # type: ignore[arg-type]
    except CommandRefused:
        return  # it ran in a branch that goes, or in a shared directory
    harness.take_up(new)
    run_to_end(harness, data, crashes=crashes)
    # A loop that goes round keeps the task runs of its last round alone.
    if chosen.id in harness.live.nodes:
        assert harness.live.nodes[chosen.id].record.state.current is state
