"""What executions leave behind in memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from tests.integration.executor.flows import Flows

from windhover.engine.frame import Frame, Node
from windhover.engine.messages import Broadcast, ExecutionChanged
from windhover.model.state import StateType
from windhover.worker.context import AttemptContext

FLOW = """
    id: rounds
    namespace: company.team
    tasks:
      - id: each
        type: io.kestra.plugin.core.flow.ForEach
        values: [a, b, c]
        tasks:
          - id: choose
            type: io.kestra.plugin.core.flow.If
            condition: "{{ taskrun.value == 'a' or true }}"
            then:
              - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ parent.taskrun.value }}"}
"""


@pytest.fixture
def kept_garbage() -> Iterator[list[object]]:
    """What only the garbage collector can free, while the test runs and does not let it."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


async def test_an_execution_leaves_nothing_to_the_garbage_collector(
    flows: Flows, kept_garbage: list[object]
) -> None:
    flow = await flows.save(FLOW)
    with flows.runtime.queue.broadcasts.subscribe(_tells_end) as ends:
        await flows.start(flow)
        end = await ends.next()
    assert isinstance(end, ExecutionChanged)
    assert end.state is StateType.SUCCESS
    gc.collect()
    assert [one for one in kept_garbage if isinstance(one, (Frame, Node, AttemptContext))] == []


def _tells_end(message: Broadcast) -> bool:
    return isinstance(message, ExecutionChanged) and message.ended
