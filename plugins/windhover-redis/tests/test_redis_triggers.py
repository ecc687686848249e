"""Triggers on Redis lists against a real server: what is taken and not acknowledged comes again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
import redis
from tests.brokers import RedisServer
from tests.task_context import first_events, task_context

from windhover.model.execution import JsonValue
from windhover.worker.inline import InlineWorker
from windhover_redis.list.realtime_trigger import RealtimeTrigger
from windhover_redis.list.trigger import Trigger


@pytest.fixture
def client(broker: RedisServer) -> redis.Redis:
    client = redis.Redis.from_url(broker.url, decode_responses=True)
    client.flushall()
    return client


def realtime(broker: RedisServer, **properties: JsonValue) -> RealtimeTrigger:
    return RealtimeTrigger.model_validate({"url": broker.url, "key": "jobs", **properties})


async def someone_waits(client: redis.Redis) -> None:
    """Return when a client of the server waits for an element."""
    async with asyncio.timeout(60):
        while not any("b" in one["flags"] for one in client.client_list()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_every_element_is_an_event_in_the_order_of_the_list(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    client.rpush("jobs", *map(str, range(250)))

    found = await first_events(realtime(broker), worker, 250, acknowledge=True)

    assert [event.output.value for event in found] == [str(number) for number in range(250)]
    assert len({event.key for event in found}) == 250
    assert client.keys() == []


async def test_an_element_that_comes_later_is_waited_for(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    waiting = asyncio.create_task(first_events(realtime(broker), worker, 1, acknowledge=True))
    await someone_waits(client)
    client.rpush("jobs", "late")

    assert [event.output.value for event in await waiting] == ["late"]


async def test_what_is_not_acknowledged_comes_again_under_its_key(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    client.rpush("jobs", "a", "b", "c")
    first = await first_events(realtime(broker), worker, 2, acknowledge=False)
    client.rpush("jobs", "d")

    again = await first_events(realtime(broker), worker, 4, acknowledge=True)

    assert [event.output.value for event in again] == ["a", "b", "c", "d"]
    assert [event.key for event in first] == [event.key for event in again[:2]]
    assert client.keys() == []


async def test_a_poisonous_element_does_not_stop_the_others(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    client.rpush("jobs", "{bad", '{"good": true}')
    trigger = realtime(broker, serdeType="JSON")

    async with task_context(worker) as (ctx, run), aclosing(trigger.events(ctx)) as stream:  # type: ignore[type-var]
        assert (await anext(stream)).output.value == {"good": True}
        await run.logged("An element of `jobs` is moved to `jobs:windhover:rejected`")
    assert client.lrange("jobs:windhover:rejected", 0, -1) == ["{bad"]


async def test_a_lost_connection_is_an_error(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    waiting = asyncio.create_task(first_events(realtime(broker), worker, 1, acknowledge=True))
    await someone_waits(client)
    client.client_kill_filter(_type="normal", skipme=True)

    with pytest.raises(redis.ConnectionError):
        await waiting


async def test_a_poll_takes_what_there_is(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    trigger = Trigger.model_validate({"url": broker.url, "key": "jobs", "maxRecords": 2, "count": 1})
    async with task_context(worker) as (ctx, _):
        assert await trigger.poll(ctx) is None
        client.rpush("jobs", "a", "b", "c")
        first = await trigger.poll(ctx)
        assert first is not None
        assert first.output.count == 2
        again = await trigger.poll(ctx)
        assert again is not None
        assert (again.key, again.output.count) == (first.key, 2)
        assert again.acknowledge is not None
        await again.acknowledge()
        rest = await trigger.poll(ctx)
        assert rest is not None
        assert rest.key != first.key
        content = b"".join([part async for part in ctx.files.open(rest.output.uri)])
    assert content == b'"c"\n'
