"""What was gathered is started by whoever is there, each event in one execution."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
from tests.faults.conftest import NAMESPACE, ServerFactory, until
from tests.postgres import Cluster
from tests.scheduler_process import SchedulerProcess

from windhover.model.trigger_state import TriggerKey
from windhover.plugin.registry import Registry
from windhover.repository.batched_events import BatchedEvent, BatchedEventRepository, EventContent
from windhover.repository.database import Database, open_database
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository

EVENTS = 300
MOST = 7
KEY = TriggerKey("main", NAMESPACE, "gather", "hook")

GATHER = f"""
id: gather
namespace: {NAMESPACE}
tasks:
  - id: count
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.events | length }}}}"
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: gather
    batch:
      maxEvents: {MOST}
      maxDuration: PT0.5S
"""


@pytest.mark.postgres
async def test_two_schedulers_share_what_was_gathered(tmp_path: Path, own_postgres_cluster: Cluster) -> None:
    """Though they are killed in turn, and no standalone server is there."""
    dsn = own_postgres_cluster.dsn
    database = await open_database(dsn)
    definitions = FlowDefinitions(FlowRepository(database), Registry())
    await definitions.save("main", definitions.parse(GATHER))
    schedulers = [SchedulerProcess(tmp_path / f"scheduler{number}", dsn) for number in range(2)]
    try:
        await asyncio.gather(*(asyncio.to_thread(scheduler.start) for scheduler in schedulers))
        gathering = asyncio.create_task(_gather(database))
        for number in range(3):
            # The time between two kills is what the test is about, not a wait for a result.
            await asyncio.sleep(random.uniform(0.2, 1.0))
            victim = schedulers[number % 2]
            await asyncio.to_thread(victim.kill)
            await asyncio.to_thread(victim.start)
        await gathering
        found = await _until_all_have_started(dsn)
    finally:
        for scheduler in schedulers:
            scheduler.kill()
        await database.close()
    assert found == Counter(range(EVENTS))
    assert max(await _sizes(dsn)) == MOST


async def _gather(database: Database) -> None:
    """Keep events as web servers and listeners do, some at once."""
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
        await asyncio.sleep(0.05)


async def _until_all_have_started(dsn: str) -> Counter[int]:
    async with asyncio.timeout(30):
        while True:
            found = await _numbers(dsn)
            if sum(found.values()) >= EVENTS:
                return found
            await asyncio.sleep(0.1)


async def _bodies(dsn: str) -> list[list[int]]:
    """The events of each execution, from the executions themselves."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT data::json -> 'trigger' -> 'variables' AS v FROM executions")
    finally:
        await connection.close()
    return [[event["body"]["n"] for event in msgspec.json.decode(row["v"])["events"]] for row in rows]


async def _numbers(dsn: str) -> Counter[int]:
    return Counter(number for numbers in await _bodies(dsn) for number in numbers)


async def _sizes(dsn: str) -> list[int]:
    return [len(numbers) for numbers in await _bodies(dsn)]


@pytest.mark.postgres
def test_what_a_scheduler_cannot_start_is_left_to_the_server(
    tmp_path: Path, make_server: ServerFactory, own_postgres_cluster: Cluster
) -> None:
    """A batch too large for a row goes into the storage, which a scheduler need not share."""
    server = make_server(postgres=own_postgres_cluster.dsn)
    server.process.start()
    server.save(GATHER)
    scheduler = SchedulerProcess(tmp_path / "scheduler", own_postgres_cluster.dsn)
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
