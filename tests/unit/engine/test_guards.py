"""What ends an execution from outside: refusals, kills and agreements."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from windhover.engine.events import (
    Begin,
    KillRequested,
    Queued,
)
from windhover.model.state import StateType

sys.path.insert(0, str(Path(__file__).parent))
from flow_run import CLEANED, FlowRun, work

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
