"""What takes too long: flow control, and executions that others wait for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from windhover.engine.events import (
    ChildEnded,
    ChildStarted,
)
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import FlowRun, work

# ---------------------------------------------------------------- time limits

TIMED = f"""
tasks:
  - id: seq
    type: io.kestra.plugin.core.flow.Parallel
    timeout: PT1M
    allowFailure: %s
    tasks:
{work("a", 6)}      - id: inner
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
{work("b", 10)}        finally:
{work("unlock", 10)}    errors:
{work("undo", 6)}    finally:
{work("done", 6)}{work("next")}"""


def test_flow_control_that_takes_too_long_fails_and_is_cleaned_up() -> None:
    run = FlowRun(TIMED % "true")
    assert run.fire().startswith("timeout:")
    assert "ERROR Timeout after 00:01:00.000" in run.logs
    assert len(run.kills) == 2
    run.end(StateType.KILLED)
    run.end(StateType.KILLED)
    assert run.waiting() == ["unlock"], "what it holds is cleaned up before its own errors run"
    for task in ("unlock", "undo", "done", "next"):
        assert run.end().identity.task_id == task
    assert run.ended
    assert run.history("seq") == "CREATED RUNNING WARNING"
    assert run.history("inner") == "CREATED RUNNING KILLED"
    assert not run.timers


def test_what_does_not_stop_in_time_is_given_up() -> None:
    run = FlowRun(TIMED % "false")
    run.fire()
    assert run.fire().startswith("timeout:")
    assert run.waiting()[2:] == ["unlock"]


def test_a_time_limit_survives_a_crash_while_it_stops_its_tasks() -> None:
    run = FlowRun(TIMED % "false")
    run.fire()
    run.crash()
    assert run.waiting() == ["unlock"]
    run.end()
    run.crash()
    for task in ("undo", "done"):
        assert run.end().identity.task_id == task
    assert run.history() == "CREATED RUNNING FAILED"


def test_a_time_limit_that_was_kept_is_forgotten() -> None:
    run = FlowRun(TIMED % "false")
    for _ in range(5):
        run.end()
    assert run.state is StateType.SUCCESS
    assert not run.timers


def test_a_time_limit_ends_the_wait_for_a_retry() -> None:
    run = FlowRun("""
tasks:
  - id: seq
    type: io.kestra.plugin.core.flow.Sequential
    timeout: PT1M
    tasks:
      - id: a
        type: io.kestra.plugin.core.debug.Return
        retry: {type: constant, interval: PT1H}
finally: [{id: clean, type: io.kestra.plugin.core.debug.Return}]
""")
    run.end(StateType.FAILED)
    assert run.state is StateType.RETRYING
    assert run.fire().startswith("timeout:")
    assert run.state is StateType.RUNNING
    run.end()
    assert run.history("a").endswith("FAILED RETRYING KILLED")
    assert run.history("seq") == "CREATED RUNNING FAILED"
    assert not run.timers


def test_a_time_limit_ends_a_pause_inside() -> None:
    run = FlowRun("""
tasks:
  - id: seq
    type: io.kestra.plugin.core.flow.Sequential
    timeout: PT1M
    allowFailure: true
    tasks: [{id: wait, type: io.kestra.plugin.core.flow.Pause}]
  - {id: next, type: io.kestra.plugin.core.debug.Return}
""")
    assert run.state is StateType.PAUSED
    run.fire()
    assert (run.state, run.waiting()) == (StateType.RUNNING, ["next"])
    assert run.history("wait") == "CREATED RUNNING PAUSED KILLED"


def test_a_time_limit_ends_a_loop_between_two_rounds() -> None:
    run = FlowRun("""
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.LoopUntil
    timeout: PT1M
    condition: "false"
    checkFrequency: {interval: PT1H}
    tasks: [{id: a, type: io.kestra.plugin.core.debug.Return}]
""")
    run.end()
    assert run.state is StateType.PAUSED
    run.fire()
    assert run.ended
    assert run.history("loop") == "CREATED RUNNING PAUSED RUNNING FAILED"
    assert not run.timers


CHILD = """
tasks:
  - id: sub
    type: io.kestra.plugin.core.flow.Subflow
    namespace: company.team
    flowId: child
    timeout: PT1M
    retry: {type: constant, interval: PT1S, maxAttempts: 2}
"""


def test_a_subflow_that_takes_too_long_is_killed_and_tried_again() -> None:
    run = FlowRun(CHILD)
    task_run = run.run("sub").id
    for attempt in range(2):
        run.apply(ChildStarted(task_run, f"child{attempt}", "link", True))
        assert run.fire().startswith("timeout:")
        assert run.children_killed == [f"child{n}" for n in range(attempt + 1)]
        run.apply(ChildEnded(task_run, f"child{attempt}", StateType.KILLED, "link"))
        if attempt == 0:
            assert run.fire().startswith("retry:")
    assert run.history() == "CREATED RUNNING RETRYING RUNNING FAILED"
    assert [a.state.current.value for a in run.run("sub").attempts or ()] == ["FAILED", "FAILED"]
    assert run.logs.count("ERROR Timeout after 00:01:00.000") == 2
    assert not run.timers


@pytest.mark.parametrize(
    ("properties", "level", "state"),
    [
        ("", "ERROR", "FAILED"),
        ("allowFailure: true", "WARN", "WARNING"),
        ("allowFailure: true, allowWarning: true", "INFO", "SUCCESS"),
        ("transmitFailed: false", "INFO", "SUCCESS"),
        ("retry: {type: constant, interval: PT1S, maxAttempts: 2}, allowFailure: true", "ERROR", "RETRYING"),
    ],
)
def test_the_line_on_a_failed_subflow_is_as_bad_as_what_it_means(
    properties: str, level: str, state: str
) -> None:
    task = "id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child"
    run = FlowRun(f"tasks: [{{{task}, {properties}}}]" if properties else f"tasks: [{{{task}}}]")
    task_run = run.run("sub").id
    run.apply(ChildStarted(task_run, "child", "link", True))
    run.apply(ChildEnded(task_run, "child", StateType.FAILED, "link"))
    assert f"{level} Subflow execution link ends in FAILED state" in run.logs
    assert run.run("sub").state.current.value == state
