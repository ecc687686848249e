from __future__ import annotations

from windhover.core.log.fetch import Fetch
from windhover.core.log.log import Log
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker


async def test_one_message_or_several_at_a_level(worker: InlineWorker) -> None:
    one = await worker.run(Log, {"message": "n is {{ inputs.n }}"}, {"inputs": {"n": 1}})
    assert one.at(LogLevel.INFO) == ["n is 1"]
    assert one.outputs == {}
    several = await worker.run(Log, {"message": ["a", "{{ 1 + 1 }}"], "level": "{{ 'WARN' }}"})
    assert several.at(LogLevel.WARN) == ["a", "2"]


async def test_a_number_or_a_rendered_list_is_text(worker: InlineWorker) -> None:
    assert (await worker.run(Log, {"message": 42})).messages == ["42"]
    run = await worker.run(Log, {"message": "{{ inputs.l }}"}, {"inputs": {"l": [1, "a"]}})
    assert run.messages == ['[1,"a"]']


async def test_an_unknown_level_is_refused(worker: InlineWorker) -> None:
    run = await worker.run(Log, {"message": "a", "level": "LOUD"})
    assert run.state is StateType.FAILED
    assert "LOUD" in run.at(LogLevel.ERROR)[0]


async def test_fetch_writes_the_lines_of_the_execution_into_a_file(worker: InlineWorker) -> None:
    from amazon.ion import simpleion

    await worker.run(Log, {"message": ["first", "second"]})
    await worker.run(Log, {"message": "detail", "level": "DEBUG"})
    run = await worker.run(Fetch, {"level": "INFO"})
    assert run.outputs["size"] == 2
    text = (await worker.storage.for_tenant("main").read(run.outputs["uri"])).decode()
    entries = [simpleion.loads(line) for line in text.splitlines()]
    assert [entry["message"] for entry in entries] == ["first", "second"]
    assert entries[0]["level"] == "INFO"
    assert entries[0]["executionId"] == worker.execution_id


async def test_fetch_may_look_at_single_tasks_and_other_executions(worker: InlineWorker) -> None:
    await worker.run(Log, {"message": "first"})
    assert (await worker.run(Fetch, {"tasksId": ["nope"]})).outputs["size"] == 0
    assert (await worker.run(Fetch, {"tasksId": ["task"]})).outputs["size"] == 1
    assert (await worker.run(Fetch, {"tasksId": []})).outputs["size"] == 1
    for other in ("another", "{{ null }}"):
        assert (await worker.run(Fetch, {"executionId": other})).outputs["size"] == 0
