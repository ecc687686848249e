"""However slow the machine is, a scheduler keeps what it looks at, though others wait to take it over."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from tests.integration.scheduler.bench import START, Bench
from tests.integration.scheduler.test_first_dates import HOURLY, flow

from windhover.model.flow import Flow
from windhover.model.trigger_state import TriggerState
from windhover.plugin.trigger import ScheduleTrigger
from windhover.repository.triggers import TriggerBatch
from windhover.scheduler.schedules import Outcome
from windhover.scheduler.settings import SchedulerSettings
from windhover.util.ids import new_id

LEASE = timedelta(seconds=10)


async def rival_claims(bench: Bench) -> list[TriggerState]:
    """What another scheduler would take over now."""
    now = bench.clock()
    return await bench.triggers.claim_due(new_id(), now + LEASE, now, 100)


async def test_looks_that_last_longer_than_a_lease_together_are_written_in_parts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"slow{number}" for number in range(12)]
    for name in names:
        await bench.flows.save(flow(HOURLY).replace("scheduled", name))
    await bench.restart(SchedulerSettings(lease=LEASE))
    await bench.tick()
    flows = bench.scheduler._flows
    get, commit = flows.get_revision, bench.triggers.commit
    taken_over: list[TriggerState] = []
    written: list[int] = []

    async def slow_get(tenant: str, namespace: str, flow_id: str, revision: int) -> Flow:
        bench.clock.now += timedelta(seconds=2)
        taken_over.extend(await rival_claims(bench))
        return await get(tenant, namespace, flow_id, revision)

    async def counted(batch: TriggerBatch, now: datetime) -> set[str]:
        written.append(len(batch.evaluations))
        return await commit(batch, now)

    with monkeypatch.context() as patched:
        patched.setattr(flows, "get_revision", slow_get)
        patched.setattr(bench.triggers, "commit", counted)
        bench.clock.set(13)
        await bench.scheduler.refresh()
        await bench.scheduler.work()
    assert bench.clock.now > START.replace(hour=13) + 2 * LEASE
    assert taken_over == []
    assert [count for count in written if count] == [2] * 6
    for name in names:
        assert await bench.dates(name) == ["2026-06-01T13:00:00Z"]


async def test_one_look_may_last_longer_than_its_lease(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.flows.save(flow(HOURLY + '\nwhen: "{{ true }}"'))
    await bench.tick()
    # The time between two renewals is that of the machine.
    lease = timedelta(milliseconds=20)
    await bench.restart(SchedulerSettings(lease=lease))
    look, renew = bench.scheduler._schedules.look, bench.triggers.renew
    long_enough = threading.Event()
    taken_over: list[TriggerState] = []
    renewals = 0

    def long_look(state: TriggerState, flow: Flow, trigger: ScheduleTrigger, now: datetime) -> Outcome:
        assert long_enough.wait(60)
        return look(state, flow, trigger, now)

    async def counted(lease_id: str, until: datetime) -> bool:
        nonlocal renewals
        held = await renew(lease_id, until)
        bench.clock.now += lease * 0.9
        taken_over.extend(await rival_claims(bench))
        renewals += 1
        if renewals == 3:
            long_enough.set()
        return held

    with monkeypatch.context() as patched:
        patched.setattr(bench.scheduler._schedules, "look", long_look)
        patched.setattr(bench.triggers, "renew", counted)
        bench.clock.set(13)
        await bench.scheduler.refresh()
        await bench.scheduler.work()
    assert renewals >= 3
    assert taken_over == []
    assert await bench.dates() == ["2026-06-01T13:00:00Z"]
