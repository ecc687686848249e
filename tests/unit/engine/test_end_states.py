"""Which state a task run ends in, by its own flags and by what its children came to."""

from __future__ import annotations

import pytest
from tests.unit.engine.flow_run import START, FlowRun

from windhover.engine.creation import new_execution
from windhover.model.state import StateType

ALLOW_FAILURE = """
tasks:
  - id: group
    type: io.kestra.plugin.core.flow.AllowFailure
    {flags}
    tasks:
      - {{id: work, type: io.kestra.plugin.core.log.Log, message: hi}}
"""


@pytest.mark.parametrize(
    ("flags", "work", "group"),
    [
        ("", StateType.FAILED, StateType.WARNING),
        ("", StateType.WARNING, StateType.WARNING),
        ("allowWarning: true", StateType.FAILED, StateType.WARNING),
        ("allowWarning: true", StateType.WARNING, StateType.SUCCESS),
        ("allowFailure: true", StateType.FAILED, StateType.WARNING),
        ("{allowFailure: true, allowWarning: true}", StateType.FAILED, StateType.SUCCESS),
    ],
)
def test_a_failure_that_is_allowed_is_a_warning_even_where_warnings_are(
    flags: str, work: StateType, group: StateType
) -> None:
    lines = flags.strip("{}").replace(", ", "\n    ")
    run = FlowRun(ALLOW_FAILURE.format(flags=lines))
    run.end(work)
    assert run.run("group").state.current is group
    assert run.state is group


@pytest.mark.parametrize("kind", ["Labels", "SetVariables"])
def test_a_task_that_changes_the_execution_counts_the_attempts_before_its_own(kind: str) -> None:
    named = {"Labels": "labels", "SetVariables": "variables"}[kind]
    run = FlowRun(f"""
tasks:
  - id: change
    type: io.kestra.plugin.core.execution.{kind}
    {named}: {{tries: "{{{{ taskrun.attemptsCount }}}}"}}
""")
    record = run.live.record
    seen = {label.key: label.value for label in record.labels} | (record.variables or {})
    assert seen["tries"] == "0"
    assert run.state is StateType.SUCCESS


def test_a_change_that_cannot_be_rendered_is_an_attempt_that_never_began() -> None:
    run = FlowRun("""
tasks:
  - {id: change, type: io.kestra.plugin.core.execution.Labels, labels: {a: "{{ nope.x }}"}}
""")
    assert run.history("change") == "CREATED FAILED"
    (attempt,) = run.run("change").attempts or ()
    assert [change.state for change in attempt.state.histories] == [StateType.FAILED]
    assert "Unable to find `nope`" in run.logs[0]


@pytest.mark.parametrize(
    ("task", "attempts"),
    [
        ("type: io.kestra.plugin.core.execution.Exit", ["FAILED"]),
        ("type: io.kestra.plugin.core.execution.Labels, labels: {a: b}", ["FAILED"]),
        ("type: io.kestra.plugin.core.flow.Subflow, namespace: a, flowId: b", ["FAILED"]),
        ("type: io.kestra.plugin.core.log.Log, message: hi", []),
        ("type: io.kestra.plugin.core.flow.Pause", []),
    ],
)
def test_what_the_engine_does_itself_has_an_attempt_when_its_condition_fails(
    task: str, attempts: list[str]
) -> None:
    run = FlowRun(f"""
tasks:
  - {{id: work, {task}, runIf: "{{{{ nope.x }}}}"}}
""")
    assert run.history("work") == "CREATED FAILED"
    assert [attempt.state.current.value for attempt in run.run("work").attempts or ()] == attempts


def test_exit_as_the_last_task_skips_finally_and_runs_what_follows_the_end() -> None:
    run = FlowRun("""
tasks:
  - {id: exit, type: io.kestra.plugin.core.execution.Exit, state: WARNING}
finally:
  - {id: clean, type: io.kestra.plugin.core.log.Log, message: hi}
afterExecution:
  - {id: tell, type: io.kestra.plugin.core.log.Log, message: hi}
  - {id: note, type: io.kestra.plugin.core.log.Log, message: hi}
""")
    assert run.state is StateType.WARNING
    while run.jobs:
        run.end()
    assert run.task_ids() == ["exit", "tell", "note"]
    assert run.ended


def test_a_change_of_the_execution_is_not_seen_by_what_begins_together_with_it() -> None:
    run = FlowRun("""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: change, type: io.kestra.plugin.core.execution.SetVariables, variables: {v: after}}
      - {id: beside, type: io.kestra.plugin.core.log.Log, message: "{{ vars.v }}"}
      - id: inside
        type: io.kestra.plugin.core.flow.Sequential
        tasks: [{id: later, type: io.kestra.plugin.core.log.Log, message: "{{ vars.v }}"}]
""")
    beside, later = run.jobs
    assert "vars" not in beside.variables
    assert later.variables["vars"] == {"v": "after"}


def test_a_shared_directory_comes_to_its_own_end_beside_a_failure() -> None:
    run = FlowRun("""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: directory
        type: io.kestra.plugin.core.flow.WorkingDirectory
        tasks:
          - {id: first, type: io.kestra.plugin.core.log.Log, message: hi}
          - {id: second, type: io.kestra.plugin.core.log.Log, message: hi}
      - {id: work, type: io.kestra.plugin.core.log.Log, message: hi}
      - id: group
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
          - {id: one, type: io.kestra.plugin.core.log.Log, message: hi}
          - {id: two, type: io.kestra.plugin.core.log.Log, message: hi}
""")
    run.jobs.sort(key=lambda job: job.identity.task_id != "work")
    run.end(StateType.FAILED)
    while run.jobs:
        run.end()
    assert run.run("directory").state.current is StateType.SUCCESS
    assert run.run("group").state.current is StateType.FAILED
    assert "second" in run.task_ids()
    assert "two" not in run.task_ids()
    assert run.state is StateType.FAILED


DIRECTORY_BESIDE_A_PAUSE = """
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: directory
        type: io.kestra.plugin.core.flow.WorkingDirectory
        tasks:
          - {id: first, type: io.kestra.plugin.core.log.Log, message: hi}
          - {id: second, type: io.kestra.plugin.core.log.Log, message: hi}
        errors:
          - {id: mend, type: io.kestra.plugin.core.log.Log, message: hi}
      - {id: pause, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT1S, behavior: CANCEL}
"""


def test_a_shared_directory_goes_on_while_the_execution_is_paused() -> None:
    run = FlowRun(DIRECTORY_BESIDE_A_PAUSE)
    run.end()
    run.end()
    assert run.state is StateType.PAUSED
    assert run.run("directory").state.current is StateType.SUCCESS
    run.fire()
    assert run.state is StateType.CANCELLED


@pytest.mark.parametrize("end", [StateType.SUCCESS, StateType.FAILED])
def test_a_pause_that_cancels_waits_for_a_shared_directory(end: StateType) -> None:
    run = FlowRun(DIRECTORY_BESIDE_A_PAUSE)
    run.end()
    run.fire()
    assert run.state is StateType.PAUSED
    run.end(end)
    assert run.run("directory").state.current is end
    assert "mend" not in run.task_ids()
    assert run.state is StateType.CANCELLED


@pytest.mark.parametrize("where", ["flow", "task"])
def test_what_fails_after_the_end_starts_no_other_execution(where: str) -> None:
    retry = "retry: {type: constant, interval: PT1S, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}"
    run = FlowRun(f"""
{retry if where == "flow" else ""}
tasks:
  - {{id: a, type: io.kestra.plugin.core.log.Log, message: hi}}
afterExecution:
  - id: z
    type: io.kestra.plugin.core.log.Log
    message: hi
    {retry if where == "task" else ""}
""")
    run.end()
    run.end(StateType.FAILED)
    assert run.timers == {}
    assert run.run("z").state.current is StateType.FAILED
    assert run.history() == "CREATED RUNNING SUCCESS"
    assert run.ended


def test_outputs_see_the_execution_on_its_way() -> None:
    run = FlowRun("""
tasks:
  - {id: fail, type: io.kestra.plugin.core.execution.Fail}
outputs:
  - {id: state, type: STRING, value: "{{ execution.state }}"}
afterExecution:
  - {id: after, type: io.kestra.plugin.core.log.Log, message: "{{ execution.state }}"}
""")
    run.end(StateType.FAILED)
    assert run.live.record.outputs == {"state": "RUNNING"}
    assert run.jobs[-1].variables["execution"]["state"] == "FAILED"


def test_what_is_null_in_variables_is_not_there() -> None:
    run = FlowRun("""
variables: {nothing: null, some: {inner: null, list: [null]}}
tasks:
  - {id: set, type: io.kestra.plugin.core.execution.SetVariables, variables: {more: {nothing: null, a: 1}}}
  - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ vars }}"}
""")
    assert run.jobs[-1].variables["vars"] == {"more": {"a": 1}}
    created = new_execution(run.flow, {}, "another", START)
    assert created.variables == {"some": {"list": [None]}}
