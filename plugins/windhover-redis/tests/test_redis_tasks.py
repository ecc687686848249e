"""Redis tasks against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
import redis
from tests.brokers import RedisServer
from tests.task_context import stored_lines

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.definition import validate_properties
from windhover.plugin.problems import InvalidProperties
from windhover.worker.inline import InlineRun, InlineWorker
from windhover_redis.list.list_pop import ListPop
from windhover_redis.list.list_push import ListPush
from windhover_redis.pubsub.publish import Publish
from windhover_redis.string.delete import Delete
from windhover_redis.string.get import Get
from windhover_redis.string.increment import Increment
from windhover_redis.string.set import Set
from windhover_redis.string.ttl import Ttl


@pytest.fixture
def client(broker: RedisServer) -> redis.Redis:
    client = redis.Redis.from_url(broker.url, decode_responses=True)
    client.flushall()
    return client


async def succeed(run: InlineRun) -> Mapping[str, JsonValue]:
    assert run.state is StateType.SUCCESS, run.messages
    return run.outputs


async def test_values_are_put_before_each_other(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    run = await worker.run(ListPush, {"url": broker.url, "key": "jobs", "from": ["first", "second", 3]})

    assert await succeed(run) == {"count": 3}
    assert client.lrange("jobs", 0, -1) == ["3", "second", "first"]


async def test_records_of_a_file_are_put(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    client.rpush("source", *(f'{{"number": {number}}}' for number in range(1_200)))
    popped = await worker.run(
        ListPop,
        {"url": broker.url, "key": "source", "serdeType": "JSON", "maxRecords": 1_200, "count": 500},
    )
    assert popped.outputs["count"] == 1_200
    pushed = await worker.run(
        ListPush,
        {"url": broker.url, "key": "target", "from": "{{ inputs.uri }}", "serdeType": "JSON"},
        {"inputs": {"uri": popped.outputs["uri"]}},
    )

    assert await succeed(pushed) == {"count": 1_200}
    assert client.lindex("target", -1) == '{"number":0}'
    assert client.keys() == ["target"]


async def test_no_more_is_taken_than_asked_for(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    client.rpush("jobs", "a", "b", "c")

    run = await worker.run(ListPop, {"url": broker.url, "key": "jobs", "maxRecords": 2})

    assert await stored_lines(worker, run.outputs["uri"]) == ['"a"', '"b"']
    assert client.lrange("jobs", 0, -1) == ["c"]


async def test_elements_are_waited_for_until_the_time_is_over(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    pending = worker.submit(
        worker.job(ListPop, {"url": broker.url, "key": "later", "maxRecords": 1, "maxDuration": "PT20S"})
    )
    await pending.started
    client.rpush("later", "here")
    assert (await pending.ended).outputs["count"] == 1

    run = await worker.run(ListPop, {"url": broker.url, "key": "later", "maxDuration": "PT0.2S"})
    assert (await succeed(run))["count"] == 0


async def test_elements_that_are_no_json_are_moved_aside(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    client.rpush("jobs", '{"good": 1}', "{bad", '{"good": 2}')

    run = await worker.run(ListPop, {"url": broker.url, "key": "jobs", "serdeType": "JSON", "maxRecords": 2})

    assert await stored_lines(worker, run.outputs["uri"]) == ['{"good":1}', '{"good":2}']
    assert client.lrange("jobs:windhover:rejected", 0, -1) == ["{bad"]
    assert "An element of `jobs` is moved to `jobs:windhover:rejected`: it is no JSON" in run.messages[0]


async def test_a_killed_pop_puts_everything_back(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    client.rpush("jobs", "a", "b", "c")
    run = await worker.run(ListPop, {"url": broker.url, "key": "jobs", "maxRecords": 4}, timeout="PT0.5S")

    assert run.state is StateType.FAILED
    assert client.lrange("jobs", 0, -1) == ["a", "b", "c"]
    assert client.keys() == ["jobs"]


def test_a_pop_must_end() -> None:
    with pytest.raises(InvalidProperties, match="maxRecords or maxDuration is needed"):
        validate_properties(ListPop, {"url": "redis://localhost", "key": "jobs"})


async def test_strings(broker: RedisServer, worker: InlineWorker, client: redis.Redis) -> None:
    url = broker.url
    written = await worker.run(Set, {"url": url, "key": "a", "value": "one"})
    assert await succeed(written) == {}
    again = await worker.run(Set, {"url": url, "key": "a", "value": "two", "get": True})
    assert await succeed(again) == {"oldValue": "one"}
    assert (await worker.run(Get, {"url": url, "key": "a"})).outputs == {"key": "a", "data": "two"}
    assert (await worker.run(Get, {"url": url, "key": "none"})).outputs == {"key": "none"}
    missing = await worker.run(Get, {"url": url, "key": "none", "failedOnMissing": True})
    assert missing.messages == ["There is no key `none`"]
    deleted = await worker.run(Delete, {"url": url, "keys": ["a", "none"]})
    assert await succeed(deleted) == {"count": 1}
    failed = await worker.run(Delete, {"url": url, "keys": ["a"], "failedOnMissing": True})
    assert (failed.state, failed.outputs) == (StateType.FAILED, {"count": 0})


async def test_json_values(broker: RedisServer, worker: InlineWorker, client: redis.Redis) -> None:
    for key, value in {"map": {"n": [1, None]}, "text": '{"n": [1, null]}'}.items():
        await worker.run(Set, {"url": broker.url, "key": key, "value": value, "serdeType": "JSON"})
        run = await worker.run(Get, {"url": broker.url, "key": key, "serdeType": "JSON"})
        assert run.outputs["data"] == {"n": [1, None]}
    client.set("broken", "{")
    run = await worker.run(Get, {"url": broker.url, "key": "broken", "serdeType": "JSON"})
    assert "The value of `broken` cannot be read: it is no JSON" in run.messages[0]


async def test_options_of_set(broker: RedisServer, worker: InlineWorker, client: redis.Redis) -> None:
    async def write(value: str, **options: JsonValue) -> InlineRun:
        return await worker.run(Set, {"url": broker.url, "key": "a", "value": value, "options": options})

    await write("kept out", mustExist=True)
    assert client.get("a") is None
    await write("first", mustNotExist=True, expirationDuration="PT1H")
    await write("second", mustNotExist=True)
    assert client.get("a") == "first"
    await write("third", keepTtl=True)
    ttl = (await worker.run(Ttl, {"url": broker.url, "key": "a"})).outputs["value"]
    assert 3_590 < int(str(ttl)) <= 3_600
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await write("fourth", expirationDate=tomorrow.isoformat())
    assert client.ttl("a") > 86_000
    with pytest.raises(InvalidProperties, match="exclude each other"):
        validate_properties(
            Set, {"url": "x", "key": "a", "value": 1, "options": {"mustExist": True, "mustNotExist": True}}
        )


async def test_counting(broker: RedisServer, worker: InlineWorker, client: redis.Redis) -> None:
    for amount, expected in ((1, 1), (4, 5), (0.5, 5.5)):
        run = await worker.run(Increment, {"url": broker.url, "key": "visits", "amount": amount})
        assert await succeed(run) == {"key": "visits", "value": expected}


async def test_those_who_listen_are_told(
    broker: RedisServer, worker: InlineWorker, client: redis.Redis
) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("news")
        await asyncio.to_thread(listener.get_message, timeout=5)
        run = await worker.run(
            Publish, {"url": broker.url, "channel": "news", "from": ["a", {"b": 1}], "serdeType": "STRING"}
        )
        assert await succeed(run) == {"count": 2}
        heard = []
        while len(heard) < 2:
            if message := await asyncio.to_thread(listener.get_message, timeout=5):
                heard.append(message["data"])
    assert heard == ["a", '{"b":1}']


async def test_a_server_that_is_not_there_is_named(worker: InlineWorker) -> None:
    run = await worker.run(Get, {"url": "redis://127.0.0.1:1/0", "key": "a"})
    assert run.state is StateType.FAILED
    assert "127.0.0.1:1" in run.messages[0]
    run = await worker.run(Get, {"url": "http://127.0.0.1", "key": "a"})
    assert run.messages[0].startswith("`url`: ")
