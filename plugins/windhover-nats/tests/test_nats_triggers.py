"""NATS triggers against a real server: what is not acknowledged comes again under its key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import nats
import nats.errors
import pytest
import pytest_asyncio
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig
from tests.brokers import NatsServer
from tests.task_context import first_events, task_context

from windhover.model.execution import JsonValue
from windhover.plugin.trigger import Event
from windhover.worker.inline import InlineWorker
from windhover_nats.core.realtime_trigger import RealtimeTrigger
from windhover_nats.core.trigger import Trigger
from windhover_nats.message import NatsMessage


@pytest_asyncio.fixture
async def stream(broker: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(broker.url)
    yield client.jetstream()
    await client.close()


@pytest_asyncio.fixture
async def subject(stream: JetStreamContext, request: pytest.FixtureRequest) -> str:
    """A subject that no other test uses, kept by a stream."""
    name = str(request.node.name)
    await stream.add_stream(name=name, subjects=[f"{name}.>"])
    return f"{name}.a"


async def publish(stream: JetStreamContext, subject: str, *data: str) -> None:
    for one in data:
        await stream.publish(subject, one.encode())


def realtime(broker: NatsServer, subject: str, **properties: JsonValue) -> RealtimeTrigger:
    return RealtimeTrigger.model_validate(
        {"url": broker.url, "subject": subject, "batchSize": 100, "pollDuration": "PT0.5S", **properties}
    )


def data(found: list[Event[NatsMessage]]) -> list[JsonValue]:
    return [event.output.data for event in found]


async def test_what_is_not_acknowledged_comes_again_under_its_key(
    broker: NatsServer, stream: JetStreamContext, worker: InlineWorker, subject: str
) -> None:
    # A short time until the server sends again; a trigger's own consumer has half a minute.
    name = subject.partition(".")[0]
    await stream.add_consumer(name, ConsumerConfig(durable_name="mine", filter_subject=subject, ack_wait=0.5))
    await publish(stream, subject, "a", "b", "c")
    trigger = realtime(broker, subject, durableId="mine")

    first = await first_events(trigger, worker, 3, acknowledge=False)
    again = await first_events(trigger, worker, 3, acknowledge=True)
    await publish(stream, subject, "d")

    assert sorted(map(str, data(again))) == ["a", "b", "c"]
    assert {event.key for event in first} == {event.key for event in again}
    assert data(await first_events(trigger, worker, 1, acknowledge=True)) == ["d"]


async def test_a_trigger_without_a_name_goes_on_where_it_was(
    broker: NatsServer, stream: JetStreamContext, worker: InlineWorker, subject: str
) -> None:
    await publish(stream, subject, "a", "b")
    assert data(await first_events(realtime(broker, subject), worker, 2, acknowledge=True)) == ["a", "b"]
    await publish(stream, subject, "c")
    assert data(await first_events(realtime(broker, subject), worker, 1, acknowledge=True)) == ["c"]


async def test_an_edited_subject_is_listened_to(
    broker: NatsServer, stream: JetStreamContext, worker: InlineWorker, subject: str
) -> None:
    await publish(stream, subject, "a")
    assert data(await first_events(realtime(broker, subject), worker, 1, acknowledge=True)) == ["a"]
    other = subject.removesuffix("a") + "b"
    await publish(stream, other, "b")
    assert data(await first_events(realtime(broker, other), worker, 1, acknowledge=True)) == ["b"]


async def test_more_messages_than_may_be_unacknowledged(
    broker: NatsServer, stream: JetStreamContext, worker: InlineWorker, subject: str
) -> None:
    await publish(stream, subject, *map(str, range(1_500)))

    found = await first_events(realtime(broker, subject), worker, 1_500, acknowledge=True)

    assert data(found) == [str(number) for number in range(1_500)]
    assert len({event.key for event in found}) == 1_500


async def test_bytes_that_are_no_text_are_an_event_too(
    broker: NatsServer, stream: JetStreamContext, worker: InlineWorker, subject: str
) -> None:
    await stream.publish(subject, b"\xff\x00a")
    assert data(await first_events(realtime(broker, subject), worker, 1, acknowledge=True)) == ["\ufffd\x00a"]


async def test_a_lost_connection_is_an_error(worker: InlineWorker, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as broker:
        client = await nats.connect(broker.url, allow_reconnect=False)
        await client.jetstream().add_stream(name="s", subjects=["s"])
        await client.jetstream().publish("s", b"a")
        async with (
            asyncio.timeout(60),
            task_context(worker) as (ctx, _),
            aclosing(realtime(broker, "s").events(ctx)) as found,  # type: ignore[type-var]
        ):
            await anext(found)
            broker.kill()
            with pytest.raises(nats.errors.Error):
                await anext(found)


async def test_a_poll_takes_what_there_is(
    broker: NatsServer, stream: JetStreamContext, worker: InlineWorker, subject: str
) -> None:
    trigger = Trigger.model_validate(
        {"url": broker.url, "subject": subject, "maxRecords": 2, "pollDuration": "PT0.3S"}
    )
    async with task_context(worker) as (ctx, _):
        assert await trigger.poll(ctx) is None
        await publish(stream, subject, "a", "b", "c")
        first = await trigger.poll(ctx)
        assert first is not None
        assert first.output.messages_count == 2
        rest = await trigger.poll(ctx)
        assert rest is not None
        assert rest.output.messages_count == 1
        assert rest.key != first.key
        for event in (first, rest):
            assert event.acknowledge is not None
            await event.acknowledge()
        assert await trigger.poll(ctx) is None
    pending = await stream.consumers_info(subject.partition(".")[0])
    assert [consumer.num_ack_pending for consumer in pending] == [0]
