"""Looks at many triggers, and long looks at one, leave the event loop to others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from tests.integration.scheduler.bench import Bench
from tests.integration.scheduler.test_first_dates import HOURLY, flow

from windhover.model.trigger_state import TriggerState
from windhover.scheduler.settings import SchedulerSettings
from windhover.util.turn import Turn

#: On none of ten thousand dates.
NEVER = HOURLY.replace("0 *", "* *") + "\nwhen: \"{{ trigger.date < '2020' }}\""


async def turns_during(work: Callable[[], Awaitable[object]]) -> int:
    """How often others have had their turn while something was done."""
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    others = asyncio.create_task(take_turns())
    await work()
    others.cancel()
    return turns


async def test_a_search_for_a_date_on_which_conditions_hold(bench: Bench) -> None:
    await bench.flows.save(flow(NEVER))
    await bench.scheduler.refresh()
    assert await turns_during(bench.scheduler.work) > 20
    state = await bench.state()
    assert state.next_date is None
    assert state.memory.searched is not None


async def test_what_starts_nothing_is_looked_at_in_ever_larger_transactions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what starts executions is not, so that those begin."""
    claimed: list[int] = []
    claim_due = bench.triggers.claim_due

    async def claim(lease: str, until: datetime, now: datetime, limit: int) -> list[TriggerState]:
        found = await claim_due(lease, until, now, limit)
        claimed.append(len(found))
        return found

    monkeypatch.setattr(bench.triggers, "claim_due", claim)
    await bench.restart(SchedulerSettings(claim=2))
    for number in range(9):
        await bench.flows.save(flow(HOURLY + '\nwhen: "{{ true }}"').replace("scheduled", f"f{number}"))
    await bench.tick()
    assert claimed == [2, 4, 3]
    claimed.clear()
    await bench.at(13)
    assert claimed == [2, 2, 2, 2, 1]


async def test_a_turn_ends_when_it_has_lasted_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    async def sleep(seconds: float) -> None:
        given.append(seconds)

    now = 0.0
    monkeypatch.setattr("windhover.util.turn.time.monotonic", lambda: now)
    monkeypatch.setattr("windhover.util.turn.asyncio.sleep", sleep)
    turn = Turn()
    await turn.give_way()
    assert given == []
    now = 0.01
    await turn.give_way()
    await turn.give_way()
    assert given == [0]
