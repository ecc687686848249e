"""Keeping flows and their revisions, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.integration.repository.records import NOW, at

from windhover.model.execution import Label
from windhover.repository.database import Database
from windhover.repository.errors import FlowConflict
from windhover.repository.filters import InvalidFilter, LabelMatch, Paging, TextMatch
from windhover.repository.flows import FlowDraft, FlowQuery, FlowRepository, FlowSort

SOURCE = "id: hello\r\nnamespace: company\n# é \U0001f600\ntasks: []  \n"


@pytest.fixture
def flows(database: Database) -> FlowRepository:
    return FlowRepository(database)


def draft(source: str = SOURCE, **changes: Any) -> FlowDraft:
    values: dict[str, Any] = {"tenant_id": "main", "namespace": "company", "id": "hello", "source": source}
    return FlowDraft(**{**values, **changes})


async def test_the_source_is_kept_byte_for_byte(flows: FlowRepository) -> None:
    labels = (Label("team", 'a "quoted" one'),)
    saved = await flows.save(draft(description="Says hello", labels=labels, disabled=True), NOW)

    assert saved.revision == 1
    assert saved.source == SOURCE
    assert await flows.get("main", "company", "hello") == saved
    assert await flows.get("main", "company", "hello", 1) == saved
    assert await flows.get("main", "company", "hello", 2) is None
    assert await flows.get("other", "company", "hello") is None


async def test_revisions_count_on(flows: FlowRepository) -> None:
    first = await flows.save(draft(), NOW)
    assert await flows.save(draft(), at(1)) == first
    second = await flows.save(draft(SOURCE + "\n"), at(2))
    deleted = await flows.delete("main", "company", "hello", at(3))
    assert deleted is not None
    assert (second.revision, deleted.revision, deleted.deleted) == (2, 3, True)

    assert await flows.delete("main", "company", "hello", at(4)) is None
    assert await flows.get("main", "company", "hello") is None
    assert await flows.get("main", "company", "hello", allow_deleted=True) == deleted
    assert await flows.get("main", "company", "hello", 1) == first
    assert await flows.all_latest() == []

    again = await flows.save(draft(SOURCE + "\n"), at(5), base_revision=0)
    assert again.revision == 4
    assert await flows.revisions("main", "company", "hello") == [first, second, deleted, again]
    assert await flows.all_latest() == [again]


async def test_an_edit_of_an_old_revision_is_refused(flows: FlowRepository) -> None:
    await flows.save(draft(), NOW, base_revision=0)
    await flows.save(draft("two"), NOW, base_revision=1)
    with pytest.raises(FlowConflict, match=r"'company.hello' is at revision 2, .* based on revision 1"):
        await flows.save(draft("three"), NOW, base_revision=1)
    with pytest.raises(FlowConflict, match="that of a new flow"):
        await flows.save(draft("three"), NOW, base_revision=0)
    with pytest.raises(FlowConflict):
        await flows.delete("main", "company", "hello", NOW, base_revision=1)


async def test_of_edits_at_the_same_time_one_wins(flows: FlowRepository) -> None:
    await flows.save(draft(), NOW)
    edits = [flows.save(draft(f"edit {number}"), NOW, base_revision=1) for number in range(5)]
    results = await asyncio.gather(*edits, return_exceptions=True)
    assert sum(isinstance(result, FlowConflict) for result in results) == 4
    assert [flow.revision for flow in await flows.revisions("main", "company", "hello")] == [1, 2]


async def test_saves_without_a_base_all_get_a_revision(flows: FlowRepository) -> None:
    results = await asyncio.gather(*(flows.save(draft(f"edit {number}"), NOW) for number in range(4)))
    assert sorted(record.revision for record in results) == [1, 2, 3, 4]


async def test_old_revisions_can_be_forgotten(flows: FlowRepository) -> None:
    for number in range(1, 5):
        await flows.save(draft(f"source {number}"), NOW)
    with pytest.raises(FlowConflict, match="Revision 4 is the latest"):
        await flows.delete_revisions("main", "company", "hello", [1, 4])
    await flows.delete_revisions("main", "company", "hello", [1, 3, 3])
    assert [flow.revision for flow in await flows.revisions("main", "company", "hello")] == [2, 4]


async def test_searches(flows: FlowRepository) -> None:
    await flows.save(draft(namespace="a", id="x", description="Loads ORDERS", labels=(Label("k", "v"),)), NOW)
    await flows.save(draft(namespace="a.b", id="y", source="uses: Ünique", disabled=True), at(1))
    await flows.save(draft(namespace="ab", id="z", labels=(Label("j", "v"), Label("k", "w"))), at(2))
    await flows.save(draft(namespace="gone", id="gone"), at(2))
    await flows.delete("main", "gone", "gone", at(3))
    await flows.save(draft(tenant_id="other", namespace="o", id="o"), at(3))

    async def found(**conditions: Any) -> str:
        page = await flows.search(FlowQuery("main", **conditions))
        assert page.total == len(page.results)
        return " ".join(flow.id for flow in page.results)

    assert await found() == "x y z"
    assert await found(text="orders") == "x"
    assert await found(namespace=(TextMatch.prefix("a"),)) == "x y"
    assert await found(flow_id=(TextMatch.any_of("y", "z"),)) == "y z"
    assert await found(labels=(LabelMatch.equal("k", "v"),)) == "x"
    assert await found(labels=(LabelMatch("k"),)) == "x z"
    assert await found(labels=(LabelMatch("k", excluded=True),)) == "y"
    assert await found(disabled=True) == "y"
    assert await found(deleted=True) == "gone x y z"
    assert await found(sort=FlowSort.UPDATED, descending=True) == "z y x"
    page = await flows.search(FlowQuery("main", paging=Paging(2, 2)))
    assert ([flow.id for flow in page.results], page.total) == (["z"], 3)
    source = await flows.search_source(FlowQuery("main", text="üNIQUE"))
    assert [flow.id for flow in source.results] == ["y"]
    assert await flows.namespaces("main") == ["a", "a.b", "ab"]
    assert [flow.id for flow in await flows.all_latest()] == ["x", "y", "z", "o"]
    with pytest.raises(InvalidFilter):
        await found(labels=(LabelMatch("k", TextMatch.contains("v")),))
