from __future__ import annotations

from windhover.core.metric.publish import Publish
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker


async def test_metrics_of_all_types_with_rendered_values(worker: InlineWorker) -> None:
    run = await worker.run(
        Publish,
        {
            "metrics": [
                {"type": "counter", "name": "rows", "value": "{{ inputs.n }}", "tags": {"region": "west"}},
                {"type": "timer", "name": "load", "value": "PT1.5S"},
                {"type": "gauge", "name": "{{ 'heat' }}", "value": 21.5, "description": "degrees"},
            ]
        },
        {"inputs": {"n": 3}},
    )
    assert run.state is StateType.SUCCESS
    assert [(each.type, each.name, each.value, each.tags) for each in run.metrics] == [
        ("counter", "rows", 3.0, {"region": "west"}),
        ("timer", "load", 1500.0, {}),
        ("gauge", "heat", 21.5, {}),
    ]


async def test_metrics_may_come_from_one_expression(worker: InlineWorker) -> None:
    metrics = [{"type": "counter", "name": "a", "value": 1}]
    run = await worker.run(Publish, {"metrics": "{{ inputs.metrics }}"}, {"inputs": {"metrics": metrics}})
    assert [(each.name, each.value) for each in run.metrics] == [("a", 1.0)]
    nothing = await worker.run(Publish, {})
    assert (nothing.state, nothing.metrics) == (StateType.SUCCESS, [])


async def test_a_value_that_is_no_number_fails(worker: InlineWorker) -> None:
    run = await worker.run(Publish, {"metrics": [{"type": "counter", "name": "rows", "value": "many"}]})
    assert run.state is StateType.FAILED
    assert "many" in run.at(LogLevel.ERROR)[0]
