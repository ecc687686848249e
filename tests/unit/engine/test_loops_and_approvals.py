"""Loops with rounds of their own, and approvals: what the engine makes of them, crashes included."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.engine.flow_run import FlowRun

from windhover.engine.events import KillRequested, Resume
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.flowable import Decision

LOOP = """
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.Loop
    values: {x: a, y: b, z: a}
    concurrencyLimit: 2
    breakWhen: "{{ iteration.outputs.seen == 'stop' }}"
    outputs:
      - {id: seen, type: STRING, value: "{{ outputs.second.value }}"}
    tasks:
      - {id: first, type: io.kestra.plugin.core.debug.Return, format: "{{ item.value }}"}
      - {id: second, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.first.value }}"}
  - {id: after, type: io.kestra.plugin.core.debug.Return, format: done}
"""

APPROVAL = """
tasks:
  - id: ask
    type: io.kestra.plugin.core.flow.Approval
    timeout: PT1H
    denyBehavior: CANCEL
    onWait: [{id: notify, type: io.kestra.plugin.core.log.Log, message: hello}]
    onApprove: [{id: pay, type: io.kestra.plugin.core.log.Log, message: pay}]
    onDeny: [{id: keep, type: io.kestra.plugin.core.log.Log, message: keep}]
  - {id: after, type: io.kestra.plugin.core.log.Log, message: after}
"""


def _play(run: FlowRun, crash_after: int | None = None) -> None:
    """Do all jobs, each as Return would, with a crash after so many."""
    done = 0
    while run.jobs:
        if done == crash_after:
            run.crash()
        done += 1
        variables = run.jobs[0].variables
        outputs = variables["outputs"]
        # Of the same round: there may be many with the same value.
        before = outputs.get("first", {})
        value = before.get("value", f"{variables['item']['key']}" if "item" in variables else "end")
        run.end(outputs={"value": value})


def _results(run: FlowRun) -> list[JsonValue]:
    return [each["outputs"]["seen"] for each in (run.run("loop").outputs or {})["outputs"]]


def test_outputs_of_all_rounds_beyond_the_limit_fail_the_loop_and_say_what_to_do() -> None:
    run = FlowRun(LOOP)
    run.environment = msgspec.structs.replace(run.environment, max_loop_outputs=50)
    _play(run)
    assert run.run("loop").state.current is StateType.FAILED
    assert run.run("loop").outputs == {"iterationCount": 3, "runningIterations": 0, "terminatedIterations": 3}
    (line,) = [line for line in run.logs if line.startswith("ERROR")]
    assert "more than the limit of 50. `fetchType: STORE` writes them to a file" in line


@pytest.mark.parametrize("crash_after", [None, *range(7)])
def test_rounds_keep_what_is_theirs_through_a_crash(crash_after: int | None) -> None:
    run = FlowRun(LOOP)
    assert len(run.jobs) == 2
    _play(run, crash_after)
    assert run.state is StateType.SUCCESS
    assert _results(run) == ["x", "y", "z"]
    item = (run.run("loop").outputs or {})["outputs"][2]["item"]
    assert item == {"value": "a", "iteration": 2, "key": "z"}


def test_no_round_begins_after_the_break_though_the_server_dies() -> None:
    run = FlowRun(LOOP)
    run.end(outputs={"value": "x"})
    run.end(outputs={"value": "y"})
    run.end(outputs={"value": "stop"})
    run.crash()
    run.end(outputs={"value": "y"})
    assert run.waiting() == ["after"]
    assert _results(run) == ["stop", "y"]


def test_a_kill_reaches_all_rounds() -> None:
    run = FlowRun(LOOP)
    run.apply(KillRequested())
    assert len(run.kills) == 2
    for _ in range(2):
        run.end(StateType.KILLED)
    assert run.state is StateType.KILLED
    assert {node.record.state.current for node in run.live.nodes.values()} == {StateType.KILLED}


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize(
    ("decision", "branch", "state"),
    [(Decision.APPROVED, "pay", StateType.SUCCESS), (Decision.DENIED, "keep", StateType.CANCELLED)],
)
def test_a_decision_survives_a_crash(
    decision: Decision, branch: str, state: StateType, *, crash: bool
) -> None:
    run = FlowRun(APPROVAL)
    assert run.state is StateType.PAUSED
    assert run.waiting() == ["notify"]
    run.end()
    if crash:
        run.crash()
    run.apply(Resume(decision=decision, comment="why", actor="ada"))
    assert run.waiting() == [branch]
    if crash:
        run.crash()
    while run.jobs:
        run.end()
    assert run.state is state
    assert ("after" in run.task_ids()) == (decision is Decision.APPROVED)
    outputs = run.run("ask").outputs or {}
    assert {name: outputs[name] for name in ("decision", "by", "comment")} == {
        "decision": decision.value,
        "by": "ada",
        "comment": "why",
    }
    assert not run.timers


def test_a_decision_that_comes_too_late_changes_nothing() -> None:
    run = FlowRun(APPROVAL)
    run.end()
    assert run.fire().startswith("pause:")
    assert run.state is StateType.CANCELLED
    run.apply(Resume(decision=Decision.APPROVED))
    assert run.state is StateType.CANCELLED
    assert (run.run("ask").outputs or {})["decision"] == "EXPIRED"
