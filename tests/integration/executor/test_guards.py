"""The guards of executions with the real executor and worker: what is stopped really stops."""

from __future__ import annotations

from tests.integration.executor.flows import Flows

from windhover.engine.messages import KillExecution, RestartExecution
from windhover.model.state import StateType
from windhover.repository.execution_query import ExecutionQuery

LATE = """
    id: late
    namespace: test
    sla:
      - {id: soon, type: MAX_DURATION, duration: PT0.2S, behavior: FAIL, labels: {late: "yes"}}
    tasks:
      - id: sleep
        type: io.kestra.plugin.core.flow.Sleep
        duration: PT100S
    errors:
      - id: alert
        type: io.kestra.plugin.core.debug.Return
    finally:
      - id: clean
        type: io.kestra.plugin.core.debug.Return
        format: "{{ execution.state }}"
"""

CHILD = """
    id: child
    namespace: test
    tasks:
      - id: sleep
        type: io.kestra.plugin.core.flow.Sleep
        duration: PT100S
    finally:
      - id: clean
        type: io.kestra.plugin.core.debug.Return
        format: "{{ execution.state }}"
"""

PARENT = """
    id: parent
    namespace: test
    tasks:
      - id: sub
        type: io.kestra.plugin.core.flow.Subflow
        namespace: test
        flowId: child
        timeout: PT0.3S
        allowFailure: true
      - id: next
        type: io.kestra.plugin.core.debug.Return
"""

CACHED = """
    id: cached
    namespace: test
    inputs: [{id: n, type: INT, defaults: 1}]
    tasks:
      - id: work
        type: io.kestra.plugin.core.debug.Return
        format: "{{ inputs.n }}"
        taskCache: {enabled: true%s}
"""


async def test_a_broken_agreement_ends_the_work(flows: Flows) -> None:
    ended = await flows.run(LATE)
    assert ended.history == ["CREATED", "RUNNING", "FAILED"]
    assert ended.states() == {"sleep": "KILLED", "clean": "SUCCESS"}
    assert ended.run("clean").outputs == {"value": "RUNNING"}
    assert ("late", "yes") in [(label.key, label.value) for label in ended.execution.labels]
    assert not await flows.runtime.executions.timers(ended.execution.id)


async def test_a_subflow_that_takes_too_long_is_killed(flows: Flows) -> None:
    await flows.save(CHILD)
    parent = await flows.run(PARENT)
    assert parent.state == "WARNING"
    assert parent.states() == {"sub": "WARNING", "next": "SUCCESS"}
    assert "Timeout after 00:00:00.300" in parent.messages("ERROR")
    (child_id,) = await flows.runtime.executions.ids(
        ExecutionQuery("main", trigger_execution_id=parent.execution.id)
    )
    child = await flows.ended(child_id)
    assert child.state == "KILLED"
    assert child.run("clean").outputs == {"value": "KILLING"}


async def test_finally_runs_after_a_kill(flows: Flows) -> None:
    execution_id = await flows.start(await flows.save(CHILD))
    await flows.reaches(execution_id, StateType.RUNNING)
    await flows.runtime.queue.executor.ask(KillExecution(execution_id, "ada"))
    ended = await flows.ended(execution_id)
    assert ended.history == ["CREATED", "RUNNING", "KILLING", "KILLED"]
    assert ended.states() == {"sleep": "KILLED", "clean": "SUCCESS"}
    assert "Execution killed by ada." in ended.messages()


async def test_an_execution_restarted_by_hand_is_counted_once(flows: Flows) -> None:
    """One of three executions fails while another still runs; it is restarted before that has ended."""
    await flows.save("""
        id: piece
        namespace: test
        inputs: [{id: row, type: STRING}]
        tasks:
          - id: wait
            type: io.kestra.plugin.core.flow.Pause
            runIf: "{{ inputs.row == '2' }}"
          - id: work
            type: io.kestra.plugin.core.debug.Return
            format: "{{ taskrun.attemptsCount > 0 ? 'done' : nothing }}"
            runIf: "{{ inputs.row != '2' }}"
    """)
    flow = await flows.save("""
        id: pieces
        namespace: test
        tasks:
          - id: rows
            type: io.kestra.plugin.core.storage.Write
            content: "a\\nb\\nc\\n"
          - id: each
            type: io.kestra.plugin.core.flow.ForEachItem
            items: "{{ outputs.rows.uri }}"
            batch: {rows: 1}
            namespace: test
            flowId: piece
            inputs: {row: "{{ taskrun.iteration }}"}
    """)
    execution_id = await flows.start(flow)
    both = await flows.until(
        execution_id,
        lambda e: any((run.outputs or {}).get("iterations", {}).get("FAILED") == 2 for run in e.task_runs),
    )
    query = ExecutionQuery("main", trigger_execution_id=execution_id, states=(StateType.FAILED,))
    failed = await flows.runtime.executions.ids(query)
    assert len(failed) == 2
    for child in failed:
        await flows.runtime.queue.executor.ask(RestartExecution(child))
        await flows.ended(child)
    waiting = ExecutionQuery("main", trigger_execution_id=execution_id, states=(StateType.PAUSED,))
    (last,) = await flows.runtime.executions.ids(waiting)
    await flows.runtime.queue.executor.ask(KillExecution(last))
    ended = await flows.ended(both.execution.id)
    (items,) = [run for run in ended.task_runs if "iterations" in (run.outputs or {})]
    counted = {state: n for state, n in (items.outputs or {})["iterations"].items() if n}
    assert counted == {"SUCCESS": 2, "KILLED": 1}


async def test_outputs_of_a_task_are_taken_from_its_cache(flows: Flows) -> None:
    source = CACHED % ""
    skipped = "Skipping task execution: its outputs are in the task cache."
    first = await flows.run(source)
    assert skipped not in first.messages()
    again = await flows.run(source)
    assert skipped in again.messages()
    assert again.run("work").outputs == first.run("work").outputs == {"value": "1"}
    (ran,), (taken,) = first.run("work").attempts or (), again.run("work").attempts or ()
    assert [change.state for change in ran.state.histories] == ["CREATED", "RUNNING", "SUCCESS"]
    assert [change.state for change in taken.state.histories] == ["CREATED", "SUCCESS"], "it has not run"
    assert again.run_history("work") == ["CREATED", "SUBMITTED", "RUNNING", "SUCCESS"]
    other = await flows.run(source, {"n": 2})
    assert skipped not in other.messages()
    assert other.run("work").outputs == {"value": "2"}


async def test_each_value_of_a_loop_has_a_place_of_its_own_in_the_cache(flows: Flows) -> None:
    source = """
        id: cached-loop
        namespace: test
        inputs: [{id: over, type: ARRAY, itemType: STRING}]
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.ForEach
            values: "{{ inputs.over }}"
            tasks:
              - {id: work, type: io.kestra.plugin.core.debug.Return, format: x, taskCache: {enabled: true}}
        """
    flow = await flows.save(source)
    first = await flows.ended(await flows.start(flow, {"over": ["a", "b"]}))
    assert not [message for message in first.messages() if "Skipping" in message]
    again = await flows.ended(await flows.start(flow, {"over": ["b", "c"]}))
    skipped = [entry.task_run_id for entry in again.logs if "Skipping" in entry.message]
    assert [run.value for run in again.task_runs if run.id in skipped] == ["b"]


async def test_old_outputs_are_not_taken_from_the_cache(flows: Flows) -> None:
    source = CACHED % ", ttl: PT0.000001S"
    await flows.run(source)
    again = await flows.run(source)
    assert not [message for message in again.messages() if "Skipping" in message]
