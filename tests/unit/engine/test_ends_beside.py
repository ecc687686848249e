"""What becomes of the tasks beside one that fails, or that ends the execution."""

from __future__ import annotations

import pytest
from tests.unit.engine.flow_run import FlowRun

from windhover.engine.events import KillRequested
from windhover.model.execution import TaskRun
from windhover.model.state import StateType


def _attempts(run: TaskRun) -> list[str]:
    return [attempt.state.current.value for attempt in run.attempts or ()]


# ---------------------------------------------------------------- beside an Exit


def test_what_changes_the_execution_together_with_an_exit_does_so() -> None:
    run = FlowRun("""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: exit, type: io.kestra.plugin.core.execution.Exit, state: CANCELED}
      - {id: name, type: io.kestra.plugin.core.execution.Labels, labels: {team: red}}
      - {id: keep, type: io.kestra.plugin.core.execution.SetVariables, variables: {v: one}}
      - {id: again, type: io.kestra.plugin.core.execution.Exit, state: SUCCESS}
""")
    assert run.state is StateType.CANCELLED
    assert [(label.key, label.value) for label in run.live.record.labels] == [("team", "red")]
    assert run.live.record.variables == {"v": "one"}
    ends = {task_id: _attempts(run.run(task_id)) for task_id in ("name", "keep", "again")}
    assert ends == {"name": ["SUCCESS"], "keep": ["SUCCESS"], "again": ["SUCCESS"]}


@pytest.mark.parametrize(
    ("end", "tried", "unbegun"),
    [
        ("SUCCESS", StateType.FAILED, StateType.SKIPPED),
        ("WARNING", StateType.FAILED, StateType.SKIPPED),
        ("FAILED", StateType.FAILED, StateType.FAILED),
        ("CANCELLED", StateType.CANCELLED, StateType.CANCELLED),
    ],
)
def test_what_an_exit_keeps_from_running_has_not_succeeded(
    end: str, tried: StateType, unbegun: StateType
) -> None:
    run = FlowRun(f"""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: tried
        type: io.kestra.plugin.core.log.Log
        message: hi
        retry: {{type: constant, interval: PT1H, maxAttempts: 2}}
      - id: leave
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
          - {{id: work, type: io.kestra.plugin.core.log.Log, message: hi}}
          - id: both
            type: io.kestra.plugin.core.flow.Parallel
            tasks:
              - id: group
                type: io.kestra.plugin.core.flow.Sequential
                tasks: [{{id: late, type: io.kestra.plugin.core.log.Log, message: hi}}]
              - {{id: exit, type: io.kestra.plugin.core.execution.Exit, state: {end}}}
""")
    run.end(StateType.FAILED)
    while run.jobs:
        run.end()
    assert run.state is StateType(end)
    assert (run.run("tried").state.current, _attempts(run.run("tried"))) == (tried, ["FAILED"])
    assert run.run("late").state.current is unbegun
    assert not run.timers


@pytest.mark.parametrize("crash", [False, True])
def test_what_failed_beside_an_exit_has_failed_and_what_is_around_it_has_not(crash: bool) -> None:
    run = FlowRun("""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: fails
        type: io.kestra.plugin.core.flow.Sequential
        tasks: [{id: work, type: io.kestra.plugin.core.log.Log, message: hi}]
      - id: leaves
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
          - {id: wrong, type: io.kestra.plugin.core.log.Log, message: hi}
        errors:
          - {id: exit, type: io.kestra.plugin.core.execution.Exit, state: SUCCESS}
""")
    run.jobs.reverse()
    run.end(StateType.FAILED)
    if crash:
        run.crash()
    run.end(StateType.FAILED)
    ends = {task_id: run.run(task_id).state.current.value for task_id in ("fails", "leaves", "together")}
    assert ends == {"fails": "FAILED", "leaves": "SUCCESS", "together": "SUCCESS"}
    assert run.state is StateType.SUCCESS


def test_what_failed_beside_a_failure_that_is_allowed_has_failed() -> None:
    run = FlowRun("""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    allowFailure: true
    tasks:
      - {id: work, type: io.kestra.plugin.core.log.Log, message: hi}
      - id: beside
        type: io.kestra.plugin.core.flow.Sequential
        tasks: [{id: one, type: io.kestra.plugin.core.log.Log, message: hi}]
""")
    run.end(StateType.FAILED)
    run.end(StateType.FAILED)
    ends = [run.run(task_id).state.current for task_id in ("beside", "together")]
    assert (ends, run.state) == ([StateType.FAILED, StateType.WARNING], StateType.WARNING)


# ---------------------------------------------------------------- beside a failure

BESIDE = """
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - id: work
        type: io.kestra.plugin.core.log.Log
        message: hi
      - id: branch
        type: io.kestra.plugin.core.flow.{kind}
        tasks:
          - {{id: one, type: io.kestra.plugin.core.log.Log, message: hi}}
          - {{id: two, type: io.kestra.plugin.core.log.Log, message: hi}}
        errors: [{{id: mend, type: io.kestra.plugin.core.log.Log, message: hi}}]
        finally: [{{id: unlock, type: io.kestra.plugin.core.log.Log, message: hi}}]
finally: [{{id: clean, type: io.kestra.plugin.core.log.Log, message: hi}}]
"""


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize(
    ("kind", "ran", "end"),
    [
        ("Sequential", ["one", "unlock"], StateType.FAILED),
        ("WorkingDirectory", ["one", "two", "unlock"], StateType.SUCCESS),
    ],
)
def test_a_branch_beside_a_failure_cleans_up(kind: str, ran: list[str], end: StateType, crash: bool) -> None:
    run = FlowRun(BESIDE.format(kind=kind))
    run.jobs.sort(key=lambda job: job.identity.task_id != "work")
    run.end(StateType.FAILED)
    if crash:
        run.crash()
    while "clean" not in run.waiting():
        run.end()
    began = [task_id for task_id in run.task_ids() if task_id in ("one", "two", "mend", "unlock")]
    assert (began, run.run("branch").state.current) == (ran, end)
    run.end()
    assert run.state is StateType.FAILED


def test_a_branch_that_cleans_up_beside_a_failure_is_killed_with_the_execution() -> None:
    run = FlowRun(BESIDE.format(kind="Sequential"))
    run.jobs.sort(key=lambda job: job.identity.task_id != "work")
    run.end(StateType.FAILED)
    run.end()
    assert run.waiting() == ["unlock"]
    run.apply(KillRequested("ada"))
    assert not run.kills, "what cleans up goes on"
    run.end()
    assert run.waiting() == ["clean"]
    run.end()
    assert run.state is StateType.KILLED


@pytest.mark.parametrize("crash", [False, True])
def test_a_branch_beside_failures_ends_as_what_is_around_it_does_by_then(crash: bool) -> None:
    """The first failure was allowed; what comes after it is worse."""
    run = FlowRun("""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    allowFailure: true
    allowWarning: true
    tasks:
      - {id: first, type: io.kestra.plugin.core.log.Log, message: hi}
      - {id: second, type: io.kestra.plugin.core.log.Log, message: hi}
      - id: branch
        type: io.kestra.plugin.core.flow.Sequential
        tasks: [{id: one, type: io.kestra.plugin.core.log.Log, message: hi}]
""")
    run.end(StateType.FAILED)
    run.end(StateType.KILLED)
    if crash:
        run.crash()
    run.end()
    assert run.run("branch").state.current is StateType.KILLED


@pytest.mark.parametrize("crash", [False, True])
def test_what_its_time_limit_has_stopped_stays_stopped_when_something_beside_it_fails(crash: bool) -> None:
    run = FlowRun("""
tasks:
  - id: together
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: work, type: io.kestra.plugin.core.log.Log, message: hi}
      - id: limited
        type: io.kestra.plugin.core.flow.Sequential
        timeout: PT1M
        tasks:
          - id: inner
            type: io.kestra.plugin.core.flow.Sequential
            tasks: [{id: one, type: io.kestra.plugin.core.log.Log, message: hi}]
        errors: [{id: mend, type: io.kestra.plugin.core.log.Log, message: hi}]
""")
    run.jobs.sort(key=lambda job: job.identity.task_id != "work")
    run.fire()
    run.end(StateType.FAILED)
    if crash:
        run.crash()
    else:
        run.end(StateType.KILLED)
    ends = {task_id: run.run(task_id).state.current for task_id in ("one", "inner", "limited", "together")}
    assert ends == {
        "one": StateType.KILLED,
        "inner": StateType.KILLED,
        "limited": StateType.FAILED,
        "together": StateType.FAILED,
    }
    assert (run.state, run.waiting()) == (StateType.FAILED, [])
