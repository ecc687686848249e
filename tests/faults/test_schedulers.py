"""Schedulers and servers that are killed: every date of a schedule runs once, and none is left out."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from tests.faults.conftest import NAMESPACE, ServerFactory, until
from tests.postgres import Cluster
from tests.scheduler_process import SchedulerProcess

from windhover.plugin.registry import Registry
from windhover.repository.database import open_database
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository

#: How often schedulers are killed.
KILLS = int(os.environ.get("WINDHOVER_SCHEDULER_KILLS", "4"))
FLOWS = 20


def every_second(number: int) -> str:
    return f"""
id: every-second-{number}
namespace: {NAMESPACE}
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.date }}}}"
triggers:
  - id: s
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "* * * * * *"
    withSeconds: true
    allowConcurrent: true
"""


def assert_each_second_once(dates: list[datetime], flow: str) -> None:
    """Every second from the first date to the last, each once."""
    counts = Counter(dates)
    assert [date for date, count in counts.items() if count > 1] == [], f"{flow}: run twice"
    first, last = min(dates), max(dates)
    wanted = {first + timedelta(seconds=step) for step in range(round((last - first).total_seconds()) + 1)}
    assert sorted(wanted - counts.keys()) == [], f"{flow}: left out"


@pytest.mark.postgres
async def test_two_schedulers_that_are_killed_in_turn(tmp_path: Path, own_postgres_cluster: Cluster) -> None:
    dsn = own_postgres_cluster.dsn
    database = await open_database(dsn)
    definitions = FlowDefinitions(FlowRepository(database), Registry())
    for number in range(FLOWS):
        await definitions.save("main", definitions.parse(every_second(number)))
    schedulers = [SchedulerProcess(tmp_path / f"scheduler{number}", dsn) for number in range(2)]
    try:
        await asyncio.gather(*(asyncio.to_thread(scheduler.start) for scheduler in schedulers))
        for kill in range(KILLS):
            # The time between two kills is what the test is about, not a wait for a result.
            await asyncio.sleep(random.uniform(1.0, 3.0))
            victim = schedulers[kill % 2]
            await asyncio.to_thread(victim.kill)
            await asyncio.to_thread(victim.start)
        killed = datetime.now(UTC)
        # Until what the last victim held has been given up, looked at and caught up with.
        await _until_dates_after(dsn, killed + timedelta(seconds=11))
    finally:
        for scheduler in schedulers:
            scheduler.kill()
        await database.close()
    dates = await _dates(dsn)
    assert len(dates) == FLOWS
    for flow, found in dates.items():
        assert_each_second_once(found, flow)


async def _dates(dsn: str) -> dict[str, list[datetime]]:
    """The dates that executions were written for, by flow: from the executions themselves."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT flow_id, data::json -> 'trigger' -> 'variables' ->> 'date' AS date FROM executions"
        )
    finally:
        await connection.close()
    found: dict[str, list[datetime]] = {}
    for row in rows:
        found.setdefault(row["flow_id"], []).append(datetime.fromisoformat(row["date"]))
    return found


async def _until_dates_after(dsn: str, instant: datetime) -> None:
    async with asyncio.timeout(90):
        while True:
            dates = await _dates(dsn)
            if len(dates) == FLOWS and all(max(found) > instant for found in dates.values()):
                return
            await asyncio.sleep(0.5)


def test_a_server_that_is_killed_between_dates(make_server: ServerFactory) -> None:
    """The table of dates against that of executions, after kills at any moment of a second."""
    server = make_server()
    process = server.process
    process.start()
    for number in range(FLOWS):
        server.save(every_second(number))
    for _ in range(4):
        until(lambda: len(_stored_dates(process.home)) == FLOWS, 20, lambda: "schedules that have run")
        time.sleep(random.uniform(0.5, 2.0))
        process.kill_all()
        process.start()
    restarted = datetime.now(UTC) + timedelta(seconds=1)
    until(
        lambda: all(max(found) > restarted for found in _stored_dates(process.home).values()),
        40,
        lambda: "what was missed has been made up for",
    )
    process.stop()
    for flow, found in _stored_dates(process.home).items():
        assert_each_second_once(found, flow)
    states = _query(process.home, "SELECT state, count(*) FROM executions GROUP BY state")
    assert {state for state, _ in states} <= {"SUCCESS", "CREATED", "RUNNING"}, states


def _stored_dates(home: Path) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    for flow, date in _query(home, "SELECT flow_id, data ->> '$.trigger.variables.date' FROM executions"):
        found.setdefault(flow, []).append(datetime.fromisoformat(date))
    return found


def _query(home: Path, text: str) -> list[tuple[str, str]]:
    connection = sqlite3.connect(f"file:{home}/data/windhover.db?mode=ro", uri=True)
    try:
        return connection.execute(text).fetchall()
    finally:
        connection.close()
