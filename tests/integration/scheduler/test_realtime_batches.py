"""Events of a listener that are gathered: many become one execution, each exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.scheduler.watching import Bench, Source, flow, running

from windhover.engine.messages import TriggersChanged
from windhover.model.execution import JsonValue
from windhover.repository.batched_events import BatchedEventRepository
from windhover.repository.database import Database
from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.trigger_changes import Disable, Enable
from windhover.scheduler.settings import SchedulerSettings

COUNT = "{{ trigger.events | length }}"


@pytest_asyncio.fixture
async def bench(database: Database, tmp_path: Path, source: Source) -> AsyncIterator[Bench]:
    settings = SchedulerSettings(tick=timedelta(milliseconds=50), listen_lease=timedelta(seconds=3))
    async with running(database, tmp_path, settings) as made:
        yield made


def gathering(batch: str, more: str = "") -> str:
    source = flow("test.Listen", f"batch: {{{batch}}}\n{more}".rstrip())
    return source.replace("{{ trigger.number }} {{ trigger.text }}", COUNT)


async def see(bench: Bench, *numbers: int, key: str | None = None) -> None:
    """Let the listener see events, and wait until all are acknowledged."""
    wanted = len(bench.source.acknowledged) + len(numbers)
    for number in numbers:
        bench.source.events.put_nowait((number, key))
    await bench.until(lambda: _is(len(bench.source.acknowledged) == wanted))


async def batches(bench: Bench, count: int) -> list[list[JsonValue]]:
    """The numbers that the events of each execution have, once there are so many and all have ended."""
    await bench.values(count)
    found = []
    for execution in await bench.executions():
        assert execution.trigger is not None
        found.append([event["number"] for event in execution.trigger.variables["events"]])
    return found


async def test_a_batch_starts_when_it_has_enough_events(bench: Bench) -> None:
    await bench.save(gathering("maxEvents: 3, maxDuration: PT1H"))
    await see(bench, *range(7))
    assert await bench.values(2) == ["3", "3"]
    assert await batches(bench, 2) == [[0, 1, 2], [3, 4, 5]]
    repository = BatchedEventRepository(bench.runtime.database)
    waiting = await repository.waiting(bench.key)
    assert waiting is not None
    assert waiting.events == 1


async def test_no_event_waits_longer_than_it_may(bench: Bench) -> None:
    await bench.save(gathering("maxDuration: PT0.1S"))
    await see(bench, 1, 2)
    assert [number for numbers in await batches(bench, 1) for number in numbers] == [1, 2]


async def test_events_are_acknowledged_once_they_are_kept(bench: Bench) -> None:
    """And not when their execution starts: a source gives no more than some that are not acknowledged."""
    kept: list[int] = []

    async def look(number: int) -> None:
        waiting = await BatchedEventRepository(bench.runtime.database).waiting(bench.key)
        kept.append(0 if waiting is None else waiting.events)

    bench.source.on_acknowledge = look
    await bench.save(gathering("maxDuration: PT1H"))
    await see(bench, 7)
    assert kept == [1]
    assert await bench.executions() == []


async def test_an_event_that_comes_again_is_kept_once(bench: Bench) -> None:
    await bench.save(gathering("maxEvents: 2, maxDuration: PT1H"))
    await see(bench, 1, key="a")
    await see(bench, 1, key="a")
    await see(bench, 2, key="b")
    assert await batches(bench, 1) == [[1, 2]]
    # Also when it has become a part of an execution.
    await see(bench, 1, key="a")
    assert await BatchedEventRepository(bench.runtime.database).waiting(bench.key) is None
    assert len(await bench.executions()) == 1


async def test_the_flow_says_which_events_are_the_same_and_which_count(bench: Bench) -> None:
    more = 'eventKey: "{{ trigger.number % 3 }}"\nwhen: "{{ trigger.number > 0 }}"'
    await bench.save(gathering("maxEvents: 2, maxDuration: PT1H", more))
    await see(bench, *range(6))
    # 0 does not count, 4 and 5 are 1 and 2 again, and 3 waits.
    assert await batches(bench, 1) == [[1, 2]]


async def test_an_event_whose_key_cannot_be_rendered_is_not_lost(bench: Bench) -> None:
    await bench.save(gathering("maxDuration: PT1H", 'eventKey: "{{ trigger.no_such_name }}"'))
    await see(bench, 1)
    (execution,) = await bench.executions()
    assert (await bench.flows.ended(execution.id)).state == "FAILED"
    (line, *_) = [entry.message async for entry in bench.runtime.logs.stream(execution.id)]
    assert "The eventKey of the trigger cannot be rendered" in line


async def test_large_values_count_with_their_size_and_are_read_back(bench: Bench) -> None:
    text = "x" * 300_000
    await bench.save(gathering("maxBytes: 500KB, maxDuration: PT1H", f"text: {text}"))
    await see(bench, 1)
    assert await bench.executions() == []
    await see(bench, 2)
    assert await bench.values(1) == ["1"]
    (execution,) = await bench.executions()
    assert execution.trigger is not None
    stored = execution.trigger.variables["events"]
    assert stored["size"] > 300_000
    content = await bench.runtime.storage.for_tenant("main").read(stored["uri"], stored["size"])
    assert text.encode() in content


async def test_what_was_gathered_waits_while_the_trigger_is_disabled(bench: Bench) -> None:
    await bench.save(gathering("maxEvents: 2, maxDuration: PT0.3S"))
    await see(bench, 1)
    await bench.runtime.triggers.change([Disable(bench.key)], bench.runtime.clock())
    repository = BatchedEventRepository(bench.runtime.database)
    await bench.until(lambda: _is(bench.source.listeners == 0))
    (event,) = await repository.first(bench.key, 10)
    await repository.settle("batch", [event.id])
    assert await repository.settled() == []

    await bench.runtime.triggers.change([Enable(bench.key)], bench.runtime.clock())
    bench.runtime.queue.broadcasts.publish(TriggersChanged())
    assert await batches(bench, 1) == [[1]]


async def test_a_settled_batch_is_not_started_once_its_trigger_is_disabled(bench: Bench) -> None:
    await bench.save(gathering("maxDuration: PT1H"))
    await see(bench, 1)
    repository = BatchedEventRepository(bench.runtime.database)
    (event,) = await repository.first(bench.key, 10)
    await repository.settle("batch", [event.id])
    await bench.runtime.triggers.change([Disable(bench.key)], bench.runtime.clock())
    await _work_at_once(bench)
    assert await bench.executions() == []
    assert [batch_id for batch_id, _ in await repository.settled()] == ["batch"]

    await bench.runtime.triggers.change([Enable(bench.key)], bench.runtime.clock())
    await _work_at_once(bench)
    assert [execution.id for execution in await bench.executions()] == ["batch"]


async def test_without_batch_what_was_gathered_starts_at_once(bench: Bench) -> None:
    await bench.save(gathering("maxDuration: PT1H"))
    await see(bench, 1, 2)
    await bench.save(flow("test.Listen"))
    assert await batches(bench, 1) == [[1, 2]]


class Unsure:
    """A database that writes what a listener has seen, and says once that it could not."""

    def __init__(self, bench: Bench) -> None:
        self._commit = bench.runtime._scheduler._triggers.commit  # type: ignore[union-attr]
        self.failures = 0

    async def commit(self, batch, now):  # type: ignore[no-untyped-def]
        taken = await self._commit(batch, now)
        if batch.gathered and not self.failures:
            self.failures += 1
            raise RepositoryUnavailable("the connection was lost")
        return taken


async def test_what_may_have_been_kept_is_kept_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.save(gathering("maxEvents: 4, maxDuration: PT1H"))
    assert bench.runtime._scheduler is not None
    unsure = Unsure(bench)
    monkeypatch.setattr(bench.runtime._scheduler._triggers, "commit", unsure.commit)
    await see(bench, 1, 2)
    await see(bench, 3, 4)
    assert unsure.failures == 1
    assert await batches(bench, 1) == [[1, 2, 3, 4]]


async def _work_at_once(bench: Bench) -> None:
    """A round of whoever starts batches, as after a restart."""
    batches = bench.runtime._make_event_batches()
    await batches.work()


async def _is(value: bool) -> bool:
    await asyncio.sleep(0)
    return value
