"""Executions that start one another: how many in a row, and how fast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from tests.unit.executor.saved_flows import SavedFlows

from windhover.engine.creation import new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import StartChild
from windhover.engine.replay import replay
from windhover.executor.children import UNHURRIED, ChildFactory, ChildRefusedError
from windhover.model.execution import Execution
from windhover.plugin.executable import ChildRequest
from windhover.repository.flow_definitions import FlowDefinitions

START = datetime(2026, 1, 1, tzinfo=UTC)


class Chain:
    """Executions of two flows in turn, each started by the one before."""

    def __init__(self, longest: int) -> None:
        self.saved = SavedFlows()
        self.now = START
        self.factory = ChildFactory(
            cast("FlowDefinitions", self.saved), EngineEnvironment(longest_chain=longest), lambda: self.now
        )
        self.last: Execution = new_execution(self.saved.named("ping"), {}, "first", START)

    async def start_next(
        self, after: timedelta = timedelta(seconds=1), *, wait: bool = False, delay: timedelta | None = None
    ) -> Execution:
        self.now += after
        flow_id = "pong" if self.last.flow_id == "ping" else "ping"
        request = ChildRequest(
            "company.team", flow_id, wait=wait, schedule_date=None if delay is None else self.now + delay
        )
        start = StartChild("taskrun", "task", "type", request, {})
        _, self.last, _ = await self.factory.make(self.last, start)
        return self.last


@pytest.mark.parametrize("wait", [True, False])
async def test_executions_that_start_one_another_are_stopped_and_named(wait: bool) -> None:
    chain = Chain(longest=5)
    for length in range(1, 6):
        assert (await chain.start_next(wait=wait)).chain == length
    with pytest.raises(ChildRefusedError) as refused:
        await chain.start_next(wait=wait)
    assert "'company.team'.'ping' as a subflow: 5 executions have started one another" in str(refused.value)
    assert "by 'company.team'.'ping' and then 'company.team'.'pong'" in str(refused.value)
    assert "`windhover.subflows.longest-chain`" in str(refused.value)


@pytest.mark.parametrize(
    ("after", "delay"),
    [(UNHURRIED, None), (timedelta(), UNHURRIED), (timedelta(seconds=4), timedelta(seconds=6))],
)
async def test_a_loop_of_flows_with_a_pace_of_its_own_goes_on(
    after: timedelta, delay: timedelta | None
) -> None:
    chain = Chain(longest=2)
    for _ in range(6):
        started = await chain.start_next(after, delay=delay)
        assert started.chain == 0
        chain.now = started.schedule_date or chain.now


async def test_what_is_replayed_begins_a_new_chain_unless_it_takes_a_place() -> None:
    chain = Chain(longest=5)
    for _ in range(3):
        await chain.start_next()
    flow = chain.saved.named(chain.last.flow_id)
    assert replay(chain.last, (), flow, chain.now, lambda: "new").execution.chain == 0
    in_its_place = replay(chain.last, (), flow, chain.now, lambda: "new", in_its_place=True)
    assert in_its_place.execution.chain == 3
