"""ForEachItem with the real executor and worker, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.executor.flows import Ended, Flows

from windhover.engine import batches
from windhover.engine.messages import KillExecution, RestartExecution
from windhover.model.state import StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.storage import task_run_prefix

CHILD = """
    id: child
    namespace: test
    inputs:
      - {id: file, type: STRING}
      - {id: number, type: INT}
    tasks:
      - id: rows
        type: io.kestra.plugin.core.debug.Return
        format: "{{ read(inputs.file) | trim }}"
      - id: end
        type: io.kestra.plugin.core.execution.Exit
        runIf: "{{ inputs.number == 1 and 'STATE' != 'SUCCESS' }}"
        state: STATE
    outputs:
      - {id: rows, type: STRING, value: "{{ outputs.rows.value }}"}
"""

PARENT = """
    id: parent
    namespace: test
    tasks:
      - id: write
        type: io.kestra.plugin.core.storage.Write
        extension: .txt
        content: "a1\\nb2\\na3\\nb4\\na5\\n"
      - id: each
        type: io.kestra.plugin.core.flow.ForEachItem
        items: "{{ outputs.write.uri }}"
        namespace: test
        flowId: child
        inputs: {file: "{{ taskrun.items }}", number: "{{ taskrun.iteration }}"}
        PROPERTIES
      - id: merged
        type: io.kestra.plugin.core.debug.Return
        runIf: "{{ outputs.each_merge.subflowOutputs is defined }}"
        format: "{{ read(outputs.each_merge.subflowOutputs) }}"
"""


async def run(flows: Flows, properties: str, end: str = "SUCCESS") -> Ended:
    await flows.save(CHILD.replace("STATE", end))
    return await flows.run(PARENT.replace("PROPERTIES", properties))


def rows(ended: Ended) -> list[str]:
    """What each of the executions has read, in the order of the batches."""
    lines = (ended.run("merged").outputs or {})["value"].splitlines()
    return [line.removeprefix('{rows:"').removesuffix('"}') for line in lines]


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ("", ["a1", "b2", "a3", "b4", "a5"]),
        ("batch: {rows: 2}", [r"a1\nb2", r"a3\nb4", "a5"]),
        ("batch: {partitions: 2}", [r"a1\na3\na5", r"b2\nb4"]),
        ("batch: {bytes: 5}", [r"a1\nb2", r"a3\nb4", "a5"]),
        ("batch: {regexPattern: '^(b)', rows: 1}", [r"b2\nb4"]),
        ("batch: {rows: 3, separator: ' - '}", ["a1 - b2 - a3 -", "b4 - a5 -"]),
    ],
)
async def test_a_file_is_split_and_the_outputs_are_merged_in_order(
    flows: Flows, batch: str, expected: list[str]
) -> None:
    ended = await run(flows, batch)
    assert ended.state == "SUCCESS"
    assert rows(ended) == expected
    items = ended.run("each_items")
    base = task_run_prefix("test", "parent", ended.execution.id, "each_items", items.id)
    assert items.outputs == {
        "numberOfBatches": len(expected),
        "iterations": {"CREATED": 0, "RUNNING": 0, "SUCCESS": len(expected)},
        "subflowOutputsBaseUri": base.removeprefix("kestra://"),
    }
    assert [run.task_id for run in ended.task_runs[1:5]] == ["each", "each_split", "each_items", "each_merge"]


@pytest.mark.parametrize(
    ("properties", "child", "state", "merged"),
    [
        ("", "FAILED", "FAILED", False),
        ("", "WARNING", "WARNING", True),
        ("transmitFailed: false", "FAILED", "SUCCESS", True),
        ("allowFailure: true", "FAILED", "WARNING", False),
    ],
)
async def test_the_worst_end_is_taken_over(
    flows: Flows, properties: str, child: str, state: str, merged: bool
) -> None:
    ended = await run(flows, properties, child)
    assert ended.states()["each"] == state
    assert ("each_merge" in ended.states()) is merged
    counted = (ended.run("each_items").outputs or {})["iterations"]
    assert counted == {"CREATED": 0, "RUNNING": 0, "SUCCESS": 4, child: 1}


async def test_more_executions_than_one_step_starts(flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "WINDOW", 2)
    assert rows(await run(flows, "")) == ["a1", "b2", "a3", "b4", "a5"]


async def test_without_waiting_the_executions_go_their_own_way(flows: Flows) -> None:
    ended = await run(flows, "wait: false")
    assert ended.state == "SUCCESS"
    outputs = ended.run("each_items").outputs or {}
    assert outputs["iterations"] == {"RUNNING": 0, "SUCCESS": 5}
    assert ended.run("each_merge").outputs == {}


async def test_executions_without_outputs_are_merged_into_nothing(flows: Flows) -> None:
    await flows.save(CHILD.partition("    outputs:")[0].replace("STATE", "SUCCESS"))
    ended = await flows.run(PARENT.replace("PROPERTIES", ""))
    assert ended.state == "SUCCESS"
    assert ended.run("each_merge").outputs == {}
    assert ended.states()["merged"] == "SKIPPED"


async def test_an_execution_is_told_which_batch_it_is_of_how_many(flows: Flows) -> None:
    ended = await run(flows, "batch: {rows: 3}")
    query = ExecutionQuery("main", trigger_execution_id=ended.execution.id)
    children = [child async for child in flows.runtime.executions.stream(query)]
    told = [child.trigger.variables for child in children if child.trigger is not None]
    base = (ended.run("each_items").outputs or {})["subflowOutputsBaseUri"]
    assert sorted(variables["taskRunIteration"] for variables in told) == [0, 1]
    for variables in told:
        assert variables["taskRunOutputs"] == {
            "numberOfBatches": 2,
            "uri": f"//{base}/{variables['taskRunIteration']}/outputs.ion",
        }


async def test_nothing_is_started_when_what_one_of_them_is_given_cannot_be_said(flows: Flows) -> None:
    await flows.save(CHILD.replace("STATE", "SUCCESS"))
    wrong = PARENT.replace("PROPERTIES", "").replace(
        "{{ taskrun.iteration }}", "{{ taskrun.iteration == 3 ? none.at.all : 1 }}"
    )
    ended = await flows.run(wrong)
    assert ended.states()["each_items"] == "FAILED"
    assert ended.run("each_items").outputs is None
    assert len(ended.messages("ERROR")) == 1
    assert not [message for message in ended.messages("INFO") if "Created new execution" in message]


async def _started_by(ended: Ended, flows: Flows) -> list[str]:
    query = ExecutionQuery("main", trigger_execution_id=ended.execution.id)
    return [child.state.current.value async for child in flows.runtime.executions.stream(query)]


@pytest.mark.parametrize("properties", ["", "transmitFailed: false", "wait: false"])
@pytest.mark.parametrize("wrong", ["inputs", "disabled"])
async def test_nothing_is_started_when_one_of_them_is_refused(
    flows: Flows, properties: str, wrong: str
) -> None:
    child = CHILD.replace("STATE", "SUCCESS")
    child = child.replace("type: INT", "type: INT, max: 2") if wrong == "inputs" else child
    await flows.save(child + ("    disabled: true\n" if wrong == "disabled" else ""))
    ended = await flows.run(PARENT.replace("PROPERTIES", properties))
    assert ended.states()["each_items"] == "FAILED"
    assert ended.run("each_items").outputs is None
    assert "each_merge" not in ended.states()
    assert len(ended.messages("ERROR")) == 1
    assert await _started_by(ended, flows) == []


async def test_after_one_is_refused_no_more_are_started_until_the_restart_goes_on_there(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "WINDOW", 2)
    child = CHILD.replace("STATE", "SUCCESS")
    await flows.save(child.replace("type: INT", "type: INT, max: 2"))
    ended = await flows.run(PARENT.replace("PROPERTIES", ""))
    assert ended.states()["each_items"] == "FAILED"
    counted = (ended.run("each_items").outputs or {})["iterations"]
    assert counted == {"CREATED": 3, "RUNNING": 0, "SUCCESS": 2}
    assert len(ended.messages("ERROR")) == 1
    assert await _started_by(ended, flows) == ["SUCCESS"] * 2

    await flows.save(child)
    await flows.runtime.queue.executor.ask(RestartExecution(ended.execution.id))
    ended = await flows.ended(ended.execution.id)
    assert ended.state == "SUCCESS"
    assert rows(ended) == ["a1", "b2", "a3", "b4", "a5"]
    assert await _started_by(ended, flows) == ["SUCCESS"] * 5


@pytest.mark.parametrize(
    ("properties", "behavior", "state"),
    [
        ("", "FAIL", "FAILED"),
        ("transmitFailed: false", "FAIL", "SUCCESS"),
        ("", "CANCEL", "SUCCESS"),
    ],
)
async def test_what_a_concurrency_limit_ends_is_an_execution_like_others(
    flows: Flows, properties: str, behavior: str, state: str
) -> None:
    limit = f"    concurrency: {{limit: 1, behavior: {behavior}}}\n"
    await flows.save(CHILD.replace("STATE", "SUCCESS") + limit)
    ended = await flows.run(PARENT.replace("PROPERTIES", properties))
    assert ended.states()["each_items"] == state
    end = {"FAIL": "FAILED", "CANCEL": "CANCELLED"}[behavior]
    assert sorted(await _started_by(ended, flows)) == sorted(["SUCCESS", *[end] * 4])


async def test_what_cannot_be_started_fails_once(flows: Flows) -> None:
    ended = await flows.run(PARENT.replace("PROPERTIES", "").replace("flowId: child", "flowId: none"))
    assert ended.state == "FAILED"
    (message,) = ended.messages("ERROR")
    assert message.startswith("Unable to find flow 'test'.'none' with revision '0'. Save the flow first")


async def test_items_must_be_a_stored_file(flows: Flows) -> None:
    ended = await flows.run(PARENT.replace("PROPERTIES", "").replace("{{ outputs.write.uri }}", "a,b"))
    assert ended.states()["each_split"] == "FAILED"
    assert "`items` must be the URI of a file in the internal storage" in ended.messages("ERROR")[0]


async def test_an_empty_file_starts_nothing(flows: Flows) -> None:
    await flows.save(CHILD.replace("STATE", "SUCCESS"))
    ended = await flows.run(PARENT.replace("PROPERTIES", "").replace(r"a1\nb2\na3\nb4\na5\n", ""))
    assert ended.state == "SUCCESS"
    assert ended.states()["each_items"] == "SUCCESS"
    assert not ended.run("each_items").outputs


async def test_the_examples_work_together(flows: Flows) -> None:
    folder = Path(__file__).resolve().parents[3] / "examples" / "for-each-item"
    await flows.save((folder / "process_orders.yaml").read_text())
    ended = await flows.run((folder / "split_orders.yaml").read_text(), {"rows": 2})
    assert ended.state == "SUCCESS"
    assert "3 batches" in ended.messages()
    assert "{part:0,orders:2}\n{part:1,orders:2}\n{part:2,orders:1}\n" in ended.messages()


async def test_in_a_loop_each_has_its_own_batches(flows: Flows) -> None:
    await flows.save(CHILD.replace("STATE", "SUCCESS"))
    ended = await flows.run("""
        id: loop
        namespace: test
        tasks:
          - id: loop
            type: io.kestra.plugin.core.flow.ForEach
            values: [x, y]
            concurrencyLimit: 0
            tasks:
              - id: write
                type: io.kestra.plugin.core.storage.Write
                content: "{{ taskrun.value }}"
              - id: each
                type: io.kestra.plugin.core.flow.ForEachItem
                items: "{{ outputs.write[taskrun.value].uri }}"
                namespace: test
                flowId: child
                inputs: {file: "{{ taskrun.items }}", number: 0}
              - id: merged
                type: io.kestra.plugin.core.debug.Return
                format: "{{ read(outputs.each_merge[taskrun.value].subflowOutputs) }}"
    """)
    assert ended.state == "SUCCESS"
    merged = {run.value: run.outputs for run in ended.task_runs if run.task_id == "merged"}
    assert merged == {value: {"value": f'{{rows:"{value}"}}\n'} for value in ("x", "y")}


async def test_a_kill_ends_the_executions_that_run_and_starts_no_more(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "WINDOW", 2)
    await flows.save("""
        id: child
        namespace: test
        tasks: [{id: pause, type: io.kestra.plugin.core.flow.Pause}]
    """)
    source = PARENT.replace("PROPERTIES", "").replace("inputs: {file", "labels: {file")
    execution_id = await flows.start(await flows.save(source))
    await flows.until(execution_id, lambda e: _running(e) == 5)
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    ended = await flows.ended(execution_id)
    assert ended.state == "KILLED"
    assert ended.states()["each_items"] == "KILLED"
    query = ExecutionQuery("main", trigger_execution_id=execution_id)
    states = [child.state.current async for child in flows.runtime.executions.stream(query)]
    assert states == [StateType.KILLED] * 5


def _running(loaded: Ended) -> int:
    for run in loaded.task_runs:
        if run.task_id == "each_items" and run.outputs:
            return int(run.outputs["iterations"]["RUNNING"])
    return 0
