"""What ends an execution, or a part of it, from outside: agreements, time limits, kills; and breakpoints."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from windhover.engine.events import (
    Begin,
    ChildEnded,
    ChildStarted,
    KillRequested,
    LeaveBreakpoint,
    PauseRequested,
    Queued,
    Released,
    Resume,
)
from windhover.model.execution import Breakpoint
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import FlowRun


def work(task_id: str, indent: int = 2) -> str:
    pad = " " * indent
    return f"{pad}- {{id: {task_id}, type: io.kestra.plugin.core.debug.Return, format: x}}\n"


CLEANED = f"""
tasks:
  - id: seq
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
{work("a", 6)}{work("b", 6)}    errors:
{work("undo", 6)}    finally:
{work("unlock", 6)}errors:
{work("alert")}finally:
{work("clean")}{work("tell")}afterExecution:
{work("after")}"""


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("crashes", [False, True])
def test_what_cannot_run_ends_at_once_with_the_reasons(crashes: bool) -> None:
    run = FlowRun(CLEANED, begin=False)
    run.live.record.refusals = ("`n` is missing", "`m` is too large")
    if crashes:
        run.header = msgspec.json.encode(run.live.record)
        run.crash()
    else:
        run.apply(Begin())
    assert run.state is StateType.FAILED
    assert run.logs == ["ERROR `n` is missing", "ERROR `m` is too large"]
    assert run.live.record.refusals == ()
    assert run.waiting() == ["after"]
    run.end()
    assert run.ended
    assert list(run.live.runs_of_task) == ["after"]


# ---------------------------------------------------------------- kills


def test_finally_runs_after_a_kill_and_nothing_else() -> None:
    run = FlowRun(CLEANED)
    run.apply(KillRequested("ada"))
    assert run.waiting() == ["a"]
    run.end(StateType.KILLED)
    assert (run.waiting(), run.state) == (["unlock"], StateType.KILLING)
    run.end()
    assert run.history("seq") == "CREATED RUNNING KILLED"
    run.end()
    run.end()
    assert (run.state, run.waiting()) == (StateType.KILLED, ["after"])
    run.end()
    assert run.ended
    assert run.task_ids() == ["seq", "a", "unlock", "clean", "tell", "after"]
    assert run.history() == "CREATED RUNNING KILLING KILLED"
    assert not run.timers


def test_a_second_kill_ends_the_finally_tasks() -> None:
    run = FlowRun(CLEANED)
    run.apply(KillRequested("ada"))
    run.apply(KillRequested("ada"))
    assert len(run.kills) == 1, "the second kill of what only just stops changes nothing"
    run.end(StateType.KILLED)
    run.apply(KillRequested("bob"))
    assert run.logs[-1] == "INFO Execution killed again by bob."
    run.end(StateType.KILLED)
    assert run.state is StateType.KILLED
    assert "clean" not in run.task_ids()


def test_a_kill_lets_a_finally_that_runs_come_to_its_end() -> None:
    run = FlowRun(CLEANED)
    for _ in range(3):
        run.end()
    assert run.waiting() == ["clean"]
    run.apply(KillRequested())
    assert not run.kills
    run.end()
    run.end()
    assert run.state is StateType.KILLED


def test_finally_tasks_of_a_killed_execution_have_a_time_limit() -> None:
    run = FlowRun(CLEANED)
    run.apply(KillRequested())
    assert run.fire() == "kill"
    assert run.waiting() == ["a", "unlock"]
    assert run.fire() == "finally"
    assert run.logs[-1] == "ERROR The `finally` tasks took too long for an execution that is to stop."
    assert run.fire() == "kill"
    assert run.state is StateType.KILLED


def test_finally_of_a_killed_execution_goes_on_after_a_crash() -> None:
    run = FlowRun(CLEANED)
    run.apply(KillRequested())
    run.crash()
    assert run.waiting() == ["unlock"]
    run.crash()
    assert run.waiting() == ["unlock"]
    run.end()
    run.apply(KillRequested())
    run.crash()
    assert (run.state, run.waiting()) == (StateType.KILLED, ["after"])


def test_nothing_is_cleaned_up_where_nothing_began() -> None:
    run = FlowRun("concurrency: {limit: 1}\n" + CLEANED)
    other = FlowRun("concurrency: {limit: 1}\n" + CLEANED)
    assert run.state is other.state is StateType.RUNNING
    queued = FlowRun("concurrency: {limit: 1}\n" + CLEANED, begin=False)
    queued.apply(Queued(1))
    queued.apply(KillRequested())
    assert queued.task_ids() == ["after"]
    assert queued.history() == "CREATED QUEUED KILLING KILLED"


@pytest.mark.parametrize("crash", [False, True])
def test_a_kill_stops_what_runs_after_the_end(crash: bool) -> None:
    run = FlowRun(f"tasks:\n{work('a')}afterExecution:\n{work('after')}{work('never')}")
    run.end()
    assert (run.state, run.waiting(), run.ended) == (StateType.SUCCESS, ["after"], False)
    run.apply(KillRequested("ada"))
    if crash:
        run.crash()
    else:
        run.end(StateType.KILLED)
    assert run.ended
    assert run.state is StateType.SUCCESS
    assert run.run("after").state.current is StateType.KILLED
    assert "never" not in run.task_ids()
    assert not run.timers


def test_an_exit_is_not_undone_by_a_crash() -> None:
    run = FlowRun(f"""
tasks:
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
{work("long", 6)}      - {{id: leave, type: io.kestra.plugin.core.execution.Exit, state: WARNING}}
{work("next")}""")
    run.crash()
    run.end()
    assert run.history() == "CREATED RUNNING WARNING"
    assert "next" not in run.task_ids()


# ---------------------------------------------------------------- agreements

LIMITED = f"""
sla:
  - {{id: soon, type: MAX_DURATION, duration: PT10S, behavior: %s, labels: {{late: "yes"}}}}
{CLEANED}"""


@pytest.mark.parametrize(("behavior", "state"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
def test_an_execution_that_takes_too_long_is_stopped(behavior: str, state: str) -> None:
    run = FlowRun(LIMITED % behavior)
    assert run.fire() == "sla:soon"
    assert run.kills == [run.run("a").id]
    assert run.state is StateType.RUNNING, "its work has not ended yet"
    run.crash()
    assert run.waiting() == ["unlock"]
    for _ in range(4):
        run.end()
    assert run.ended
    assert run.history() == f"CREATED RUNNING {state}"
    assert run.run("seq").state.current.value == state
    assert run.run("a").state.current is StateType.KILLED
    assert "alert" not in run.task_ids()
    assert ("late", "yes") in [(label.key, label.value) for label in run.live.record.labels]
    reason = "SLA 'soon' violated: execution duration of PT10.001S exceed the maximum duration of PT10S."
    assert f"WARN {reason}" in run.logs
    assert not run.timers


def test_an_agreement_may_only_be_noted() -> None:
    run = FlowRun(LIMITED % "NONE")
    run.fire()
    assert not run.kills
    for _ in range(5):
        run.end()
    assert run.history() == "CREATED RUNNING SUCCESS"
    assert run.live.record.broken_slas == ("soon",)


def test_the_time_of_an_agreement_is_dropped_at_the_end() -> None:
    run = FlowRun(LIMITED % "FAIL")
    assert list(run.timers) == ["sla:soon"]
    for _ in range(5):
        run.end()
    assert not run.timers


ASSERTED = f"""
sla:
  - {{id: good, type: EXECUTION_ASSERTION, assert: "{{{{ outputs.a.value == 'good' }}}}", behavior: %s}}
tasks:
{work("a")}{work("b")}"""


def test_an_assertion_that_is_broken_ends_the_execution() -> None:
    run = FlowRun(ASSERTED % "FAIL")
    run.end(outputs={"value": "bad"})
    assert run.ended
    assert run.history() == "CREATED RUNNING FAILED"
    assert run.task_ids() == ["a"]
    said = [line for line in run.logs if "good" in line]
    assert len([line for line in said if line.startswith("ERROR Ignoring SLA 'good'")]) == 1
    assert "WARN SLA 'good' violated: assertion is false: {{ outputs.a.value == 'good' }}." in said


def test_an_assertion_about_the_last_task_counts() -> None:
    run = FlowRun(ASSERTED.replace(work("b"), "") % "CANCEL")
    run.end(outputs={"value": "bad"})
    assert run.history() == "CREATED RUNNING CANCELLED"


def test_an_assertion_that_holds_changes_nothing() -> None:
    run = FlowRun(ASSERTED % "FAIL")
    run.end(outputs={"value": "good"})
    run.end()
    assert run.history() == "CREATED RUNNING SUCCESS"


def test_a_paused_execution_keeps_its_agreement() -> None:
    run = FlowRun("""
sla: [{id: soon, type: MAX_DURATION, duration: PT10S, behavior: FAIL}]
tasks: [{id: wait, type: io.kestra.plugin.core.flow.Pause}]
finally: [{id: clean, type: io.kestra.plugin.core.debug.Return}]
""")
    assert run.state is StateType.PAUSED
    run.fire()
    run.end()
    assert run.history() == "CREATED RUNNING PAUSED RUNNING FAILED"


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


# ---------------------------------------------------------------- breakpoints

EACH = """
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: first, type: io.kestra.plugin.core.debug.Return}
      - {id: second, type: io.kestra.plugin.core.debug.Return}
"""


def test_an_execution_stops_at_a_breakpoint() -> None:
    run = FlowRun(EACH, breakpoints=[Breakpoint("second", "b")])
    for _ in range(3):
        run.end()
    assert (run.state, run.waiting()) == (StateType.BREAKPOINT, [])
    assert run.logs[-1] == "INFO Stopped at the breakpoint before the task 'second'."
    run.apply(PauseRequested())
    run.crash()
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint())
    assert run.waiting() == ["second"]
    run.end()
    assert run.history() == "CREATED RUNNING BREAKPOINT RUNNING SUCCESS"


def test_other_breakpoints_may_be_set_when_one_is_left() -> None:
    run = FlowRun(EACH, breakpoints=[Breakpoint("first")])
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint((Breakpoint("second"),)))
    run.end()
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint(()))
    for _ in range(3):
        run.end()
    assert run.state is StateType.SUCCESS


def test_an_execution_is_killed_at_a_breakpoint() -> None:
    run = FlowRun(EACH, breakpoints=[Breakpoint("first")])
    run.apply(KillRequested())
    assert run.history() == "CREATED RUNNING BREAKPOINT KILLING KILLED"


# ---------------------------------------------------------------- waiting for a turn


def test_an_execution_tells_why_it_waits_and_not_for_ever() -> None:
    source = "concurrency: {limit: 1, maxWait: PT10M}\n" + CLEANED
    run = FlowRun(source, begin=False)
    run.apply(Queued(1))
    assert run.live.record.waits_for == "The flow runs at most 1 executions at once (`concurrency.limit`)."
    assert run.fire() == "queue"
    assert run.history() == "CREATED QUEUED FAILED"
    assert run.logs[-1] == "ERROR Execution is FAILED because it waited for its turn longer than PT10M."
    assert run.live.record.waits_for is None

    run = FlowRun(source, begin=False)
    run.apply(Queued(1))
    run.apply(KillRequested())
    assert (run.state, run.timers, run.live.record.waits_for) == (StateType.KILLED, {}, None)

    run = FlowRun(source, begin=False)
    run.apply(Queued(1))
    run.apply(Released())
    assert (run.waiting(), run.timers, run.live.record.waits_for) == (["a"], {}, None)


def test_the_longest_wait_may_be_that_of_the_server() -> None:
    run = FlowRun("concurrency: {limit: 1}\n" + CLEANED, begin=False, queue_limit=timedelta(hours=2))
    run.apply(Queued(1))
    assert run.timers["queue"] - run.now == timedelta(hours=2)


# ---------------------------------------------------------------- tasks after the end that wait

AFTER_END = """
tasks:
  - {id: work, type: io.kestra.plugin.core.debug.Return}
afterExecution:
  - %s
  - {id: last, type: io.kestra.plugin.core.debug.Return}
"""
AFTER_PAUSE = "{id: wait, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT1H%s}"
AFTER_RETRY = (
    "{id: wait, type: io.kestra.plugin.core.execution.Fail, "
    "retry: {type: constant, interval: PT1H, maxAttempts: 2}}"
)


@pytest.mark.parametrize("state", [StateType.SUCCESS, StateType.FAILED])
def test_a_pause_after_the_end_leads_back_to_it(state: StateType) -> None:
    run = FlowRun(AFTER_END % AFTER_PAUSE % "")
    run.end(state)
    run.fire()
    run.end()
    assert run.history() == f"CREATED RUNNING {state.value} PAUSED RESTARTED RUNNING {state.value}"
    assert run.ended


@pytest.mark.parametrize("waits", [AFTER_PAUSE % "", AFTER_RETRY])
def test_a_kill_ends_what_waits_after_the_end(waits: str) -> None:
    run = FlowRun(AFTER_END % waits)
    run.end()
    if run.waiting():
        run.end(StateType.FAILED)
    paused = " PAUSED SUCCESS" if run.state is StateType.PAUSED else ""
    run.apply(KillRequested("me"))
    assert run.history() == f"CREATED RUNNING SUCCESS{paused}"
    assert (run.ended, run.run("wait").state.current) == (True, StateType.KILLED)
    assert "last" not in run.task_ids()
    assert "INFO The tasks after the end of the execution are stopped by me." in run.logs
    assert not run.timers


def test_a_pause_after_the_end_that_nobody_resumes_cancels_no_more_than_what_follows() -> None:
    run = FlowRun(AFTER_END % AFTER_PAUSE % ", behavior: CANCEL")
    run.end()
    run.fire()
    assert run.history() == "CREATED RUNNING SUCCESS PAUSED SUCCESS"
    assert run.ended
    assert "last" not in run.task_ids()


def test_an_agreement_ends_with_the_execution_though_it_waits_again() -> None:
    agreement = "sla: [{id: holds, type: EXECUTION_ASSERTION, assert: '%s', behavior: FAIL}]\n"
    holds = agreement % '{{ (outputs.wait.onResume.no ?? "") == "" }}'
    run = FlowRun(holds + AFTER_END % AFTER_PAUSE % "")
    run.end()
    run.apply(Resume(inputs={"no": "x"}))
    run.end()
    assert run.history() == "CREATED RUNNING SUCCESS PAUSED RESTARTED RUNNING SUCCESS"


def test_a_pause_still_waits_when_a_breakpoint_beside_it_is_left() -> None:
    run = FlowRun(
        """
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    onPause: {id: notice, type: io.kestra.plugin.core.debug.Return}
""",
        breakpoints=[Breakpoint("notice")],
    )
    assert run.state is StateType.BREAKPOINT
    run.apply(LeaveBreakpoint())
    assert (run.state, run.waiting()) == (StateType.PAUSED, ["notice"])
    run.crash()
    run.end()
    run.apply(Resume())
    assert run.state is StateType.SUCCESS
    assert run.ended
