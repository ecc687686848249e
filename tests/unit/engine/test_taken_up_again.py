"""What restarts and replays take up, where random flows have found them to take up too much or too little."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from windhover.engine.events import (
    ChildEnded,
    ChildRestarted,
    ChildStarted,
    KillRequested,
    PauseRequested,
    Restarted,
    Resume,
    TimerFired,
)
from windhover.engine.live import LiveExecution
from windhover.engine.messages import NothingToRestart, StartChild
from windhover.engine.replay import replay
from windhover.engine.restart import Reworked, change_state, restart
from windhover.model.execution import Execution, TaskRun
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import FlowRun, work

FLOW = "io.kestra.plugin.core.flow."
LOG = "type: io.kestra.plugin.core.log.Log, message: x"
BEFORE_ITS_TURN = 'runIf: "{{ nothing.of.the.kind }}"'


def records(run: FlowRun) -> tuple[Execution, list[TaskRun]]:
    runs = [msgspec.json.decode(raw, type=TaskRun) for raw in run.rows.values()]
    return msgspec.json.decode(run.header, type=Execution), sorted(runs, key=lambda each: each.position)


def take_up(run: FlowRun, new: Reworked) -> None:
    run.live = LiveExecution.restore(run.flow, new.execution, new.task_runs, 0)
    run.rows = {each.id: msgspec.json.encode(each) for each in new.task_runs}
    run.ended = False
    run.apply(Restarted())


def go_back(run: FlowRun) -> None:
    take_up(run, restart(*records(run), run.flow, run.now))


def test_what_failed_while_a_pause_waited_is_not_taken_up() -> None:
    run = FlowRun(f"""
tasks:
  - id: ask
    type: {FLOW}Approval
    timeout: PT1H
    expireBehavior: CONTINUE
    onWait:
      - {{id: tell, {LOG}, {BEFORE_ITS_TURN}}}
""")
    run.fire()
    assert run.state is StateType.SUCCESS
    with pytest.raises(NothingToRestart):
        go_back(run)


@pytest.mark.parametrize("waiting", ["Pause", "Approval"])
@pytest.mark.parametrize("behavior", ["FAIL", "CANCEL"])
def test_a_restart_passes_no_pause_that_was_ended_by_something_else(waiting: str, behavior: str) -> None:
    run = FlowRun(f"""
sla: [{{id: soon, type: MAX_DURATION, duration: PT1S, behavior: {behavior}}}]
tasks:
  - {{id: ask, type: {FLOW}{waiting}}}
""")
    run.apply(TimerFired("sla:soon"))
    assert run.ended
    go_back(run)
    assert run.state is StateType.PAUSED


def test_a_restart_passes_no_pause_that_was_killed_while_its_notice_was_sent() -> None:
    run = FlowRun(f"tasks: [{{id: ask, type: {FLOW}Pause, onPause: {{id: tell, {LOG}}}}}]\n")
    run.apply(KillRequested())
    run.end(StateType.KILLED)
    assert run.state is StateType.KILLED
    go_back(run)
    assert run.state is StateType.PAUSED


RETRIED = f"""
retry: {{type: constant, interval: PT1M, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}}
tasks:
  - id: all
    type: {FLOW}Parallel
    tasks:
      - {{id: bad, {LOG}}}
      - {{id: beside, {LOG}}}
"""


def test_what_a_new_execution_takes_the_place_of_is_not_restarted_for_what_was_stopped_in_it() -> None:
    run = FlowRun(RETRIED)
    run.end(StateType.FAILED)
    run.end(StateType.KILLED)
    assert run.state is StateType.RETRIED
    with pytest.raises(NothingToRestart, match="A new execution has taken its place"):
        go_back(run)


def test_what_failed_is_taken_up_when_no_new_execution_takes_its_place() -> None:
    run = FlowRun(RETRIED)
    run.end(StateType.FAILED)
    run.apply(KillRequested())
    run.end(StateType.KILLED)
    assert run.state is StateType.KILLED
    go_back(run)
    assert run.waiting() == ["bad", "beside"]


def test_a_replay_takes_up_what_was_to_be_tried_by_a_new_execution() -> None:
    run = FlowRun(RETRIED)
    run.end(StateType.FAILED)
    run.end(StateType.SUCCESS)
    execution, runs = records(run)
    chosen = run.run("beside").id
    ids = iter(f"new{number}" for number in range(9))
    take_up(run, replay(execution, runs, run.flow, run.now, lambda: next(ids), task_run_id=chosen))
    assert run.waiting() == ["bad", "beside"]


def test_what_was_skipped_and_is_said_to_have_failed_is_skipped_again() -> None:
    run = FlowRun(f"""
tasks:
  - id: seldom
    type: {FLOW}If
    condition: "true"
    runIf: "false"
    then: [{{id: inside, {LOG}}}]
""")
    take_up(run, change_state(*records(run), run.flow, run.run("seldom").id, StateType.FAILED, run.now))
    assert run.state is StateType.FAILED
    go_back(run)
    assert (run.state, run.waiting()) == (StateType.SUCCESS, [])


def test_a_restart_of_a_warning_takes_up_a_subflow_that_was_allowed_to_fail() -> None:
    run = FlowRun(f"""
tasks:
  - {{id: child, type: {FLOW}Subflow, namespace: a, flowId: b, allowFailure: true}}
""")
    child = run.run("child").id
    run.apply(ChildStarted(child, "first", "first", wait=True))
    run.apply(ChildEnded(child, "first", StateType.FAILED, "first"))
    assert run.state is StateType.WARNING
    go_back(run)
    again = run.started[-1]
    assert isinstance(again, StartChild)
    assert again.restarts == "first"


def test_a_subflow_that_is_asked_for_in_the_moment_of_a_kill_is_killed() -> None:
    run = FlowRun(f"""
tasks:
  - id: all
    type: {FLOW}Parallel
    tasks:
      - {{id: leave, type: io.kestra.plugin.core.execution.Exit, state: KILLED}}
      - {{id: child, type: {FLOW}Subflow, namespace: a, flowId: b}}
""")
    assert len(run.started) == 1
    assert run.kills == []
    assert run.batches_killed == [run.run("child").id]


AHEAD = f"""
tasks:
  - id: group
    type: {FLOW}Sequential
    tasks:
      - {{id: child, type: {FLOW}Subflow, namespace: a, flowId: b}}
{work("middle", 6)}{work("done", 6)}  - {{id: bad, {LOG}}}
"""


def test_what_has_run_behind_others_runs_once_whenever_the_server_crashes() -> None:
    run = FlowRun(AHEAD)
    child = run.run("child").id
    run.apply(ChildStarted(child, "first", "first", wait=True))
    run.apply(ChildEnded(child, "first", StateType.KILLED, "first"))
    run.end(StateType.KILLED)  # the one in the middle: as a kill of the child does not, it stops nobody
    run.end()
    run.end(StateType.FAILED)
    go_back(run)
    run.crash()
    run.apply(ChildStarted(child, "first", "first", wait=True, restarted=True))
    run.apply(ChildEnded(child, "first", StateType.SUCCESS, "first"))
    assert run.waiting() == ["middle"]
    run.crash()
    run.end()
    assert run.waiting() == ["bad"]


def test_a_kill_ends_what_was_replayed_after_its_end_and_stands_still() -> None:
    run = FlowRun(f"tasks: [{{id: a, {LOG}}}]\nafterExecution: [{{id: b, {LOG}}}, {{id: c, {LOG}}}]\n")
    for _ in range(3):
        run.end()
    execution, runs = records(run)
    ids = iter(f"new{number}" for number in range(9))
    take_up(run, replay(execution, runs, run.flow, run.now, lambda: next(ids), task_run_id=run.run("b").id))
    run.apply(PauseRequested())
    run.end()
    assert not run.jobs
    run.apply(KillRequested())
    assert run.ended
    assert run.state is StateType.SUCCESS


BATCHES = f"""
tasks:
  - {{id: each, type: {FLOW}ForEachItem, items: "kestra:///x", namespace: a, flowId: b}}
"""


@pytest.mark.parametrize("again", ["restart", "replay"])
def test_no_batch_is_lost_that_a_kill_has_left_alone_or_that_is_of_another_execution(again: str) -> None:
    run = FlowRun(BATCHES)
    run.end(outputs={"splits": "kestra:///y/splits", "numberOfBatches": 3})
    items = run.run("each_items").id
    for number in range(3):
        run.apply(ChildStarted(items, f"child{number}", "", wait=True))
    run.apply(ChildEnded(items, "child0", StateType.SUCCESS, "", generation=1))
    if again == "restart":
        run.apply(KillRequested(cascade=False))
        go_back(run)
    else:
        for child in ("child1", "child2"):
            run.apply(ChildEnded(items, child, StateType.FAILED, "", generation=1))
        execution, runs = records(run)
        ids = iter(f"new{number}" for number in range(9))
        take_up(run, replay(execution, runs, run.flow, run.now, lambda: next(ids), task_run_id=items))
    assert len(run.started) == 3 + 3


def test_batches_that_a_kill_has_left_alone_do_not_count_among_those_of_the_restart() -> None:
    run = FlowRun(BATCHES)
    run.end(outputs={"splits": "kestra:///y/splits", "numberOfBatches": 2})
    items = run.run("each_items").id
    run.apply(KillRequested(cascade=False))
    go_back(run)
    asked = [start.generation for start in run.started if isinstance(start, StartChild)]
    assert asked == [1, 1, 2, 2]
    for number, generation in enumerate(asked[:3]):
        run.apply(ChildEnded(items, f"child{number}", StateType.SUCCESS, "", generation=generation))
    run.apply(ChildRestarted(items, "child0", StateType.SUCCESS, "", generation=1))
    assert run.run("each_items").state.current is StateType.RUNNING
    run.apply(ChildEnded(items, "child3", StateType.SUCCESS, "", generation=2))
    assert run.run("each_items").state.current is StateType.SUCCESS
    assert (run.run("each_items").outputs or {})["iterations"]["SUCCESS"] == 2


def test_nothing_takes_the_place_of_an_execution_that_has_ended_for_what_fails_after_it() -> None:
    run = FlowRun(f"""
tasks: [{{id: a, {LOG}}}]
afterExecution:
  - id: both
    type: {FLOW}Parallel
    tasks:
      - {{id: wait, type: {FLOW}Pause}}
      - id: b
        {LOG.replace(", ", chr(10) + "        ")}
        retry: {{type: constant, interval: PT1M, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}}
""")
    run.end()
    assert run.state is StateType.PAUSED
    run.end(StateType.FAILED)
    assert run.run("b").state.current is StateType.FAILED
    run.apply(Resume())
    assert run.ended
    assert run.history().split()[-1] == "SUCCESS"


def test_an_agreement_sees_the_outputs_of_a_failed_try_whether_the_server_crashes_or_not() -> None:
    run = FlowRun("""
sla: [{id: holds, type: EXECUTION_ASSERTION, assert: "{{ (outputs.a.count ?? 0) == 0 }}", behavior: FAIL}]
tasks:
  - id: a
    type: io.kestra.plugin.core.debug.Return
    retry: {type: constant, interval: PT1M, maxAttempts: 3}
""")
    run.end(StateType.FAILED, outputs={"count": 1})
    run.fire()
    assert run.state is StateType.FAILED
    assert run.live.record.broken_slas == ("holds",)


@pytest.mark.parametrize("crashes", [False, True])
def test_a_new_execution_takes_the_place_of_another_only_when_all_in_that_has_stopped(crashes: bool) -> None:
    run = FlowRun(RETRIED.replace("PT1M", "PT1S"))
    run.end(StateType.FAILED)
    if crashes:
        run.crash()
    assert "replay" not in run.timers or run.state is StateType.RETRIED
    assert list(run.timers) == (["replay"] if crashes else ["kill"])
    if not crashes:
        run.fire()
    assert run.state is StateType.RETRIED
    assert run.fire() == "replay"
    assert run.replaced
