"""Webhooks that gather requests: many become one execution, each exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from tests.integration.webserver.server import Server, running_server

from windhover.engine.messages import Broadcast, ExecutionChanged
from windhover.repository.batched_events import BatchedEventRepository
from windhover.repository.database import Database
from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.statement import Write
from windhover.scheduler.event_batches import EventBatches
from windhover.scheduler.settings import SchedulerSettings
from windhover.storage import input_uri

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
URL = "/api/v1/main/executions/webhook/company.team/gather/key"

FLOW = """\
id: gather
namespace: company.team
{more}
tasks:
  - id: count
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.events | length }}}}"
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: key
{options}
"""


def flow(options: str, more: str = "") -> str:
    indented = "".join(f"    {line}\n" for line in options.strip().splitlines())
    return FLOW.format(options=indented, more=more)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Bench:
    """A server, the clock of its requests, and batches that are looked at when the test says so."""

    server: Server
    database: Database
    clock: Clock
    batches: EventBatches

    def other(self, repository: BatchedEventRepository | None = None, **settings: Any) -> EventBatches:
        """What another process, or the next life of this one, has."""
        services = self.server.services
        return EventBatches(
            repository or BatchedEventRepository(self.database),
            services.definitions,
            services.storage,
            services.queue,
            services.environment,
            clock=self.clock,
            settings=SchedulerSettings(check_interval=timedelta(), **settings),
        )

    async def send(self, body: Any = None, **arguments: Any) -> httpx.Response:
        if body is not None:
            arguments["json"] = body
        response = await self.server.client.post(URL, **arguments)
        assert response.status_code == 202, response.text
        return response

    async def executions(self) -> list[dict[str, Any]]:
        """All executions once they have ended, those that began first before others."""
        path = "/api/v1/main/executions/search"
        page = (
            await self.server.client.get(path, params={"size": 100, "sort": "state.startDate:asc"})
        ).json()
        ended = [
            await self.server.reached(each["id"], "SUCCESS", "FAILED", "WARNING") for each in page["results"]
        ]
        return sorted(ended, key=lambda each: (each["state"]["startDate"], each["id"]))

    async def bodies(self) -> list[list[Any]]:
        """The bodies of the requests that each execution has."""
        return [
            [event["body"] for event in each["trigger"]["variables"]["events"]]
            for each in await self.executions()
        ]


@pytest_asyncio.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncIterator[Bench]:
    clock = Clock()
    async with running_server(database, tmp_path, clock=clock) as server:
        bench = Bench(server, database, clock, None)  # type: ignore[arg-type]
        bench.batches = bench.other()
        yield bench


async def test_a_batch_starts_when_it_has_enough_events(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 3, maxDuration: PT1H}"))
    for number in range(7):
        answer = (await bench.send({"n": number}, params={"p": str(number)})).json()
        assert answer["triggerId"] == "hook"
        assert answer["eventId"]
        await bench.batches.work()
        bench.clock.now += timedelta(seconds=1)
    executions = await bench.executions()
    assert await bench.bodies() == [[{"n": 0}, {"n": 1}, {"n": 2}], [{"n": 3}, {"n": 4}, {"n": 5}]]
    assert executions[0]["taskRunList"][0]["outputs"]["value"] == "3"
    assert executions[0]["trigger"]["variables"]["events"][1]["parameters"] == {"p": ["1"]}
    labels = {label["key"]: label["value"] for label in executions[0]["labels"]}
    assert labels["system.from"] == "trigger"
    bench.clock.now += timedelta(hours=1)
    await bench.batches.work()
    assert (await bench.bodies())[2:] == [[{"n": 6}]]


async def test_a_batch_ends_before_the_event_that_is_too_many_bytes(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxBytes: 100, maxDuration: PT1H}"))
    for size in (60, 40, 60, 60, 500, 1):
        await bench.send(content=b"x" * size)
        await bench.batches.work()
        bench.clock.now += timedelta(seconds=1)
    lengths = [[len(body) for body in bodies] for bodies in await bench.bodies()]
    assert lengths == [[60, 40], [60], [60], [500]]


async def test_no_event_waits_longer_than_it_may(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxDuration: PT10S}"))
    await bench.send({"n": 1})
    bench.clock.now += timedelta(seconds=9)
    await bench.send({"n": 2})
    await bench.batches.work()
    assert await bench.executions() == []
    bench.clock.now += timedelta(seconds=1)
    # The limit is kept with the events: it is known to a process that has just begun.
    await bench.other().work()
    assert await bench.bodies() == [[{"n": 1}, {"n": 2}]]


async def test_a_delivery_that_comes_again_is_kept_once(bench: Bench) -> None:
    options = "idempotencyHeader: X-Delivery\nbatch: {maxEvents: 2, maxDuration: PT1H}"
    await bench.server.create_flow(flow(options))
    first = (await bench.send({"n": 1}, headers={"X-Delivery": "a"})).json()
    again = (await bench.send({"n": 1}, headers={"X-Delivery": "a"})).json()
    assert again == first
    await bench.batches.work()
    assert await bench.executions() == []
    await bench.send({"n": 2}, headers={"X-Delivery": "b"})
    await bench.batches.work()
    (execution,) = await bench.executions()
    late = (await bench.send({"n": 1}, headers={"X-Delivery": "a"})).json()
    assert late["executionId"] == execution["id"]
    assert "eventId" not in late
    bench.clock.now += timedelta(hours=2)
    await bench.batches.work()
    assert sorted(body["n"] for body in (await bench.bodies())[0]) == [1, 2]
    assert len(await bench.executions()) == 1


async def test_a_batch_whose_execution_was_not_written_is_taken_up(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 2, maxDuration: PT1H}"))
    for number in range(3):
        await bench.send({"n": number})
        bench.clock.now += timedelta(seconds=1)
    repository = BatchedEventRepository(bench.database)
    (key,) = await repository.triggers()
    # What a process leaves that ends between the two transactions.
    await repository.settle("settled", [event.id for event in await repository.first(key, 2)])
    await bench.other().work()
    await bench.other().work()
    assert [each["id"] for each in await bench.executions()] == ["settled"]
    assert await bench.bodies() == [[{"n": 0}, {"n": 1}]]


class Forgetful:
    """A database that writes, and says once that it could not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, writes: Sequence[Write]) -> None:
        await self._database.write(writes)
        if self.fails and any(write.statement.table == "executions" for write in writes):
            self.fails = False
            raise RepositoryUnavailable("the connection broke")


async def test_an_execution_begins_though_nobody_said_that_it_was_written(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 1, maxDuration: PT1H}"))
    await bench.send({"n": 1})
    forgetful = Forgetful(bench.database)
    batches = bench.other(repository=BatchedEventRepository(forgetful))
    forgetful.fails = True
    with pytest.raises(RepositoryUnavailable):
        await batches.work()
    await batches.work()
    await batches.work()
    assert await bench.bodies() == [[{"n": 1}]]


async def test_files_that_a_crash_left_half_moved_are_found(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 2, maxDuration: PT1H}\nfetchType: STORE"))
    await bench.send(content=b"one")
    bench.clock.now += timedelta(seconds=1)
    await bench.send(content=b"two")
    repository = BatchedEventRepository(bench.database)
    (key,) = await repository.triggers()
    await repository.settle("settled", [event.id for event in await repository.first(key, 2)])
    files = bench.server.services.storage.for_tenant("main")
    first = (await repository.events_of("settled"))[0].stored[0]
    target = input_uri("company.team", "gather", "settled", "trigger", "0-body")
    await files.move(first, target)
    await bench.batches.work()
    (execution,) = await bench.executions()
    uris = [event["uri"] for event in execution["trigger"]["variables"]["events"]]
    assert [await files.read(uri) for uri in uris] == [b"one", b"two"]


async def test_several_processes_start_each_event_once(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 5, maxDuration: PT1M}"))
    processes = [bench.other() for _ in range(4)]

    async def send(process: EventBatches, begin: int) -> None:
        for number in range(begin, begin + 20):
            await bench.send({"n": number})
            await process.work()

    await asyncio.gather(*(send(process, 20 * number) for number, process in enumerate(processes)))
    bench.clock.now += timedelta(hours=1)
    await asyncio.gather(*(process.work() for process in processes))
    await asyncio.gather(*(process.work() for process in processes))
    bodies = await bench.bodies()
    assert sorted(body["n"] for batch in bodies for body in batch) == list(range(80))
    assert max(len(batch) for batch in bodies) == 5


async def test_large_bodies_and_files_are_those_of_the_execution(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 2, maxDuration: PT1H}"))
    large = "x" * (300 * 1024)
    await bench.send(content=large.encode())
    await bench.send(files={"report": ("a.txt", b"content")})
    await bench.batches.work()
    (execution,) = await bench.executions()
    assert execution["taskRunList"][0]["outputs"]["value"] == "2"
    stored = execution["trigger"]["variables"]["events"]
    files = bench.server.services.storage.for_tenant("main")
    events = msgspec.json.decode(await files.read(stored["uri"], 10**7))
    assert [event["body"] for event in events if event["body"] is not None] == [large]
    (part,) = next(event["parts"] for event in events if event.get("parts"))
    assert f"/executions/{execution['id'].lower()}/" in part["uri"].lower()
    assert await files.read(part["uri"]) == b"content"
    kept = await files.list_files("kestra:///company/team/gather/executions")
    assert all(execution["id"] in file.uri for file in kept)


async def test_inputs_are_rendered_over_all_events(bench: Bench) -> None:
    more = "inputs:\n  - id: amount\n    type: INT\n    max: 2"
    options = 'batch: {maxEvents: 2, maxDuration: PT1H}\ninputs:\n  amount: "{{ trigger.events | length }}"'
    await bench.server.create_flow(flow(options, more))
    await bench.send({"n": 1})
    await bench.send({"n": 2})
    await bench.batches.work()
    (execution,) = await bench.executions()
    assert execution["inputs"] == {"amount": 2}


async def test_inputs_that_do_not_validate_make_an_execution_that_failed(bench: Bench) -> None:
    more = "inputs:\n  - id: amount\n    type: INT\n    max: 1"
    options = 'batch: {maxEvents: 2, maxDuration: PT1H}\ninputs:\n  amount: "{{ trigger.events | length }}"'
    await bench.server.create_flow(flow(options, more))
    await bench.send({"n": 1})
    await bench.send({"n": 2})
    await bench.batches.work()
    (execution,) = await bench.executions()
    assert execution["state"]["current"] == "FAILED"
    assert len(execution["trigger"]["variables"]["events"]) == 2


async def test_conditions_are_asked_of_each_request(bench: Bench) -> None:
    options = 'batch: {maxEvents: 2, maxDuration: PT1H}\nwhen: "{{ trigger.body.n > 0 }}"'
    await bench.server.create_flow(flow(options))
    assert (await bench.server.client.post(URL, json={"n": 0})).status_code == 204
    await bench.send({"n": 1})
    await bench.send({"n": 2})
    await bench.batches.work()
    assert len((await bench.bodies())[0]) == 2


async def test_events_wait_while_their_trigger_is_disabled(bench: Bench) -> None:
    batch = "batch: {maxEvents: 1, maxDuration: PT1S}"
    await bench.server.create_flow(flow(batch))
    await bench.send({"n": 1})
    update = "/api/v1/main/flows/company.team/gather"
    await bench.server.client.put(update, content=flow(f"{batch}\ndisabled: true"))
    await bench.batches.work()
    assert await bench.executions() == []
    await bench.server.client.put(update, content=flow(batch))
    await bench.batches.work()
    assert await bench.bodies() == [[{"n": 1}]]


async def test_a_webhook_that_gathers_no_more_lets_go_of_what_it_has(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxDuration: PT1H}"))
    await bench.send({"n": 1})
    await bench.server.client.put("/api/v1/main/flows/company.team/gather", content=flow(""))
    await bench.batches.work()
    assert await bench.bodies() == [[{"n": 1}]]


async def test_events_of_a_flow_that_was_deleted_are_dropped(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 1, maxDuration: PT1H}"))
    await bench.send({"n": 1})
    await bench.server.client.delete("/api/v1/main/flows/company.team/gather")
    await bench.batches.work()
    assert await bench.executions() == []
    assert await BatchedEventRepository(bench.database).triggers() == []
    assert "1 events that it has gathered are dropped" in caplog.text


@pytest.mark.parametrize("other", ["wait: true", "responseCode: 201", "returnOutputs: true"])
async def test_an_answer_cannot_wait_for_a_batch(bench: Bench, other: str) -> None:
    response = await bench.server.client.post(
        "/api/v1/main/flows", content=flow(f"batch: {{maxEvents: 2}}\n{other}")
    )
    assert response.status_code == 422
    assert "cannot be set with batch" in response.text


def _tells_an_end(message: Broadcast) -> bool:
    return isinstance(message, ExecutionChanged) and message.ended


async def test_it_works_by_itself(bench: Bench) -> None:
    await bench.server.create_flow(flow("batch: {maxEvents: 3, maxDuration: PT1H}"))
    batches = bench.other(tick=timedelta(hours=1))
    running = asyncio.create_task(batches.run())
    with bench.server.services.queue.broadcasts.subscribe(_tells_an_end) as ends:
        for number in range(3):
            await bench.send({"n": number})
        async with asyncio.timeout(10):
            await ends.next()
    batches.stop()
    await running
    assert len(await bench.executions()) == 1
