"""Broadcasts go to those who listen to their kind, and what nobody hears need not be made."""

from __future__ import annotations

import pytest

from windhover.engine.messages import ExecutionChanged, FlowChanged, LogsCommitted, TriggersChanged
from windhover.model.state import StateType
from windhover.queue.local import Broadcasts
from windhover.webserver.execution_feed import ExecutionFeed

CHANGED = ExecutionChanged("one", StateType.RUNNING, False)
FLOW = FlowChanged("main", "company.team", "flow", 1)


async def test_a_listener_hears_the_kinds_it_asked_for() -> None:
    broadcasts = Broadcasts()
    with broadcasts.subscribe(kinds=(FlowChanged, TriggersChanged)) as messages:
        broadcasts.publish(CHANGED)
        broadcasts.publish(FLOW)
        broadcasts.publish(TriggersChanged())
        assert [await messages.next(), await messages.next()] == [FLOW, TriggersChanged()]


async def test_without_kinds_all_are_heard_that_are_accepted() -> None:
    broadcasts = Broadcasts()
    with broadcasts.subscribe(lambda message: message is not FLOW) as messages:
        broadcasts.publish(FLOW)
        broadcasts.publish(CHANGED)
        assert await messages.next() is CHANGED


def test_what_is_heard_is_known_by_kind() -> None:
    broadcasts = Broadcasts()
    with broadcasts.subscribe(kinds=(FlowChanged,)), broadcasts.subscribe(kinds=(FlowChanged,)):
        assert broadcasts.is_heard(FlowChanged)
        assert not broadcasts.is_heard(ExecutionChanged)
    assert not broadcasts.is_heard(FlowChanged)


@pytest.mark.parametrize("kind", [ExecutionChanged, LogsCommitted])
def test_executions_are_heard_while_somebody_follows_one(
    kind: type[ExecutionChanged | LogsCommitted],
) -> None:
    broadcasts = Broadcasts()
    feed = ExecutionFeed(broadcasts)
    assert not broadcasts.is_heard(kind)
    with feed.listen("one") as listener:
        assert broadcasts.is_heard(kind)
        broadcasts.publish(ExecutionChanged("one", StateType.SUCCESS, True))
        assert listener.ended
    assert not broadcasts.is_heard(kind)


async def test_a_listener_that_is_too_slow_knows_it() -> None:
    broadcasts = Broadcasts()
    with broadcasts.subscribe(limit=2, kinds=(TriggersChanged,)) as messages:
        for _ in range(3):
            broadcasts.publish(TriggersChanged())
        assert messages.lagged
        assert await messages.next() == TriggersChanged()
