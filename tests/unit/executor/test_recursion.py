"""Flows that start themselves more than once are stopped before they fill the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from tests.unit.executor.saved_flows import SavedFlows

from windhover.engine.creation import new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import StartChild
from windhover.engine.replay import replay
from windhover.executor.children import ChildFactory, ChildRefusedError
from windhover.model.execution import Execution
from windhover.plugin.executable import ChildRequest
from windhover.repository.flow_definitions import FlowDefinitions

START = datetime(2026, 1, 1, tzinfo=UTC)


class Tree:
    """Executions of which each may start others."""

    def __init__(self, most: int) -> None:
        self.now = START
        self.saved = SavedFlows()
        environment = EngineEnvironment(most_recursive=most, longest_chain=10_000)
        self.factory = ChildFactory(cast("FlowDefinitions", self.saved), environment, lambda: self.now)

    async def root(self, flow_id: str, execution_id: str = "root") -> Execution:
        return new_execution(self.saved.named(flow_id), {}, execution_id, START)

    async def start(self, parent: Execution, flow_id: str) -> Execution:
        request = ChildRequest("company.team", flow_id, wait=False)
        start = StartChild("taskrun", "task", "type", request, {})
        return (await self.factory.make(parent, start))[1]


async def grow(tree: Tree, root: Execution, flows: list[str], copies: int) -> int:
    """Let each start so many copies of the next flow, level by level; how many were started in all."""
    level, started, depth = [root], 0, 0
    refused: set[str] = set()
    while level:
        depth += 1
        following = []
        for parent in level:
            for _ in range(copies):
                try:
                    following.append(await tree.start(parent, flows[depth % len(flows)]))
                except ChildRefusedError as error:
                    refused.add(str(error))
        started += len(following)
        level = following
    assert all("`windhover.subflows.most-recursive`" in message for message in refused)
    return started


@pytest.mark.parametrize("flows", [["a"], ["a", "b"], ["a", "b", "c", "d"]])
async def test_copies_of_copies_are_stopped_whatever_is_between_them(flows: list[str]) -> None:
    tree = Tree(most=100)
    started = await grow(tree, await tree.root("a"), flows, 2)
    before_any_repeats = sum(2**depth for depth in range(1, len(flows)))
    assert started == 100 + before_any_repeats


async def test_many_executions_of_another_flow_are_no_recursion() -> None:
    tree = Tree(most=3)
    root = await tree.root("a")
    for _ in range(50):
        child = await tree.start(root, "b")
        assert child.lineage == ()
        assert (await tree.start(child, "c")).lineage == ("company.team/a",)


async def test_a_recursion_that_goes_deep_is_left_alone() -> None:
    tree = Tree(most=100)
    execution = await tree.root("a")
    for _ in range(100):
        execution = await tree.start(execution, "a")
    assert execution.lineage == ("company.team/a",)


async def test_each_first_execution_counts_for_itself() -> None:
    tree = Tree(most=5)
    for number in range(20):
        root = await tree.root("a", f"root {number}")
        for _ in range(5):
            await tree.start(root, "a")


async def test_what_has_a_pace_of_its_own_goes_on_for_ever() -> None:
    """A thousandth of what may start is forgotten each second."""
    tree = Tree(most=1000)
    root = await tree.root("a")
    for _ in range(5000):
        await tree.start(root, "a")
        tree.now += timedelta(seconds=1)


async def test_after_one_too_many_none_starts_until_it_is_calm() -> None:
    tree = Tree(most=1000)
    root = await tree.root("a")
    for _ in range(1000):
        await tree.start(root, "a")
    for _ in range(60):
        with pytest.raises(ChildRefusedError):
            await tree.start(root, "a")
        tree.now += timedelta(seconds=9)
    tree.now += timedelta(seconds=10)
    await tree.start(root, "a")


async def test_what_is_replayed_has_no_lineage_unless_it_takes_a_place() -> None:
    tree = Tree(most=100)
    last = await tree.start(await tree.start(await tree.root("a"), "b"), "c")
    flow = await tree.saved.get("main", "company.team", "c")
    assert replay(last, (), flow, START, lambda: "new").execution.lineage == ()
    in_its_place = replay(last, (), flow, START, lambda: "new", in_its_place=True)
    assert in_its_place.execution.lineage == ("company.team/a",)
