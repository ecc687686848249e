"""The example of the documentation runs."""

from __future__ import annotations

from pathlib import Path

from windhover.model.state import StateType
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry
from windhover.plugin.task import TaskDefinition
from windhover.worker.inline import InlineWorker

EXAMPLE = Path(__file__).parents[3] / "examples" / "scripts.yaml"


async def test_the_example_runs(worker: InlineWorker) -> None:
    flow = parse_flow(EXAMPLE.read_text(), shared_registry()).flow
    outputs: dict[str, object] = {}
    for task in flow.tasks:
        assert isinstance(task, TaskDefinition)
        run = await worker.run(task.plugin, task.properties, {"inputs": {"rows": 5}, "outputs": outputs})
        assert run.state is StateType.SUCCESS
        outputs[task.id] = run.outputs
    assert run.messages == ["The sum of the squares is 55; from ten on there are 2."]
