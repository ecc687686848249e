"""Listeners: tasks after the end of an execution, for flows that still have them."""

from __future__ import annotations

from tests.integration.executor.flows import Flows

from windhover.engine.messages import RestartExecution

SOURCE = """
    id: listened
    namespace: company.team
    inputs: [{id: fails, type: BOOL, defaults: false}]
    tasks:
      - id: work
        type: io.kestra.plugin.core.execution.Fail
        condition: "{{ inputs.fails and taskrun.attemptsCount == 0 }}"
    listeners:
      - conditions: [{type: io.kestra.plugin.core.condition.ExecutionStatus, in: [FAILED]}]
        tasks:
          - {id: alarm, type: io.kestra.plugin.core.log.Log, message: "alarm {{ execution.state }}"}
          - {id: broken, type: io.kestra.plugin.core.execution.Fail}
          - {id: last, type: io.kestra.plugin.core.log.Log, message: last}
      - conditions: [{type: io.kestra.plugin.core.condition.ExecutionStatus, in: [SUCCESS]}]
        tasks: [{id: praise, type: io.kestra.plugin.core.log.Log, message: praise}]
      - conditions: [{type: io.kestra.plugin.core.condition.Expression, expression: "{{ nope.nope }}"}]
        tasks: [{id: never, type: io.kestra.plugin.core.log.Log, message: never}]
    afterExecution:
      - {id: after, type: io.kestra.plugin.core.log.Log, message: after}
    """


async def test_listeners_run_before_what_follows_the_execution(flows: Flows) -> None:
    failed = await flows.run(SOURCE, inputs={"fails": True})
    assert failed.state == "FAILED"
    assert [run.task_id for run in failed.task_runs] == ["work", "alarm", "broken", "last", "after"]
    assert "alarm FAILED" in failed.messages("INFO")
    assert any(line.startswith("Listener 3 does not run") for line in failed.messages("WARN"))
    await flows.runtime.queue.executor.ask(RestartExecution(failed.execution.id))
    done = await flows.ended(failed.execution.id)
    assert done.state == "SUCCESS"
    assert [run.task_id for run in done.task_runs] == ["work", "praise", "after"]


async def test_a_failing_listener_changes_nothing(flows: Flows) -> None:
    praise = "type: io.kestra.plugin.core.log.Log, message: praise"
    source = SOURCE.replace(praise, "type: io.kestra.plugin.core.execution.Fail")
    done = await flows.run(source, inputs={"fails": False})
    assert done.state == "SUCCESS"
    assert done.states() == {"work": "SUCCESS", "praise": "FAILED", "after": "SUCCESS"}
