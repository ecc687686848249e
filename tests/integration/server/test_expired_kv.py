"""The purge of expired key-value pairs."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.repository.records import NOW, at

from windhover.model.kv import kv_value
from windhover.repository.database import Database
from windhover.repository.kv import KvRepository
from windhover.server.expired_kv import ExpiredKvPurge


async def test_what_has_expired_is_deleted_in_batches(database: Database) -> None:
    store = KvRepository(database)
    for number in range(7):
        await store.put("main", "ns", f"k{number}", kv_value(number), NOW, expires=at(number))
    await store.put("main", "ns", "stays", kv_value(1), NOW)
    purge = ExpiredKvPurge(
        store, lambda: at(5), initial_delay=timedelta(), interval=timedelta(hours=1), batch_size=2
    )
    assert await purge.run_once() == 6
    assert await purge.run_once() == 0
    assert await store.keys("main", "ns", NOW) == ["k6", "stays"]
