"""AMQP triggers against a real RabbitMQ: what is not acknowledged comes again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import aio_pika
import pytest
from tests.brokers import RabbitMq
from tests.task_context import first_events, task_context

from windhover.model.execution import JsonValue
from windhover.plugin.trigger import Event
from windhover.worker.inline import InlineWorker
from windhover_amqp.message import AmqpMessage
from windhover_amqp.realtime_trigger import RealtimeTrigger
from windhover_amqp.trigger import Trigger


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """A queue that no other test uses."""
    return str(request.node.name)


async def publish(
    broker: RabbitMq, queue: str, *bodies: str, arguments: dict[str, str] | None = None, **properties: str
) -> None:
    """Make a queue and put messages into it."""
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments=dict(arguments) if arguments else None)
        for body in bodies:
            message = aio_pika.Message(body.encode(), **properties)  # type: ignore[arg-type]
            await channel.default_exchange.publish(message, queue)


def realtime(broker: RabbitMq, queue: str, **properties: JsonValue) -> RealtimeTrigger:
    return RealtimeTrigger.model_validate(
        {"host": "127.0.0.1", "port": broker.port, "queue": queue, **properties}
    )


def data(found: list[Event[AmqpMessage]]) -> list[JsonValue]:
    return [event.output.data for event in found]


async def test_what_is_not_acknowledged_comes_again(
    broker: RabbitMq, worker: InlineWorker, queue: str
) -> None:
    await publish(broker, queue, "a", "b", "c")

    assert data(await first_events(realtime(broker, queue), worker, 2, acknowledge=False)) == ["a", "b"]
    assert data(await first_events(realtime(broker, queue), worker, 3, acknowledge=True)) == ["a", "b", "c"]
    await publish(broker, queue, "d")
    assert data(await first_events(realtime(broker, queue), worker, 1, acknowledge=True)) == ["d"]


async def test_more_messages_than_may_be_unacknowledged(
    broker: RabbitMq, worker: InlineWorker, queue: str
) -> None:
    await publish(broker, queue, *map(str, range(1_500)))

    found = await first_events(realtime(broker, queue), worker, 1_500, acknowledge=True)

    assert data(found) == [str(number) for number in range(1_500)]


async def test_a_message_with_an_id_is_known_by_it(
    broker: RabbitMq, worker: InlineWorker, queue: str
) -> None:
    await publish(broker, queue, "a", message_id="order-1")

    (event,) = await first_events(realtime(broker, queue), worker, 1, acknowledge=True)

    assert (event.key, event.output.message_id) == ("order-1", "order-1")


async def test_a_poisonous_message_does_not_stop_the_others(
    broker: RabbitMq, worker: InlineWorker, queue: str
) -> None:
    await publish(broker, queue, "{bad", '{"good": true}')
    trigger = realtime(broker, queue, serdeType="JSON")

    async with task_context(worker) as (ctx, run), aclosing(trigger.events(ctx)) as stream:  # type: ignore[type-var]
        assert (await anext(stream)).output.data == {"good": True}
        await run.logged(f"A message of queue `{queue}` is rejected: it is no JSON")


async def test_what_the_broker_acknowledges_itself_does_not_come_again(
    broker: RabbitMq, worker: InlineWorker, queue: str
) -> None:
    await publish(broker, queue, "a")
    assert data(await first_events(realtime(broker, queue, autoAck=True), worker, 1, acknowledge=True)) == [
        "a"
    ]
    await publish(broker, queue, "b")
    assert data(await first_events(realtime(broker, queue), worker, 1, acknowledge=True)) == ["b"]


async def test_a_queue_that_goes_away_is_an_error(broker: RabbitMq, worker: InlineWorker, queue: str) -> None:
    await publish(broker, queue, "a")
    trigger = realtime(broker, queue)
    async with task_context(worker) as (ctx, _), aclosing(trigger.events(ctx)) as stream:  # type: ignore[type-var]
        await anext(stream)
        async with await aio_pika.connect(broker.url) as connection:
            await (await connection.channel()).queue_delete(queue)
        with pytest.raises(ConnectionError, match=f"no queue `{queue}` any more"):
            await anext(stream)


async def test_a_lost_connection_is_an_error(worker: InlineWorker, tmp_path: Path, queue: str) -> None:
    with RabbitMq(tmp_path / "rabbitmq") as broker:
        await publish(broker, queue, "a")
        trigger = realtime(broker, queue)
        async with (
            asyncio.timeout(60),
            task_context(worker) as (ctx, _),
            aclosing(trigger.events(ctx)) as stream,  # type: ignore[type-var]
        ):
            event = await anext(stream)
            broker.kill()
            with pytest.raises(ConnectionError, match="The connection to the broker is closed"):
                await anext(stream)
        assert event.acknowledge is not None
        with pytest.raises(ConnectionError, match="cannot be acknowledged"):
            await event.acknowledge()


async def test_a_poll_takes_what_waits(broker: RabbitMq, worker: InlineWorker, queue: str) -> None:
    await publish(broker, queue)
    trigger = Trigger.model_validate(
        {"url": broker.url, "queue": queue, "maxRecords": 2, "maxDuration": "PT0.3S"}
    )
    async with task_context(worker) as (ctx, _):
        assert await trigger.poll(ctx) is None
        await publish(broker, queue, "a", "b", "c")
        first = await trigger.poll(ctx)
        assert first is not None
        assert first.output.count == 2
        rest = await trigger.poll(ctx)
        assert rest is not None
        assert rest.output.count == 1
        for event in (first, rest):
            assert event.acknowledge is not None
            await event.acknowledge()
        assert await trigger.poll(ctx) is None
