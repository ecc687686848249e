"""Schedulers that share a database and are killed in turn: each date and each gathered event starts once."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from tests.faults.conftest import NAMESPACE, ServerFactory, until
from tests.faults.crashes.gathered import GATHER
from tests.faults.second_by_second import assert_each_second_once, every_second
from tests.scheduler_process import SchedulerProcess

from windhover.model.trigger_state import TriggerKey
from windhover.plugin.registry import Registry
from windhover.repository.batched_events import BatchedEvent, BatchedEventRepository, EventContent
from windhover.repository.database import Database, open_database
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository

#: How often schedulers are killed.
KILLS = int(os.environ.get("WINDHOVER_SCHEDULER_KILLS", "4"))
FLOWS = [f"every-second-{number}" for number in range(20)]
EVENTS = 300
KEY = TriggerKey("main", NAMESPACE, "gather", "hook")


@pytest.mark.postgres
async def test_two_schedulers_that_are_killed_in_turn(
    tmp_path: Path, postgres_database: str, subtests: pytest.Subtests
) -> None:
    """No standalone server is there: whichever scheduler lives does what the other one has left."""
    dsn = postgres_database
    database = await open_database(dsn)
    definitions = FlowDefinitions(FlowRepository(database), Registry())
    for source in (GATHER, *(every_second(flow, "allowConcurrent: true") for flow in FLOWS)):
        await definitions.save("main", definitions.parse(source))
    schedulers = [SchedulerProcess(tmp_path / f"scheduler{number}", dsn) for number in range(2)]
    try:
        await asyncio.gather(*(asyncio.to_thread(scheduler.start) for scheduler in schedulers))
        async with asyncio.TaskGroup() as group:
            group.create_task(_gather(database))
            group.create_task(_kill_in_turn(schedulers))
        killed = datetime.now(UTC)
        # Until what the last victim held has been given up, looked at and caught up with.
        await _until_dates_after(dsn, killed + timedelta(seconds=11), schedulers)
        numbers = [number for batch in await _gathered(dsn) for number in batch]
    finally:
        for scheduler in schedulers:
            scheduler.kill()
        await database.close()

    with subtests.test("dates"):
        dates = await _dates(dsn)
        assert len(dates) == len(FLOWS)
        for flow, found in dates.items():
            assert_each_second_once(found, flow)
    with subtests.test("gathered events"):
        assert Counter(numbers) == Counter(range(EVENTS))
        assert max(len(batch) for batch in await _gathered(dsn)) == 7


async def _kill_in_turn(schedulers: list[SchedulerProcess]) -> None:
    for kill in range(KILLS):
        # The time between two kills is what the test is about, not a wait for a result.
        await asyncio.sleep(random.uniform(1.0, 3.0))
        victim = schedulers[kill % 2]
        await asyncio.to_thread(victim.kill)
        await asyncio.to_thread(victim.start)


async def _gather(database: Database) -> None:
    """Keep events as web servers and listeners do, some at once, while schedulers are killed."""
    repository = BatchedEventRepository(database)
    for begin in range(0, EVENTS, 10):
        now = datetime.now(UTC)
        events = [
            BatchedEvent(
                id=f"event-{number}",
                key=KEY,
                content=EventContent({"body": {"n": number}}),
                size=10,
                received=now,
                due=now + timedelta(seconds=0.5),
            )
            for number in range(begin, begin + 10)
        ]
        await asyncio.gather(*(repository.add(event) for event in events))
        await asyncio.sleep(random.uniform(0.0, 0.4))


async def _until_dates_after(dsn: str, instant: datetime, schedulers: Sequence[SchedulerProcess]) -> None:
    newest: dict[str, datetime] = {}
    try:
        async with asyncio.timeout(50):
            while len(newest) < len(FLOWS) or min(newest.values()) <= instant:
                # Schedulers in processes of their own tell nobody what they have written.
                await asyncio.sleep(0.5)
                newest = {flow: max(dates) for flow, dates in (await _dates(dsn)).items()}
    except TimeoutError:
        logs = [scheduler.log()[-2000:] for scheduler in schedulers]
        raise AssertionError(f"no dates after {instant}: {newest}\n" + "\n\n".join(logs)) from None


async def _dates(dsn: str) -> dict[str, list[datetime]]:
    """The dates that executions were written for, by flow: from the executions themselves."""
    found: dict[str, list[datetime]] = {}
    for flow, variables in await _triggered(dsn):
        if flow in FLOWS:
            found.setdefault(flow, []).append(datetime.fromisoformat(variables["date"]))
    return found


async def _gathered(dsn: str) -> list[list[int]]:
    """The events of each execution, from the executions themselves."""
    return [
        [event["body"]["n"] for event in variables["events"]]
        for flow, variables in await _triggered(dsn)
        if flow == "gather"
    ]


async def _triggered(dsn: str) -> list[tuple[str, dict[str, Any]]]:
    """The flow of each execution, and what its trigger has given it."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT flow_id, data::json -> 'trigger' -> 'variables' AS variables FROM executions"
        )
    finally:
        await connection.close()
    return [(row["flow_id"], msgspec.json.decode(row["variables"])) for row in rows]


@pytest.mark.postgres
def test_what_a_scheduler_cannot_start_is_left_to_the_server(
    tmp_path: Path, make_server: ServerFactory, postgres_database: str
) -> None:
    """A batch too large for a row goes into the storage, which a scheduler need not share."""
    server = make_server(postgres=postgres_database)
    server.process.start()
    # Not before all have come: how fast that is must not matter.
    server.save(GATHER.replace("maxEvents: 7", "maxEvents: 3").replace("PT0.3S", "PT1H"))
    scheduler = SchedulerProcess(tmp_path / "scheduler", postgres_database)
    try:
        scheduler.start()
        large = "x" * 300_000
        url = server.url(f"/executions/webhook/{NAMESPACE}/gather/gather")
        for number in range(3):
            server.client.post(url, json={"n": number, "text": large}).raise_for_status()
        until(lambda: server.get("/executions/search")["total"] > 0, 40, server.process.log)
        (execution,) = server.get("/executions/search")["results"]
        assert server.wait_for_end(execution["id"])["taskRunList"][0]["outputs"]["value"] == "3"
    finally:
        scheduler.kill()
