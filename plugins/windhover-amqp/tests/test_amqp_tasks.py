"""AMQP tasks against a real RabbitMQ."""

from __future__ import annotations

import msgspec
import pytest
from tests.brokers import RabbitMq
from tests.task_context import stored_lines

from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.definition import validate_properties
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.task import Output, RunnableTask
from windhover.worker.inline import InlineRun, InlineWorker
from windhover_amqp.connection import AmqpConnection
from windhover_amqp.consume import Consume
from windhover_amqp.create_queue import CreateQueue
from windhover_amqp.declare_exchange import DeclareExchange
from windhover_amqp.publish import Publish
from windhover_amqp.queue_bind import QueueBind


class Tasks:
    """Runs AMQP tasks that must succeed."""

    def __init__(self, worker: InlineWorker, broker: RabbitMq) -> None:
        self.worker = worker
        self.connection: dict[str, JsonValue] = {"host": "127.0.0.1", "port": broker.port}

    async def run(self, task: type[RunnableTask[Output | None]], **properties: JsonValue) -> InlineRun:
        source = {"from" if key == "source" else key: value for key, value in properties.items()}
        run = await self.worker.run(task, {**self.connection, **source})
        assert run.state is StateType.SUCCESS, run.messages
        return run

    async def messages(self, queue: str, **properties: JsonValue) -> list[dict[str, JsonValue]]:
        """What is in a queue."""
        run = await self.run(Consume, queue=queue, **{"maxDuration": "PT0.3S", **properties})
        lines = await stored_lines(self.worker, run.outputs["uri"])
        assert run.outputs["count"] == len(lines)
        return [msgspec.json.decode(line) for line in lines]


@pytest.fixture
def tasks(worker: InlineWorker, broker: RabbitMq) -> Tasks:
    return Tasks(worker, broker)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for queues and exchanges that no other test uses."""
    return str(request.node.name)


async def test_from_exchange_to_queue(tasks: Tasks, name: str) -> None:
    exchange = await tasks.run(DeclareExchange, name=name, exchangeType="TOPIC")
    queue = await tasks.run(CreateQueue, name=name)
    bound = await tasks.run(QueueBind, queue=name, exchange=name, routingKey="orders.*")
    assert (exchange.outputs, queue.outputs) == ({"exchange": name}, {"queue": name})
    assert bound.outputs == {"queue": name, "exchange": name}

    sent = await tasks.run(
        Publish, exchange=name, routingKey="orders.new", source=[{"data": "a"}, {"data": "b"}]
    )

    assert sent.outputs == {"messagesCount": 2}
    assert [message["data"] for message in await tasks.messages(name)] == ["a", "b"]
    assert await tasks.messages(name) == []


async def test_properties_of_a_message_arrive(tasks: Tasks, name: str) -> None:
    await tasks.run(CreateQueue, name=name)
    message: dict[str, JsonValue] = {
        "data": {"number": 1},
        "headers": {"attempt": 2, "nested": {"list": [1, "a", True]}},
        "contentType": "application/json",
        "contentEncoding": "identity",
        "deliveryMode": 2,
        "priority": 3,
        "messageId": "m-1",
        "correlationId": "c-1",
        "replyTo": "answers",
        "expiration": "PT1M",
        "timestamp": "2023-01-09T08:46:33+00:00",
        "type": "order",
        "userId": "guest",
        "appId": "shop",
    }

    await tasks.run(Publish, exchange="", routingKey=name, source=message, serdeType="JSON")

    assert await tasks.messages(name, serdeType="JSON") == [message]


async def test_messages_of_a_file_are_published(tasks: Tasks, name: str) -> None:
    await tasks.run(CreateQueue, name=name)
    numbers = [{"data": str(number)} for number in range(1_000)]
    await tasks.run(Publish, exchange="", routingKey=name, source=numbers)
    taken = await tasks.run(Consume, queue=name, maxRecords=1_000)

    await tasks.run(Publish, exchange="", routingKey=name, source=taken.outputs["uri"])

    again = await tasks.messages(name, maxRecords=1_000, maxDuration="PT20S")
    assert [message["data"] for message in again] == [one["data"] for one in numbers]


async def test_no_more_is_taken_than_asked_for(tasks: Tasks, name: str) -> None:
    await tasks.run(CreateQueue, name=name)
    await tasks.run(Publish, exchange="", routingKey=name, source=[{"data": one} for one in "abc"])

    assert len(await tasks.messages(name, maxRecords=2)) == 2
    assert [message["data"] for message in await tasks.messages(name)] == ["c"]


async def test_a_message_that_is_no_json_goes_to_the_dead_letters(tasks: Tasks, name: str) -> None:
    await tasks.run(CreateQueue, name=f"{name}.dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{name}.dead"}
    await tasks.run(CreateQueue, name=name, args=arguments)
    await tasks.run(Publish, exchange="", routingKey=name, source=[{"data": "{bad"}, {"data": '{"good": 1}'}])

    run = await tasks.run(Consume, queue=name, serdeType="JSON", maxRecords=1)

    assert run.outputs["count"] == 1
    assert run.messages[0].startswith(f"A message of queue `{name}` is rejected: it is no JSON")
    assert [message["data"] for message in await tasks.messages(f"{name}.dead")] == ["{bad"]


async def test_messages_that_no_queue_gets_are_told_of(tasks: Tasks, name: str) -> None:
    await tasks.run(DeclareExchange, name=name)
    run = await tasks.run(Publish, exchange=name, routingKey="none", source={"data": "lost"})
    assert run.messages == [
        f"The broker has dropped 1 of 1 messages: exchange `{name}` has no queue for the routing key `none`"
    ]


async def test_what_is_no_message_is_refused(tasks: Tasks, name: str) -> None:
    run = await tasks.worker.run(
        Publish, {**tasks.connection, "exchange": "", "routingKey": name, "from": [{"dat": "a"}]}
    )
    assert run.state is StateType.FAILED
    assert run.messages[0].startswith("`from` holds something that is no message: ")
    assert "dat" in run.messages[0]


async def test_what_is_not_there_is_named(tasks: Tasks, name: str) -> None:
    for task, properties in (
        (Consume, {"queue": name, "maxRecords": 1}),
        (Publish, {"exchange": name, "from": {"data": "a"}}),
    ):
        run = await tasks.worker.run(task, {**tasks.connection, **properties})  # type: ignore[arg-type]
        assert run.state is StateType.FAILED
        assert "NOT_FOUND" in run.messages[0]
        assert name in run.messages[0]


async def test_a_broker_that_refuses_or_is_not_there(tasks: Tasks) -> None:
    wrong: dict[str, JsonValue] = {"queue": "a", "maxRecords": 1}
    for connection, complaint in (
        ({**tasks.connection, "password": "wrong"}, "ACCESS_REFUSED"),
        ({"url": "amqp://127.0.0.1:1/"}, "127.0.0.1"),
    ):
        run = await tasks.worker.run(Consume, {**wrong, **connection})  # type: ignore[dict-item]
        assert run.state is StateType.FAILED
        assert complaint in run.messages[0]


def test_properties_that_do_not_fit() -> None:
    with pytest.raises(InvalidProperties, match="maxRecords or maxDuration is needed"):
        validate_properties(Consume, {"host": "localhost", "queue": "a"})
    with pytest.raises(InvalidProperties, match="host is needed"):
        validate_properties(Consume, {"queue": "a", "maxRecords": 1})


async def test_a_uri_names_the_broker_as_well(broker: RabbitMq) -> None:
    async with AmqpConnection.model_validate({"url": broker.url}).channel() as channel:
        assert not channel.is_closed
