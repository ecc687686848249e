from __future__ import annotations

from windhover.core.state.delete import Delete
from windhover.core.state.get import Get
from windhover.core.state.set import Set
from windhover.model.log import LogLevel
from windhover.worker.inline import InlineWorker


async def test_a_state_is_kept_until_it_is_deleted(worker: InlineWorker) -> None:
    assert (await worker.run(Get)).outputs == {"count": 0, "data": {}}
    done = await worker.run(Set, {"data": {"a": 1, "b": "{{ 2 }}"}})
    assert done.outputs == {"count": 2, "key": "inline_states_tasks-states_default"}
    assert (await worker.run(Get)).outputs == {"count": 2, "data": {"a": 1, "b": "2"}}
    assert (await worker.run(Delete)).outputs == {"deleted": True}
    assert (await worker.run(Get)).outputs["count"] == 0


async def test_iterations_and_namespaces_have_states_of_their_own(worker: InlineWorker) -> None:
    loop = {"taskrun": {"value": "x/1"}}
    await worker.run(Set, {"data": {"a": 1}}, loop)
    assert (await worker.run(Get, {}, loop)).outputs["count"] == 1
    assert (await worker.run(Get)).outputs["count"] == 0
    await worker.run(Set, {"data": {"a": 1, "b": 2}, "taskrunValue": False, "name": "my name"}, loop)
    assert (await worker.run(Get, {"name": "my name"})).outputs["count"] == 2
    shared = await worker.run(Set, {"namespace": True})
    assert shared.outputs["key"] == "states_tasks-states_default"


async def test_a_state_is_merged_into_what_is_there(worker: InlineWorker) -> None:
    await worker.run(Set, {"data": {"a": 1, "m": {"x": 1, "y": 2}, "l": [1, 2]}})
    again = await worker.run(Set, {"data": {"b": 2, "m": {"y": 3, "x": None}, "l": [2, 3]}})
    assert again.outputs["count"] == 4
    kept = {"a": 1, "m": {"x": 1, "y": 3}, "l": [1, 2, 3], "b": 2}
    assert (await worker.run(Get)).outputs["data"] == kept
    assert (await worker.run(Set)).outputs["count"] == 4


async def test_missing_states(worker: InlineWorker) -> None:
    run = await worker.run(Get, {"name": "nope", "errorOnMissing": True})
    assert run.at(LogLevel.ERROR) == ["State inline_states_tasks-states_nope not found"]
    run = await worker.run(Delete, {"name": "nope", "errorOnMissing": True})
    assert run.at(LogLevel.ERROR) == ["Unable to find the state file 'nope'"]
