from __future__ import annotations

import pytest

from windhover.core.templating.templated_task import TemplatedTask
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker


async def test_the_type_and_the_properties_are_made_by_expressions(worker: InlineWorker) -> None:
    spec = "type: io.kestra.plugin.core.debug.{{ inputs.type }}\nformat: Hello {{ inputs.who }}\n"
    run = await worker.run(TemplatedTask, {"spec": spec}, {"inputs": {"type": "Return", "who": "Ada"}})
    assert run.state is StateType.SUCCESS
    assert run.outputs == {"value": "Hello Ada"}


async def test_a_task_that_runs_in_a_thread(worker: InlineWorker) -> None:
    condition = "{% raw %}{{ inputs.n == 1 }}{% endraw %}"
    spec = f"type: io.kestra.plugin.core.execution.Assert\nconditions: ['{condition}']"
    assert (await worker.run(TemplatedTask, {"spec": spec}, {"inputs": {"n": 1}})).state is StateType.SUCCESS
    assert (await worker.run(TemplatedTask, {"spec": spec}, {"inputs": {"n": 2}})).state is StateType.FAILED


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("a: [", "cannot be read"),
        ("message: no type", "with a `type`"),
        ("type: io.kestra.plugin.core.log.Lag", "did you mean io.kestra.plugin.core.log.Log?"),
        ("type: io.kestra.plugin.core.flow.Sequential", "no task for a worker"),
        ("type: io.kestra.plugin.core.templating.TemplatedTask\nspec: a", "no task for a worker"),
        ("type: io.kestra.plugin.core.log.Log\nmassage: hi", "massage"),
    ],
)
async def test_what_is_no_task_is_refused(worker: InlineWorker, spec: str, message: str) -> None:
    run = await worker.run(TemplatedTask, {"spec": spec})
    assert run.state is StateType.FAILED
    assert message in run.at(LogLevel.ERROR)[0]
