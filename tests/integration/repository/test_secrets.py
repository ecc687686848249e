"""Stored secrets on both databases."""

from __future__ import annotations

import asyncio

from tests.integration.repository.records import NOW, at

from windhover.model.secret import SealedSecret, SecretTag
from windhover.repository.database import Database
from windhover.repository.filters import Paging, TextMatch
from windhover.repository.secrets import SecretQuery, SecretRepository, SecretSort

NS = "company.team"


async def test_a_secret_from_its_creation_to_its_end(database: Database) -> None:
    store = SecretRepository(database)
    await store.put(
        "main", SealedSecret(NS, "K", "one"), NOW, description="a\0b", tags=[SecretTag("team", "data")]
    )
    entry = await store.get("main", NS, "K")
    assert entry is not None
    assert (entry.description, entry.tags) == ("a\ufffdb", (SecretTag("team", "data"),))
    await store.put("main", SealedSecret(NS, "K", "two"), at(5))
    entry = await store.get("main", NS, "K")
    assert entry is not None
    assert (entry.description, entry.tags, entry.created, entry.updated) == (None, (), NOW, at(5))
    assert await store.sealed("main", [NS], "K") == SealedSecret(NS, "K", "two")
    assert await store.delete("main", NS, "K")
    assert not await store.delete("main", NS, "K")
    assert await store.get("main", NS, "K") is None
    assert await store.sealed("main", [NS], "K") is None


async def test_what_is_told_of_a_secret_changes_without_its_value(database: Database) -> None:
    store = SecretRepository(database)
    await store.put("main", SealedSecret(NS, "K", "one"), NOW, description="d", tags=[SecretTag("a", "1")])
    assert await store.describe("main", NS, "K", at(1), tags=[])
    assert await store.describe("main", NS, "K", at(2), description=None)
    assert await store.describe("main", NS, "K", at(3))
    entry = await store.get("main", NS, "K")
    assert entry is not None
    assert (entry.description, entry.tags, entry.updated) == (None, (), at(3))
    assert await store.sealed("main", [NS], "K") == SealedSecret(NS, "K", "one")
    assert not await store.describe("main", NS, "NONE", at(4), description="d")


async def test_the_first_namespace_that_has_it_counts(database: Database) -> None:
    store = SecretRepository(database)
    for tenant, namespace in (("main", "company"), ("main", NS), ("other", NS), ("main", "x")):
        await store.put(tenant, SealedSecret(namespace, "K", f"{tenant} {namespace}"), NOW)
    found = await store.sealed("main", [NS, "company"], "K")
    assert found == SealedSecret(NS, "K", f"main {NS}")
    found = await store.sealed("main", ["company.other", "company"], "K")
    assert found == SealedSecret("company", "K", "main company")
    assert await store.sealed("main", ["y"], "K") is None
    assert await store.keys("main", [NS, "company"]) == [("company", "K"), (NS, "K")]


async def test_search(database: Database) -> None:
    store = SecretRepository(database)
    for number, key in enumerate(["ALPHA", "BETA", "GAMMA"]):
        namespace = f"company.{key.lower()}"
        await store.put("main", SealedSecret(namespace, key, "x"), at(number), description=f"no {number}")
    page = await store.search(
        SecretQuery("main", sort=SecretSort.UPDATED, descending=True, paging=Paging(1, 2))
    )
    assert [entry.key for entry in page.results] == ["GAMMA", "BETA"]
    assert page.total == 3
    for text, keys in (("bet", ["BETA"]), ("NO 2", ["GAMMA"]), ("%", []), (None, ["ALPHA", "BETA", "GAMMA"])):
        found = await store.search(SecretQuery("main", text=text))
        assert [entry.key for entry in found.results] == keys
    found = await store.search(SecretQuery("main", namespace=(TextMatch.prefix("company.alpha"),)))
    assert [entry.key for entry in found.results] == ["ALPHA"]
    assert (await store.search(SecretQuery("other"))).total == 0


async def test_of_writers_at_once_one_is_last(database: Database) -> None:
    store = SecretRepository(database)
    await asyncio.gather(*(store.put("main", SealedSecret(NS, "K", str(n)), at(n)) for n in range(20)))
    assert (await store.search(SecretQuery("main"))).total == 1
