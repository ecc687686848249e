"""Heartbeats of server components, and values that servers agree on, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.integration.repository.records import NOW, at

from windhover.repository.database import Database
from windhover.repository.services import ServiceRecord, ServiceRepository
from windhover.repository.settings import SettingRepository


async def test_heartbeats(database: Database) -> None:
    services = ServiceRepository(database)
    worker = ServiceRecord("w", "WORKER", "RUNNING", NOW, NOW, {"host": "a", "load": [1.5]})
    executor = ServiceRecord("e", "EXECUTOR", "RUNNING", at(1), at(1))
    await services.register(worker)
    await services.register(executor)
    assert await services.all() == [worker, executor]

    beaten = await services.heartbeat(replace(worker, data={"host": "b"}), at(50))
    assert beaten is not None
    assert await services.get("w") == beaten == replace(worker, heartbeat=at(50), data={"host": "b"})
    assert await services.silent_since(at(40), {"RUNNING", "CREATED"}) == [executor]
    assert await services.silent_since(at(40), {"CREATED"}) == []


async def test_one_alone_declares_a_component_dead_and_it_learns_of_it(database: Database) -> None:
    services = ServiceRepository(database)
    worker = ServiceRecord("w", "WORKER", "RUNNING", NOW, NOW)
    await services.register(worker)

    won = await asyncio.gather(*(services.transition("w", {"RUNNING"}, "NOT_RUNNING") for _ in range(5)))

    assert sorted(won) == [False, False, False, False, True]
    assert await services.heartbeat(worker, at(10)) is None
    assert await services.forget(at(5), {"RUNNING"}) == 0
    assert await services.forget(at(5), {"NOT_RUNNING"}) == 1
    assert await services.get("w") is None


async def test_settings(database: Database) -> None:
    settings = SettingRepository(database)
    assert await settings.get("a") is None
    await settings.put("a", {"n": [1, None]}, NOW)
    await settings.put("a", {"n": 2}, NOW)
    assert await settings.get("a") == {"n": 2}
    first = await asyncio.gather(*(settings.put_if_absent("id", number, NOW) for number in range(5)))
    assert len(set(first)) == 1
    assert await settings.all() == {"a": {"n": 2}, "id": first[0]}
    assert await settings.delete("a")
    assert not await settings.delete("a")
