"""Listeners: what runs once an execution has ended, where the conditions hold."""

from __future__ import annotations

from tests.unit.engine.flow_run import FlowRun

from windhover.model.state import StateType

LISTENED = """
listeners:
  - conditions:
      - {{type: io.kestra.plugin.core.condition.ExecutionStatus, in: [FAILED]}}
    tasks:
      - {{id: on_failure, type: io.kestra.plugin.core.log.Log, message: hi}}
  - conditions:
      - {{type: io.kestra.plugin.core.condition.Expression, expression: "{{{{ {expression} }}}}"}}
    tasks:
      - {{id: maybe, type: io.kestra.plugin.core.log.Log, message: hi}}
  - tasks:
      - {{id: always, type: io.kestra.plugin.core.log.Log, message: hi}}
tasks:
  - {{id: work, type: io.kestra.plugin.core.log.Log, message: hi}}
afterExecution:
  - {{id: after, type: io.kestra.plugin.core.log.Log, message: hi}}
"""


def played(end: StateType, expression: str = "true") -> FlowRun:
    run = FlowRun(LISTENED.format(expression=expression))
    run.end(end)
    while run.jobs:
        run.end(StateType.FAILED)
    return run


def test_listeners_run_after_the_end_where_their_conditions_hold_and_change_nothing() -> None:
    failed, succeeded = played(StateType.FAILED), played(StateType.SUCCESS)
    assert failed.task_ids() == ["work", "on_failure", "maybe", "always", "after"]
    assert succeeded.task_ids() == ["work", "maybe", "always", "after"]
    assert (failed.state, succeeded.state) == (StateType.FAILED, StateType.SUCCESS)
    assert failed.ended
    assert succeeded.ended


def test_a_condition_that_cannot_be_evaluated_leaves_its_listener_out_with_a_word() -> None:
    run = played(StateType.SUCCESS, "nope.x")
    assert run.task_ids() == ["work", "always", "after"]
    assert run.ended
    (line,) = [line for line in run.logs if "Listener" in line]
    assert line.startswith("WARN Listener 2 does not run: Condition `Expression` cannot be evaluated")


def test_an_execution_without_a_listener_that_wants_it_is_over() -> None:
    run = FlowRun("""
listeners:
  - conditions:
      - {type: io.kestra.plugin.core.condition.ExecutionStatus, in: [FAILED]}
    tasks:
      - {id: on_failure, type: io.kestra.plugin.core.log.Log, message: hi}
tasks:
  - {id: work, type: io.kestra.plugin.core.log.Log, message: hi}
""")
    run.end()
    assert run.task_ids() == ["work"]
    assert run.ended
