"""Outputs of a flow that are too large for its record: kept in the storage, and read from there."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.executor.flows import TIME_LIMIT, Ended, Flows

from windhover.engine.messages import DeleteExecution, FlowChanged, ReplayExecution
from windhover.engine.spill import StoredValue, stored_value
from windhover.model.execution import JsonValue
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.filters import TextMatch
from windhover.storage import StorageError

#: ``range`` gives a list of 20,000 numbers: 109 KB of JSON.
CHILD = """
    id: child
    namespace: company.team
    inputs: [{id: item, type: STRING, required: false}]
    outputs:
      - {id: rows, type: JSON, value: "{{ range(1, 20000) }}"}
      - {id: few, type: INT, value: 3}
    tasks:
      - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
    afterExecution:
      - id: after
        type: io.kestra.plugin.core.debug.Return
        format: "{{ execution.outputs.rows | length }} rows, {{ execution.outputs.few }}"
"""
PARENT = """
    id: parent
    namespace: company
    outputs:
      - {id: passed, type: INT, value: "{{ outputs.sub.outputs.rows | length }}"}
    tasks:
      - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child}
      - id: decide
        type: io.kestra.plugin.core.flow.If
        condition: "{{ outputs.sub.outputs.rows[19999] == 20000 }}"
        then:
          - id: reads
            type: io.kestra.plugin.core.debug.Return
            format: "{{ outputs.sub.outputs.rows | length }} rows, {{ outputs.sub.outputs.few }}"
"""
LISTENER = """
    id: listener
    namespace: company
    inputs:
      - {id: last, type: INT}
      - {id: rows, type: JSON}
    triggers:
      - id: after_child
        type: io.kestra.plugin.core.trigger.Flow
        inputs:
          last: "{{ trigger.outputs.rows | last }}"
          rows: "{{ trigger.outputs.rows }}"
        conditions:
          - {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team, flowId: child}
          - type: io.kestra.plugin.core.condition.Expression
            expression: "{{ trigger.outputs.rows[1] == 2 }}"
    tasks:
      - id: reads
        type: io.kestra.plugin.core.debug.Return
        format: "{{ trigger.outputs.rows | length }} rows to {{ inputs.last }}"
"""
READ = "20000 rows, 3"


def marker(value: JsonValue) -> StoredValue:
    stored = stored_value(value)
    assert stored is not None, value
    return stored


async def replay(flows: Flows, ended: Ended, task_id: str) -> Ended:
    accepted = await flows.runtime.queue.executor.ask(
        ReplayExecution(ended.execution.id, ended.run(task_id).id)
    )
    return await flows.ended(accepted.id)


async def delete(flows: Flows, execution_id: str) -> None:
    await flows.runtime.queue.executor.ask(DeleteExecution(execution_id))
    await flows.runtime.released_files.remove([execution_id])


def value(ended: Ended, task_id: str) -> JsonValue:
    return (ended.run(task_id).outputs or {})["value"]


async def test_large_outputs_go_to_the_storage_and_small_ones_stay(flows: Flows) -> None:
    ended = await flows.run(CHILD)
    assert ended.state == "SUCCESS"
    outputs = ended.execution.outputs or {}
    assert outputs["few"] == 3
    stored = marker(outputs["rows"])
    assert f"/executions/{ended.execution.id}/outputs/rows.json" in stored.uri
    content = await flows.runtime.storage.for_tenant("main").read(stored.uri)
    assert len(content) == stored.size > 100_000
    assert value(ended, "after") == READ


async def test_a_parent_reads_large_outputs_and_keeps_them_as_its_own(flows: Flows) -> None:
    await flows.save(CHILD)
    parent = await flows.run(PARENT)
    assert parent.state == "SUCCESS"
    assert parent.execution.outputs == {"passed": 20000}
    assert value(parent, "reads") == READ
    outputs = parent.run("sub").outputs or {}
    assert parent.execution.id in marker(outputs["outputs"]["rows"]).uri
    await delete(flows, outputs["executionId"])
    again = await replay(flows, parent, "reads")
    assert value(again, "reads") == READ


async def listen(flows: Flows, source: str) -> None:
    flow = await flows.save(source)
    changed = FlowChanged("main", flow.namespace, flow.id, flow.revision or 0)
    flows.runtime.queue.broadcasts.publish(changed)


async def triggered(flows: Flows) -> Ended:
    query = ExecutionQuery("main", flow_id=(TextMatch.equal("listener"),))
    async with asyncio.timeout(TIME_LIMIT):
        with flows.runtime.queue.broadcasts.subscribe() as messages:
            while not (found := await flows.runtime.executions.ids(query)):
                await messages.next()
    return await flows.ended(found[0])


async def test_a_flow_trigger_reads_large_outputs_and_what_it_starts_keeps_them(flows: Flows) -> None:
    await listen(flows, LISTENER)
    child = await flows.run(CHILD)
    started = await triggered(flows)
    assert (started.state, started.messages("WARN")) == ("SUCCESS", [])
    assert value(started, "reads") == "20000 rows to 20000"
    assert started.execution.trigger is not None
    marker(started.execution.trigger.variables["outputs"]["rows"])
    await delete(flows, child.execution.id)
    again = await replay(flows, started, "reads")
    assert value(again, "reads") == "20000 rows to 20000"


WAITS = """
    id: listener
    namespace: company
    inputs: [{id: last, type: INT}]
    triggers:
      - id: after_both
        type: io.kestra.plugin.core.trigger.Flow
        inputs: {last: "{{ trigger.outputs.rows | last }}"}
        preconditions:
          id: both
          flows:
            - {namespace: company.team, flowId: child, states: [SUCCESS]}
            - {namespace: company.team, flowId: other, states: [SUCCESS]}
    tasks:
      - id: reads
        type: io.kestra.plugin.core.debug.Return
        format: "{{ trigger.outputs.rows | length }} rows to {{ inputs.last }}"
"""


async def test_what_a_flow_trigger_has_gathered_is_kept_until_it_fires(flows: Flows) -> None:
    await listen(flows, WAITS)
    child = await flows.run(CHILD)
    await delete(flows, child.execution.id)
    await flows.run("""
        id: other
        namespace: company.team
        tasks:
          - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
    """)
    started = await triggered(flows)
    assert value(started, "reads") == "20000 rows to 20000"
    await delete(flows, started.execution.id)
    assert not list((flows.runtime.settings.storage_path / "main").glob("**/executions/*"))


async def test_batches_with_large_outputs_are_merged_whole(flows: Flows) -> None:
    await flows.save(CHILD)
    ended = await flows.run("""
        id: batches
        namespace: company
        tasks:
          - {id: file, type: io.kestra.plugin.core.storage.Write, content: "a\\nb\\n"}
          - id: each
            type: io.kestra.plugin.core.flow.ForEachItem
            items: "{{ outputs.file.uri }}"
            namespace: company.team
            flowId: child
    """)
    assert ended.state == "SUCCESS"
    uri = (ended.run("each_merge").outputs or {})["subflowOutputs"]
    lines = (await flows.runtime.storage.for_tenant("main").read(uri)).decode().splitlines()
    assert [line.count(",") for line in lines] == [20_000, 20_000]


async def test_outputs_that_the_storage_does_not_take_fail_the_execution_and_nothing_else(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*arguments: object, **options: object) -> None:
        raise StorageError("kestra:///x: no space left on device")

    monkeypatch.setattr("windhover.storage.TenantStorage.put", refuse)
    ended = await flows.run(CHILD)
    assert ended.state == "FAILED"
    assert ended.execution.outputs is None
    line = ended.messages("ERROR")[0]
    assert line.startswith("Failed to render output values: the storage does not take them: ")
    assert "no space left" in line


async def test_a_subflow_whose_outputs_are_gone_fails_its_parent_with_the_reason(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    await flows.save(CHILD)

    async def refuse(*arguments: object, **options: object) -> None:
        raise StorageError("kestra:///x: the disk cannot be read")

    monkeypatch.setattr("windhover.storage.TenantStorage.open", refuse)
    parent = await flows.run(PARENT)
    assert parent.state == "FAILED"
    assert any(
        line.startswith("The output `rows` of the subflow cannot be taken over: ")
        for line in parent.messages("ERROR")
    )


async def test_an_output_that_imitates_a_stored_value_is_refused(flows: Flows) -> None:
    forged = '{"type": "io.windhover.datatype:stored", "uri": "kestra:///x/executions/y/z", "size": 1}'
    ended = await flows.run(f"""
        id: forged
        namespace: company
        variables: {{forged: '{forged}'}}
        outputs:
          - {{id: taken, type: JSON, value: "{{{{ vars.forged }}}}"}}
        tasks:
          - {{id: say, type: io.kestra.plugin.core.log.Log, message: hello}}
    """)
    assert ended.state == "FAILED"
    assert any("stands for a stored value" in line for line in ended.messages("ERROR"))


async def test_large_inputs_of_a_subflow_go_to_the_storage(flows: Flows) -> None:
    await flows.save("""
        id: takes
        namespace: company.team
        inputs: [{id: rows, type: JSON}]
        tasks:
          - id: reads
            type: io.kestra.plugin.core.debug.Return
            format: "{{ inputs.rows | length }} rows"
    """)
    parent = await flows.run("""
        id: gives
        namespace: company
        tasks:
          - id: sub
            type: io.kestra.plugin.core.flow.Subflow
            namespace: company.team
            flowId: takes
            inputs: {rows: "{{ range(1, 60000) }}"}
    """)
    child = await flows.ended((parent.run("sub").outputs or {})["executionId"])
    assert value(child, "reads") == "60000 rows"
    assert child.execution.id in marker((child.execution.inputs or {})["rows"]).uri


async def test_nothing_is_left_of_outputs_whose_executions_are_deleted(flows: Flows) -> None:
    await flows.save(CHILD)
    parent = await flows.run(PARENT)
    await delete(flows, (parent.run("sub").outputs or {})["executionId"])
    await delete(flows, parent.execution.id)
    root = flows.runtime.settings.storage_path / "main"
    assert not list(root.glob("**/executions/*"))


LOOP = """
    id: rounds
    namespace: company
    tasks:
      - id: each
        type: io.kestra.plugin.core.flow.Loop
        values: [1, 2, 3]
        outputs:
          - {id: rows, type: JSON, value: "{{ range(1, 10000) }}"}
        tasks:
          - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ item.value }}"}
      - id: reads
        type: io.kestra.plugin.core.debug.Return
        format: "{{ outputs.each.outputs[2].outputs.rows | length }} of {{ outputs.each.outputs | length }}"
      - id: decide
        type: io.kestra.plugin.core.flow.If
        condition: "{{ outputs.each.outputs[0].outputs.rows[0] == 1 }}"
        then:
          - {id: taken, type: io.kestra.plugin.core.log.Log, message: read}
"""


async def test_large_outputs_of_a_loop_go_to_the_storage(flows: Flows) -> None:
    ended = await flows.run(LOOP)
    assert ended.state == "SUCCESS"
    outputs = ended.run("each").outputs or {}
    assert outputs["iterationCount"] == 3
    assert ended.execution.id in marker(outputs["outputs"]).uri
    assert value(ended, "reads") == "10000 of 3"
    assert "taken" in ended.states()
    again = await replay(flows, ended, "reads")
    assert value(again, "reads") == "10000 of 3"


async def test_outputs_of_a_loop_beyond_the_limits_fail_it_and_say_what_to_do(flows: Flows) -> None:
    one = await flows.run(LOOP.replace("range(1, 10000)", "range(1, 700000)"))
    assert one.state == "FAILED"
    assert any("Write large data to a file" in line for line in one.messages("ERROR"))
