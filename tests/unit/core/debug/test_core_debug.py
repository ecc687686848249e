from __future__ import annotations

from windhover.core.debug.echo import Echo
from windhover.core.debug.return_ import Return
from windhover.model.log import LogLevel
from windhover.worker.inline import InlineWorker


async def test_return_gives_back_what_it_rendered(worker: InlineWorker) -> None:
    run = await worker.run(Return, {"format": "{{ inputs.n }}!"}, {"inputs": {"n": 12}})
    assert run.outputs == {"value": "12!"}
    assert run.at(LogLevel.DEBUG) == ["12!"]
    metrics = {metric.name: metric for metric in run.metrics}
    assert (metrics["length"].type, metrics["length"].value) == ("counter", 3.0)
    assert metrics["duration"].type == "timer"


async def test_return_of_a_map_is_json_text_and_of_nothing_is_nothing(worker: InlineWorker) -> None:
    run = await worker.run(Return, {"format": "{{ inputs.m }}"}, {"inputs": {"m": {"a": [1]}}})
    assert run.outputs == {"value": '{"a":[1]}'}
    assert (await worker.run(Return, {"format": None})).outputs == {}


async def test_echo_writes_a_line(worker: InlineWorker) -> None:
    run = await worker.run(Echo, {"format": "{{ 1 }}", "level": "ERROR"})
    assert run.at(LogLevel.ERROR) == ["1"]
