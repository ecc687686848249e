"""Events of a listener that are gathered: many become one execution, each exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.scheduler.watching import Source, WatchingServer, flow, running

from windhover.engine.messages import TriggersChanged
from windhover.model.execution import JsonValue
from windhover.repository.batched_events import BatchedEventRepository
from windhover.repository.database import Database
from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.trigger_changes import Disable, Enable
from windhover.scheduler.settings import SchedulerSettings

COUNT = "{{ trigger.events | length }}"


@pytest_asyncio.fixture
async def server(database: Database, tmp_path: Path, source: Source) -> AsyncIterator[WatchingServer]:
    settings = SchedulerSettings(tick=timedelta(milliseconds=50), listen_lease=timedelta(seconds=3))
    async with running(database, tmp_path, settings) as made:
        yield made


def gathering(batch: str, more: str = "") -> str:
    source = flow("test.Listen", f"batch: {{{batch}}}\n{more}".rstrip())
    return source.replace("{{ trigger.number }} {{ trigger.text }}", COUNT)


async def see(server: WatchingServer, *numbers: int, key: str | None = None) -> None:
    """Let the listener see events, and wait until all are acknowledged."""
    wanted = len(server.source.acknowledged) + len(numbers)
    for number in numbers:
        server.source.events.put_nowait((number, key))
    await server.until(lambda: _is(len(server.source.acknowledged) == wanted))


async def batches(server: WatchingServer, count: int) -> list[list[JsonValue]]:
    """The numbers that the events of each execution have, once there are so many and all have ended."""
    await server.values(count)
    found = []
    for execution in await server.executions():
        assert execution.trigger is not None
        found.append([event["number"] for event in execution.trigger.variables["events"]])
    return found


async def test_a_batch_starts_when_it_has_enough_events(server: WatchingServer) -> None:
    await server.save(gathering("maxEvents: 3, maxDuration: PT1H"))
    await see(server, *range(7))
    assert await server.values(2) == ["3", "3"]
    assert await batches(server, 2) == [[0, 1, 2], [3, 4, 5]]
    repository = BatchedEventRepository(server.runtime.database)
    waiting = await repository.waiting(server.key)
    assert waiting is not None
    assert waiting.events == 1


async def test_no_event_waits_longer_than_it_may(server: WatchingServer) -> None:
    await server.save(gathering("maxDuration: PT0.1S"))
    await see(server, 1, 2)
    assert [number for numbers in await batches(server, 1) for number in numbers] == [1, 2]


async def test_events_are_acknowledged_once_they_are_kept(server: WatchingServer) -> None:
    """And not when their execution starts: a source gives no more than some that are not acknowledged."""
    kept: list[int] = []

    async def look(number: int) -> None:
        waiting = await BatchedEventRepository(server.runtime.database).waiting(server.key)
        kept.append(0 if waiting is None else waiting.events)

    server.source.on_acknowledge = look
    await server.save(gathering("maxDuration: PT1H"))
    await see(server, 7)
    assert kept == [1]
    assert await server.executions() == []


async def test_an_event_that_comes_again_is_kept_once(server: WatchingServer) -> None:
    await server.save(gathering("maxEvents: 2, maxDuration: PT1H"))
    await see(server, 1, key="a")
    await see(server, 1, key="a")
    await see(server, 2, key="b")
    assert await batches(server, 1) == [[1, 2]]
    # Also when it has become a part of an execution.
    await see(server, 1, key="a")
    assert await BatchedEventRepository(server.runtime.database).waiting(server.key) is None
    assert len(await server.executions()) == 1


async def test_the_flow_says_which_events_are_the_same_and_which_count(server: WatchingServer) -> None:
    more = 'eventKey: "{{ trigger.number % 3 }}"\nwhen: "{{ trigger.number > 0 }}"'
    await server.save(gathering("maxEvents: 2, maxDuration: PT1H", more))
    await see(server, *range(6))
    # 0 does not count, 4 and 5 are 1 and 2 again, and 3 waits.
    assert await batches(server, 1) == [[1, 2]]


async def test_an_event_whose_key_cannot_be_rendered_is_not_lost(server: WatchingServer) -> None:
    await server.save(gathering("maxDuration: PT1H", 'eventKey: "{{ trigger.no_such_name }}"'))
    await see(server, 1)
    (execution,) = await server.executions()
    assert (await server.flows.ended(execution.id)).state == "FAILED"
    (line, *_) = [entry.message async for entry in server.runtime.logs.stream(execution.id)]
    assert "The eventKey of the trigger cannot be rendered" in line


async def test_large_values_count_with_their_size_and_are_read_back(server: WatchingServer) -> None:
    text = "x" * 300_000
    await server.save(gathering("maxBytes: 500KB, maxDuration: PT1H", f"text: {text}"))
    await see(server, 1)
    assert await server.executions() == []
    await see(server, 2)
    assert await server.values(1) == ["1"]
    (execution,) = await server.executions()
    assert execution.trigger is not None
    stored = execution.trigger.variables["events"]
    assert stored["size"] > 300_000
    content = await server.runtime.storage.for_tenant("main").read(stored["uri"], stored["size"])
    assert text.encode() in content


async def test_what_was_gathered_waits_while_the_trigger_is_disabled(server: WatchingServer) -> None:
    await server.save(gathering("maxEvents: 2, maxDuration: PT0.3S"))
    await see(server, 1)
    await server.runtime.triggers.change([Disable(server.key)], server.runtime.clock())
    repository = BatchedEventRepository(server.runtime.database)
    await server.until(lambda: _is(server.source.listeners == 0))
    (event,) = await repository.first(server.key, 10)
    await repository.settle("batch", [event.id])
    assert await repository.settled() == []

    await server.runtime.triggers.change([Enable(server.key)], server.runtime.clock())
    server.runtime.queue.broadcasts.publish(TriggersChanged())
    assert await batches(server, 1) == [[1]]


async def test_a_settled_batch_is_not_started_once_its_trigger_is_disabled(server: WatchingServer) -> None:
    await server.save(gathering("maxDuration: PT1H"))
    await see(server, 1)
    repository = BatchedEventRepository(server.runtime.database)
    (event,) = await repository.first(server.key, 10)
    await repository.settle("batch", [event.id])
    await server.runtime.triggers.change([Disable(server.key)], server.runtime.clock())
    await _work_at_once(server)
    assert await server.executions() == []
    assert [batch_id for batch_id, _ in await repository.settled()] == ["batch"]

    await server.runtime.triggers.change([Enable(server.key)], server.runtime.clock())
    await _work_at_once(server)
    assert [execution.id for execution in await server.executions()] == ["batch"]


async def test_without_batch_what_was_gathered_starts_at_once(server: WatchingServer) -> None:
    await server.save(gathering("maxDuration: PT1H"))
    await see(server, 1, 2)
    await server.save(flow("test.Listen"))
    assert await batches(server, 1) == [[1, 2]]


class Unsure:
    """A database that writes what a listener has seen, and says once that it could not."""

    def __init__(self, server: WatchingServer) -> None:
        self._commit = server.runtime._scheduler._triggers.commit  # type: ignore[union-attr]
        self.failures = 0

    async def commit(self, batch, now):  # type: ignore[no-untyped-def]
        taken = await self._commit(batch, now)
        if batch.gathered and not self.failures:
            self.failures += 1
            raise RepositoryUnavailable("the connection was lost")
        return taken


async def test_what_may_have_been_kept_is_kept_once(
    server: WatchingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.save(gathering("maxEvents: 4, maxDuration: PT1H"))
    assert server.runtime._scheduler is not None
    unsure = Unsure(server)
    monkeypatch.setattr(server.runtime._scheduler._triggers, "commit", unsure.commit)
    await see(server, 1, 2)
    await see(server, 3, 4)
    assert unsure.failures == 1
    assert await batches(server, 1) == [[1, 2, 3, 4]]


async def _work_at_once(server: WatchingServer) -> None:
    """A round of whoever starts batches, as after a restart."""
    batches = server.runtime._make_event_batches()
    await batches.work()


async def _is(value: bool) -> bool:
    await asyncio.sleep(0)
    return value
