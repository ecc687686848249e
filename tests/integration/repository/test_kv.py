"""The key-value store on both databases."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from tests.integration.repository.records import NOW, at

from windhover.model.kv import KeyExists, KvType, KvValue, kv_value
from windhover.model.purge import KeyPurge, VersionPurge
from windhover.repository.database import Database
from windhover.repository.filters import Paging, TextMatch
from windhover.repository.kv import KvQuery, KvRepository, KvSort
from windhover.repository.tenant_kv import TenantKv

NS = "company.team"


async def put(
    store: KvRepository, key: str, value: object = 1, now: datetime = NOW, namespace: str = NS, **more: object
) -> int:
    entry = await store.put("main", namespace, key, kv_value(value), now, **more)  # type: ignore[arg-type]
    return entry.version


async def test_versions_count_on_and_creation_stays(database: Database) -> None:
    store = KvRepository(database)
    assert await put(store, "a", {"n": [1, None]}, description="first") == 1
    assert await put(store, "a", "PT5S", at(5)) == 2
    entry = await store.get("main", [NS], "a", at(6))
    assert entry is not None
    assert entry.content == KvValue(KvType.DURATION, "PT5S")
    assert (entry.version, entry.created, entry.updated, entry.description) == (2, NOW, at(5), None)
    assert await store.delete("main", NS, "a", at(7))
    assert not await store.delete("main", NS, "a", at(7))
    assert await store.get("main", [NS], "a", at(8)) is None
    assert await put(store, "a", 3, at(9)) == 3
    again = await store.get("main", [NS], "a", at(9))
    assert again is not None
    assert again.created == at(9)


async def test_of_writers_at_once_each_gets_a_version_and_one_alone_may_create(database: Database) -> None:
    store = KvRepository(database)
    written = await asyncio.gather(*(put(store, "n", n) for n in range(60)))
    assert sorted(written) == list(range(1, 61))
    tries = await asyncio.gather(
        *(put(store, "lock", n, overwrite=False) for n in range(5)), return_exceptions=True
    )
    assert sum(result == 1 for result in tries) == 1
    assert sum(isinstance(result, KeyExists) for result in tries) == 4


async def test_what_has_expired_is_not_there_and_may_be_created_anew(database: Database) -> None:
    store = KvRepository(database)
    await put(store, "a", expires=at(10))
    await put(store, "b", expires=at(20))
    assert await store.keys("main", NS, at(9)) == ["a", "b"]
    assert await store.keys("main", NS, at(10)) == ["b"]
    assert await store.get("main", [NS], "a", at(10)) is None
    assert not await store.delete("main", NS, "a", at(10))
    assert await put(store, "a", now=at(11), overwrite=False) == 2
    assert await store.purge_expired(at(15), 100) == 1
    assert await store.purge_expired(at(30), 100) == 1
    assert [entry.key for entry in await store.entries("main", NS, at(30))] == ["a"]


async def test_the_nearest_namespace_counts(database: Database) -> None:
    store = TenantKv(KvRepository(database), "main", lambda: NOW)
    for namespace in ("company", NS):
        await store.put(namespace, "both", kv_value(namespace))
    await store.put("company", "outer", kv_value(1))
    both = await store.get(NS, "both", inherit=True)
    outer = await store.get(NS, "outer", inherit=True)
    assert both is not None
    assert both.content.value == NS
    assert outer is not None
    assert outer.namespace == "company"
    assert await store.get(NS, "outer") is None
    assert await store.keys(NS, "bo") == ["both"]
    assert await store.has_namespace("company")
    assert await store.has_namespace(NS)
    assert not await store.has_namespace("comp")
    assert not await store.has_namespace("other")


async def test_search(database: Database) -> None:
    store = KvRepository(database)
    for number, key in enumerate(["alpha", "Beta", "gamma"]):
        await put(store, key, now=at(number), namespace=f"company.{key.lower()}")
    await put(store, "gone", expires=at(1))
    query = KvQuery("main", at(5), sort=KvSort.UPDATED, descending=True, paging=Paging(1, 2))
    page = await store.search(query)
    assert [entry.key for entry in page.results] == ["gamma", "Beta"]
    assert page.total == 3
    found = await store.search(KvQuery("main", at(5), text="bet"))
    assert [entry.key for entry in found.results] == ["Beta"]
    found = await store.search(KvQuery("main", at(5), namespace=(TextMatch.equal("company.alpha"),)))
    assert [entry.key for entry in found.results] == ["alpha"]


async def test_purges(database: Database) -> None:
    store = TenantKv(KvRepository(database), "main", lambda: at(100))
    repository = store.repository
    for number in range(4):
        await put(repository, "a", number, at(number))
    await put(repository, "old", expires=at(50))
    await put(repository, "gone")
    await repository.delete("main", NS, "gone", at(60))

    def everything(key: str) -> bool:
        return True

    assert await store.purge([NS], everything, VersionPurge(keep=2)) == 3  # two of `a`, and `gone`
    assert await store.purge([NS], everything, VersionPurge(before=at(3))) == 1
    assert await store.purge([NS], everything, KeyPurge(at(100))) == 1
    entry = await store.get(NS, "a")
    assert entry is not None
    assert entry.content.value == 3
    assert await store.purge([NS], lambda key: key == "b", KeyPurge(at(100), expired_only=False)) == 0
    assert await store.purge([NS], everything, KeyPurge(at(100), expired_only=False)) == 1
    assert await store.namespaces() == []


@pytest.mark.parametrize("prefix", ["a_", "a%"])
async def test_a_prefix_is_taken_literally(database: Database, prefix: str) -> None:
    store = KvRepository(database)
    await put(store, "abc")
    await put(store, "a_c")
    assert await store.keys("main", NS, NOW, prefix) == (["a_c"] if prefix == "a_" else [])
