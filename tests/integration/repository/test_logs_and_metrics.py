"""Finding log lines and metrics, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.integration.repository.records import NOW, at, execution, log, metric

from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.repository import searching
from windhover.repository.batch import CommitBatch
from windhover.repository.database import Database
from windhover.repository.executions import ExecutionRepository
from windhover.repository.filters import Paging, TextMatch, TimeRange
from windhover.repository.logs import LogQuery, LogRepository
from windhover.repository.metrics import Aggregation, MetricAggregate, MetricRepository

LINES = [
    log("one", 1, "Starting", level=LogLevel.DEBUG),
    log("one", 2, "100% done", task_id="t", task_run_id="tr", attempt_number=0, thread="main"),
    log("one", 3, "Half a pair \ud83d, a NUL \0.", level=LogLevel.ERROR, task_id="u", attempt_number=1),
    log("two", 1, "STARTING too", namespace="other", timestamp=at(1.5), trigger_id="x"),
]


@pytest.fixture
async def logs(database: Database) -> LogRepository:
    # In any order: the sequence alone says how lines follow each other.
    await ExecutionRepository(database).commit(CommitBatch(logs=list(reversed(LINES))))
    return LogRepository(database)


CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "one1 two1 one2 one3"),
    ({"descending": True}, "one3 one2 two1 one1"),
    ({"execution_id": "one"}, "one1 one2 one3"),
    ({"execution_id": "one", "descending": True}, "one3 one2 one1"),
    ({"execution_ids": (TextMatch.any_of("two"),)}, "two1"),
    ({"text": "starting"}, "one1 two1"),
    ({"text": "100%"}, "one2"),
    ({"min_level": LogLevel.INFO}, "two1 one2 one3"),
    ({"levels": (LogLevel.DEBUG, LogLevel.ERROR)}, "one1 one3"),
    ({"task_id": (TextMatch.equal("t"),)}, "one2"),
    ({"task_run_id": (TextMatch.equal("tr"),)}, "one2"),
    ({"attempt_number": 1}, "one3"),
    ({"trigger_id": (TextMatch.equal("x"),)}, "two1"),
    ({"namespace": (TextMatch.prefix("company"),)}, "one1 one2 one3"),
    ({"flow_id": (TextMatch.equal("hello"),), "time": TimeRange(at(1.5), at(3))}, "two1 one2"),
]


async def test_conditions(logs: LogRepository) -> None:
    for conditions, expected in CASES:
        page = await logs.find(LogQuery("main", **conditions))
        found = " ".join(f"{line.execution_id}{line.sequence}" for line in page.results)
        assert found == expected, conditions
        assert page.total == len(page.results), conditions


async def test_going_through_an_index_finds_the_same(
    logs: LogRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_MANY", 0)
    await test_conditions(logs)


async def test_lines_are_read_back_as_they_were_written(logs: LogRepository) -> None:
    page = await logs.find(LogQuery("main", execution_id="one"))
    assert page.results[:2] == LINES[:2]
    assert page.results[2].message == "Half a pair ?, a NUL \N{REPLACEMENT CHARACTER}."


async def test_pages(logs: LogRepository) -> None:
    page = await logs.find(LogQuery("main", execution_id="one", paging=Paging(2, 2)))
    assert ([line.sequence for line in page.results], page.total) == ([3], 3)


async def test_a_stream_goes_on_where_it_was_left(logs: LogRepository) -> None:
    assert [line.sequence async for line in logs.stream("one", size=2)] == [1, 2, 3]
    assert [line.sequence async for line in logs.stream("one", 1, size=1)] == [2, 3]
    assert [line.sequence async for line in logs.stream("one", min_level=LogLevel.WARN)] == [3]
    assert [line async for line in logs.stream("nobody")] == []


async def test_deleting(logs: LogRepository) -> None:
    assert await logs.delete(LogQuery("main", execution_id="one", min_level=LogLevel.ERROR)) == 1
    assert await logs.delete_execution("one") == 2
    assert (await logs.find(LogQuery("main"))).total == 1


@pytest.mark.parametrize("by_query", [False, True])
async def test_numbers_of_deleted_lines_do_not_come_again(database: Database, by_query: bool) -> None:
    executions, logs = ExecutionRepository(database), LogRepository(database)
    under_way, ended = execution(id="one"), execution(StateType.SUCCESS, id="two")
    await executions.commit(CommitBatch(created=[under_way, ended], logs=list(LINES)))
    for execution_id in ("one", "two"):
        if by_query:
            await logs.delete(LogQuery("main", execution_id=execution_id))
        else:
            await logs.delete_execution(execution_id)
    assert await executions.last_log_sequence("one") == 3
    assert await executions.last_log_sequence("two") == 0
    await executions.commit(CommitBatch(logs=[log("one", 4, "Goes on")]))
    assert await executions.last_log_sequence("one") == 4
    await executions.commit(CommitBatch(deleted_executions=["one"], deleted_logs=["one"]))
    assert await executions.last_log_sequence("one") == 0


async def test_metrics(database: Database) -> None:
    metrics = MetricRepository(database)
    written = [
        metric("one", "rows", 2.5, tags={"table": "a"}),
        metric("one", "rows", 4, timestamp=at(60), task_id="copy", task_run_id="other"),
        metric("two", "rows", 10, timestamp=at(90)),
        metric("two", "time", 7, timestamp=at(90), type="timer"),
    ]
    await ExecutionRepository(database).commit(CommitBatch(metrics=written))

    assert await metrics.of_execution("one") == written[:2]
    assert await metrics.of_execution("one", task_id="copy") == written[1:2]
    assert await metrics.of_execution("one", task_run_id="run") == written[:1]
    flow = ("main", "company.team", "hello")
    assert await metrics.names(*flow) == ["rows", "time"]
    assert await metrics.names(*flow, "copy") == ["rows"]
    assert await metrics.tasks(*flow) == ["copy", "load"]

    start = NOW.replace(microsecond=0)
    minute = timedelta(minutes=1)
    time = TimeRange(NOW, at(3600))
    sums = await metrics.aggregate(*flow, "rows", time=time, bucket=minute)
    assert sums == [MetricAggregate(start, 2.5), MetricAggregate(start + minute, 14.0)]
    averages = await metrics.aggregate(
        *flow, "rows", time=time, bucket=minute, aggregation=Aggregation.AVG, task_id="copy"
    )
    assert averages == [MetricAggregate(start + minute, 4.0)]
    assert await metrics.delete_execution("one") == 2
    assert await metrics.of_execution("one") == []
