"""Pauses beside other work, and the states they end in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from windhover.engine.events import KillRequested, PauseRequested, Resume, TimerFired
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import FlowRun

PAUSE = "io.kestra.plugin.core.flow.Pause"
BESIDE = """
tasks:
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: first, type: io.kestra.plugin.core.flow.Pause}
      - {id: second, type: io.kestra.plugin.core.flow.Pause}
      - {id: work, type: io.kestra.plugin.core.log.Log, message: x}
  - {id: last, type: io.kestra.plugin.core.log.Log, message: x}
"""


def a_pause(properties: str) -> FlowRun:
    return FlowRun(
        f"""
tasks:
  - {{id: wait, type: io.kestra.plugin.core.flow.Pause, {properties}}}
"""
    )


def test_what_begins_together_with_a_pause_is_not_held_up() -> None:
    run = FlowRun(BESIDE)

    assert run.waiting() == ["work"]
    assert [run.history(pause) for pause in ("first", "second")] == ["CREATED RUNNING PAUSED"] * 2
    assert run.history() == "CREATED RUNNING PAUSED"


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_is_resumed_shows_that_a_task_still_waits_for_another_try(by_hand: bool) -> None:
    run = FlowRun(
        f"""
tasks:
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: wait, type: {"io.kestra.plugin.core.debug.Return" if by_hand else PAUSE}}}
      - id: work
        type: io.kestra.plugin.core.debug.Return
        retry: {{type: constant, interval: PT10S, maxAttempts: 2}}
"""
    )
    if by_hand:
        run.apply(PauseRequested())
        run.end()
    run.end(StateType.FAILED)
    assert run.state is StateType.PAUSED
    run.apply(Resume())
    between = "" if by_hand else "RESTARTED "
    assert run.history() == f"CREATED RUNNING PAUSED {between}RUNNING RETRYING"
    run.fire()
    assert run.state is StateType.RUNNING


@pytest.mark.parametrize("meanwhile", ["", "onPause: {id: notice, type: io.kestra.plugin.core.debug.Return}"])
def test_what_runs_beside_a_pause_that_cancels_comes_to_its_own_end(meanwhile: str) -> None:
    run = FlowRun(
        f"""
tasks:
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: wait, type: {PAUSE}, pauseDuration: PT1S, behavior: CANCEL, {meanwhile}}}
      - {{id: beside, type: io.kestra.plugin.core.debug.Return}}
"""
    )
    run.fire()
    assert not run.kills
    while run.jobs:
        run.end()
    assert run.state is StateType.CANCELLED
    assert run.history("wait").endswith("PAUSED CANCELLED" if not meanwhile else "PAUSED RUNNING CANCELLED")
    assert run.history("beside") == "CREATED SUBMITTED RUNNING SUCCESS"


def test_an_execution_rests_until_the_last_of_its_pauses_is_over() -> None:
    run = FlowRun(BESIDE)
    run.end()

    run.apply(Resume())
    assert run.history("first") == "CREATED RUNNING PAUSED SUCCESS"
    assert run.history() == "CREATED RUNNING PAUSED"

    run.apply(Resume())
    assert run.history() == "CREATED RUNNING PAUSED RESTARTED RUNNING"
    assert run.waiting() == ["last"]


def test_a_task_beside_a_pause_may_end_the_execution() -> None:
    run = FlowRun(
        """
tasks:
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: wait, type: io.kestra.plugin.core.flow.Pause}
      - {id: exit, type: io.kestra.plugin.core.execution.Exit, state: FAILED}
"""
    )

    assert run.state is StateType.FAILED
    assert run.run("wait").state.current is StateType.FAILED


def test_resuming_by_hand_is_noted_though_nothing_was_asked() -> None:
    run = a_pause("description: nothing is asked")
    run.apply(Resume())

    outputs = run.run("wait").outputs
    assert outputs is not None
    assert outputs["onResume"] == {}


@pytest.mark.parametrize(("behavior", "end"), [("WARN", "WARNING"), ("FAIL", "FAILED")])
def test_the_end_that_a_behavior_chooses_is_not_softened(behavior: str, end: str) -> None:
    run = a_pause(f"pauseDuration: PT1S, behavior: {behavior}, allowFailure: true, allowWarning: true")
    run.fire()

    assert run.history("wait") == f"CREATED RUNNING PAUSED {end}"


@pytest.mark.parametrize(
    "properties", ["pauseDuration: '{{ null }}'", "timeout: ''", "delay: '{{ vars.no ?? null }}'"]
)
def test_a_time_that_comes_to_nothing_is_no_limit(properties: str) -> None:
    run = a_pause(properties)
    assert run.history("wait") == "CREATED RUNNING PAUSED"
    assert run.timers == {}


def test_a_pause_that_nobody_resumes_in_time_counts_as_an_attempt() -> None:
    run = a_pause("pauseDuration: PT1S, behavior: CANCEL")
    run.fire()
    assert run.state is StateType.CANCELLED
    assert run.live.record.metadata.attempt_number == 2


@pytest.mark.parametrize(
    ("properties", "history"),
    [
        ("timeout: PT1S", "CREATED RUNNING PAUSED FAILED"),
        ("timeout: PT1S, allowFailure: true", "CREATED RUNNING PAUSED WARNING"),
        (
            "timeout: PT1S, tasks: [{id: inside, type: io.kestra.plugin.core.log.Log, message: x}]",
            "CREATED RUNNING PAUSED RUNNING FAILED",
        ),
    ],
)
def test_a_pause_that_takes_too_long_fails(properties: str, history: str) -> None:
    run = a_pause(properties)
    run.fire()

    assert run.history("wait") == history


def test_a_kill_ends_a_pause_as_a_resume_does() -> None:
    run = a_pause("")
    run.apply(KillRequested("ada"))
    assert run.ended
    assert run.history() == "CREATED RUNNING PAUSED RESTARTED KILLING KILLED"
    resumed = (run.run("wait").outputs or {})["resumed"]
    assert isinstance(resumed, dict)
    assert resumed["to"] == "KILLING"


@pytest.mark.parametrize(
    ("finally_", "history"),
    [
        ("", "CREATED RUNNING PAUSED FAILED"),
        (
            "finally: [{id: clean, type: io.kestra.plugin.core.debug.Return}]",
            "CREATED RUNNING PAUSED RUNNING FAILED",
        ),
    ],
)
@pytest.mark.parametrize(
    "waiting",
    [
        "{id: waits, type: io.kestra.plugin.core.flow.Pause}",
        "{id: waits, type: io.kestra.plugin.core.flow.LoopUntil, condition: '{{ false }}',"
        " tasks: [{id: asks, type: io.kestra.plugin.core.debug.Return}]}",
    ],
)
def test_what_waits_runs_again_before_its_end_only_if_something_is_to_run(
    waiting: str, finally_: str, history: str
) -> None:
    run = FlowRun(f"""
sla: [{{id: soon, type: MAX_DURATION, duration: PT1S, behavior: FAIL}}]
tasks: [{waiting}]
{finally_}
""")
    if run.jobs:
        run.end()
    run.apply(TimerFired("sla:soon"))
    if run.jobs:
        run.end()
    assert run.ended
    assert run.history() == history


def test_what_cannot_be_begun_has_no_outputs_rather_than_none() -> None:
    run = a_pause("pauseDuration: '{{ nope }}'")
    assert run.history("wait") == "CREATED RUNNING FAILED"
    assert run.run("wait").outputs == {}


@pytest.mark.parametrize(
    ("inside", "state"),
    [
        ("", "FAILED"),
        ("tasks: [{id: in, type: io.kestra.plugin.core.log.Log, message: x}]", "WARNING"),
        ("finally: [{id: in, type: io.kestra.plugin.core.log.Log, message: x}]", "WARNING"),
    ],
)
def test_a_failure_is_allowed_to_a_pause_with_an_inside_as_to_other_flow_control(
    inside: str, state: str
) -> None:
    run = a_pause(f"pauseDuration: PT1M, behavior: FAIL, allowFailure: true, {inside}")
    run.fire()
    if "finally" in inside:
        run.end()
    assert run.state.value == state
    assert ("in" in [node.record.task_id for node in run.live.nodes.values()]) is ("finally" in inside)
