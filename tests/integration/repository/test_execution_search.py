"""Searching executions, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.integration.repository.records import NOW, at, execution

from windhover.model.execution import Execution, ExecutionTrigger
from windhover.model.state import StateType
from windhover.repository import searching
from windhover.repository.batch import CommitBatch
from windhover.repository.database import Database
from windhover.repository.execution_query import ChildFilter, ExecutionQuery, ExecutionSort, SortBy
from windhover.repository.executions import ExecutionRepository
from windhover.repository.filters import (
    InvalidFilter,
    LabelMatch,
    Paging,
    TextMatch,
    TextOperator,
    TimeRange,
)

FIRST = execution(
    StateType.RUNNING,
    StateType.SUCCESS,
    id="1-first",
    namespace="company",
    flow_id="Import_data",
    labels={"team": "a", "env": "prod"},
)
SECOND = execution(
    StateType.RUNNING,
    id="2-second",
    start=at(100),
    namespace="company.team",
    flow_id="importXdata",
    labels={"team": "b"},
    trigger=ExecutionTrigger("sub", "Subflow", {"executionId": FIRST.id}),
)
THIRD = execution(
    StateType.FAILED,
    id="3-third",
    start=at(200),
    namespace="company2",
    flow_id="export",
    flow_revision=2,
    kind="TEST",
    parent_id=FIRST.id,
    original_id=FIRST.id,
)
ELSEWHERE = execution(id="4-elsewhere", start=at(400), tenant_id="other")


@pytest.fixture
async def executions(database: Database) -> ExecutionRepository:
    repository = ExecutionRepository(database)
    await repository.commit(CommitBatch(created=[FIRST, SECOND, THIRD, ELSEWHERE]))
    return repository


def match(operator: TextOperator, *values: str) -> tuple[TextMatch, ...]:
    return (TextMatch(operator, values),)


CASES: list[tuple[dict[str, Any], list[Execution]]] = [
    ({}, [THIRD, SECOND, FIRST]),
    ({"text": "IMPORT"}, [SECOND, FIRST]),
    ({"text": "import_"}, [FIRST]),
    ({"text": "2-SEC"}, [SECOND]),
    ({"text": "%"}, []),
    ({"ids": (FIRST.id, THIRD.id, ELSEWHERE.id)}, [THIRD, FIRST]),
    ({"namespace": match(TextOperator.EQUALS, "company")}, [FIRST]),
    ({"namespace": match(TextOperator.NOT_EQUALS, "company")}, [THIRD, SECOND]),
    ({"namespace": match(TextOperator.PREFIX, "company")}, [SECOND, FIRST]),
    ({"namespace": match(TextOperator.STARTS_WITH, "COMPANY")}, [THIRD, SECOND, FIRST]),
    ({"namespace": match(TextOperator.ENDS_WITH, ".team")}, [SECOND]),
    ({"namespace": match(TextOperator.CONTAINS, "y.t")}, [SECOND]),
    ({"namespace": match(TextOperator.IN, "company", "company2")}, [THIRD, FIRST]),
    ({"namespace": match(TextOperator.NOT_IN, "company", "company2")}, [SECOND]),
    ({"namespace": match(TextOperator.REGEX, r"^company\d$")}, [THIRD]),
    (
        {"namespace": (TextMatch.prefix("company"), TextMatch(TextOperator.NOT_EQUALS, ("company",)))},
        [SECOND],
    ),
    ({"flow_id": match(TextOperator.EQUALS, "export")}, [THIRD]),
    ({"flows": (("company", "Import_data"), ("company2", "export"))}, [THIRD, FIRST]),
    ({"flow_revision": 2}, [THIRD]),
    ({"states": (StateType.SUCCESS, StateType.FAILED)}, [THIRD, FIRST]),
    ({"excluded_states": (StateType.SUCCESS, StateType.FAILED)}, [SECOND]),
    ({"started": TimeRange(since=at(100))}, [THIRD, SECOND]),
    ({"started": TimeRange(until=at(100))}, [FIRST]),
    ({"started": TimeRange(at(100), at(200))}, [SECOND]),
    ({"ended": TimeRange(since=at(150))}, [THIRD]),
    ({"started_or_ended": TimeRange(at(1), at(150))}, [SECOND, FIRST]),
    ({"started_or_ended": TimeRange()}, [THIRD, SECOND, FIRST]),
    ({"labels": (LabelMatch.equal("team", "a"),)}, [FIRST]),
    ({"labels": (LabelMatch.equal("team", "a"), LabelMatch.equal("env", "prod"))}, [FIRST]),
    ({"labels": (LabelMatch.equal("team", "b"), LabelMatch.equal("env", "prod"))}, []),
    ({"labels": (LabelMatch("team"),)}, [SECOND, FIRST]),
    ({"labels": (LabelMatch("team", excluded=True),)}, [THIRD]),
    ({"labels": (LabelMatch("team", TextMatch.equal("a"), excluded=True),)}, [THIRD, SECOND]),
    ({"labels": (LabelMatch("team", TextMatch.any_of("a", "b")),)}, [SECOND, FIRST]),
    ({"kinds": ("TEST",)}, [THIRD]),
    ({"without_kind": True}, [SECOND, FIRST]),
    ({"kinds": ("TEST",), "without_kind": True}, [THIRD, SECOND, FIRST]),
    ({"parent_id": FIRST.id}, [THIRD]),
    ({"original_id": FIRST.id}, [THIRD, FIRST]),
    ({"trigger_execution_id": FIRST.id}, [SECOND]),
    ({"trigger_id": match(TextOperator.EQUALS, "sub")}, [SECOND]),
    ({"trigger_id": match(TextOperator.NOT_EQUALS, "sub")}, [THIRD, FIRST]),
    ({"child": ChildFilter.CHILD}, [SECOND]),
    ({"child": ChildFilter.MAIN}, [THIRD, FIRST]),
]


async def test_conditions(executions: ExecutionRepository) -> None:
    for conditions, expected in CASES:
        page = await executions.search(ExecutionQuery("main", **conditions))
        assert [found.id for found in page.results] == [each.id for each in expected], conditions
        assert page.total == len(expected), conditions


async def test_going_through_an_index_finds_the_same(
    executions: ExecutionRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_MANY", 0)
    await test_conditions(executions)
    await test_orders(executions)


async def test_records_are_whole(executions: ExecutionRepository) -> None:
    page = await executions.search(ExecutionQuery("main"))
    assert page.results == [THIRD, SECOND, FIRST]


ORDERS: list[tuple[tuple[SortBy, ...], list[Execution]]] = [
    ((SortBy(ExecutionSort.START_DATE),), [FIRST, SECOND, THIRD]),
    ((SortBy(ExecutionSort.NAMESPACE, descending=True),), [THIRD, SECOND, FIRST]),
    ((SortBy(ExecutionSort.FLOW_ID),), [FIRST, THIRD, SECOND]),
    ((SortBy(ExecutionSort.DURATION),), [THIRD, FIRST, SECOND]),
    ((SortBy(ExecutionSort.DURATION, descending=True),), [FIRST, THIRD, SECOND]),
    ((SortBy(ExecutionSort.END_DATE, descending=True),), [THIRD, FIRST, SECOND]),
    (
        (SortBy(ExecutionSort.FLOW_REVISION, descending=True), SortBy(ExecutionSort.STATE)),
        [THIRD, SECOND, FIRST],
    ),
    ((), [FIRST, SECOND, THIRD]),
]


async def test_orders(executions: ExecutionRepository) -> None:
    for sort, expected in ORDERS:
        page = await executions.search(ExecutionQuery("main", sort=sort))
        assert [found.id for found in page.results] == [each.id for each in expected], sort


async def test_pages(database: Database) -> None:
    executions = ExecutionRepository(database)
    # All of the same instant: the id alone keeps pages apart.
    all_ = [execution() for _ in range(25)]
    await executions.commit(CommitBatch(created=all_))
    expected = [each.id for each in reversed(all_)]

    pages = [
        await executions.search(ExecutionQuery("main", paging=Paging(page, 10))) for page in (1, 2, 3, 4)
    ]

    assert [each.id for page in pages for each in page.results] == expected
    assert [page.total for page in pages] == [25] * 4
    with pytest.raises(InvalidFilter, match="count from 1"):
        Paging(0, 10)


async def test_all_that_a_search_finds(database: Database) -> None:
    executions = ExecutionRepository(database)
    all_ = [execution(flow_id="a" if number % 2 else "b") for number in range(25)]
    await executions.commit(CommitBatch(created=all_))
    query = ExecutionQuery("main", flow_id=(TextMatch.equal("b"),))
    expected = [each.id for each in all_ if each.flow_id == "b"]

    assert await executions.ids(query) == expected
    assert await executions.ids(query, after=expected[4], limit=3) == expected[5:8]
    assert [each.id async for each in executions.stream(query, size=4)] == expected


async def test_counts(executions: ExecutionRepository) -> None:
    query = ExecutionQuery("main")
    assert await executions.count_by_state(query) == {
        StateType.SUCCESS: 1,
        StateType.RUNNING: 1,
        StateType.FAILED: 1,
    }
    counts = await executions.count_over_time(query, timedelta(minutes=3))
    start = NOW.replace(microsecond=0)
    assert {(count.start, count.state, count.count, count.duration) for count in counts} == {
        (start, StateType.RUNNING, 1, timedelta()),
        (start, StateType.SUCCESS, 1, timedelta(seconds=2)),
        (start + timedelta(minutes=3), StateType.FAILED, 1, timedelta(seconds=1)),
    }
    assert [count.start for count in counts] == sorted(count.start for count in counts)


async def test_a_condition_that_makes_no_sense_says_so(executions: ExecutionRepository) -> None:
    with pytest.raises(InvalidFilter, match="not a regular expression"):
        await executions.search(ExecutionQuery("main", namespace=match(TextOperator.REGEX, "(")))
    with pytest.raises(InvalidFilter, match="needs a value"):
        await executions.search(ExecutionQuery("main", namespace=match(TextOperator.EQUALS)))
