"""The examples that need a message broker run and do what they say."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from tests.brokers import Broker, Mosquitto, NatsServer, RabbitMq, RedisServer
from tests.integration.scheduler.watching import WatchingServer, running
from tests.running_broker import running_broker

from windhover.cli.run import RunOptions, run_flow
from windhover.repository.database import open_database
from windhover.scheduler.settings import SchedulerSettings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Example:
    """What is special about the examples of one kind of broker."""

    name: ClassVar[str]
    kind: ClassVar[type[Broker]]
    #: The inputs of the flow that runs tasks; `{port}` is the broker's.
    inputs: ClassVar[Sequence[str]]
    #: How a line of that flow's log begins.
    says: ClassVar[str]
    #: Where the flow with a trigger looks for a broker.
    address: ClassVar[str]
    #: What the executions of that flow log for the messages that are published.
    trigger_says: ClassVar[Sequence[str]]

    async def prepare(self, broker: Broker) -> None:
        """Make what the tasks find on their broker."""

    async def publish(self, broker: Broker) -> None:
        """Send messages for the trigger, so that one that begins to listen later has them."""
        raise NotImplementedError


class MqttExample(Example):
    name = "mqtt"
    kind = Mosquitto
    inputs = ("server=tcp://127.0.0.1:{port}",)
    says = "1 message: 42.5"
    address = "localhost:1883"
    trigger_says = ("sensors/cellar: 11.5 °C", "sensors/cellar is too warm.")

    async def publish(self, broker: Broker) -> None:
        import aiomqtt

        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            # The example of the tasks has left a measurement of another kind.
            await client.publish("sensors/cpu", retain=True)
            await client.publish("sensors/cellar", json.dumps({"celsius": 11.5}), qos=1, retain=True)


class AmqpExample(Example):
    name = "amqp"
    kind = RabbitMq
    inputs = ("host=127.0.0.1", "port={port}")
    says = "2 orders are in kestra:///"
    address = "localhost\n    port: 5672"
    trigger_says = ("Ada has ordered for 12.5 EUR.", "Bo has ordered for 40 EUR.")

    async def publish(self, broker: Broker) -> None:
        import aio_pika

        async with await aio_pika.connect(host="127.0.0.1", port=broker.port) as connection:
            channel = await connection.channel()
            for order in ({"customer": "Ada", "total": 12.5}, {"customer": "Bo", "total": 40}):
                message = aio_pika.Message(json.dumps(order).encode())
                await channel.default_exchange.publish(message, "new-orders")


class NatsExample(Example):
    name = "nats"
    kind = NatsServer
    inputs = ("url=nats://127.0.0.1:{port}",)
    says = "2 orders, the last of 40.00 EUR"
    address = "localhost:4222"
    trigger_says = ("orders.new: 12.50 EUR", "orders.new: 40.00 EUR")

    async def prepare(self, broker: Broker) -> None:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{broker.port}")
        await client.jetstream().add_stream(name="orders", subjects=["orders.>"])
        await client.close()

    async def publish(self, broker: Broker) -> None:
        """The stream still has what the tasks have published."""


@pytest.mark.parametrize("example", [MqttExample(), AmqpExample(), NatsExample()], ids=lambda one: one.name)
def test_tasks_and_triggers(example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_broker(example.kind, tmp_path / "broker") as broker:
        asyncio.run(example.prepare(broker))
        run_flow(options(example.name, [one.format(port=broker.port) for one in example.inputs]))
        assert_says(capsys.readouterr().out, example.says)
        asyncio.run(assert_trigger_says(example, broker, tmp_path))


async def assert_trigger_says(example: Example, broker: Broker, folder: Path) -> None:
    """Publish messages, listen to them on a server, and compare what their executions log."""
    source = (EXAMPLES / "triggers" / f"{example.name}-messages.yaml").read_text()
    assert example.address in source
    address = re.sub(r"\d+$", str(broker.port), example.address).replace("localhost", "127.0.0.1")
    await example.publish(broker)
    database = await open_database(f"sqlite:///{folder / 'examples.db'}")
    async with running(database, folder, SchedulerSettings()) as server:
        await server.save(source.replace(example.address, address))
        said = await server.until(lambda: logs_of(server, len(example.trigger_says)))
    assert sorted(said) == sorted(example.trigger_says)


async def logs_of(server: WatchingServer, lines: int) -> list[str] | None:
    """What executions have logged, once these are so many lines."""
    ended = [await server.flows.ended(each.id) for each in await server.executions()]
    found = [line.message for each in ended for line in each.logs]
    return found if len(found) >= lines else None


def test_redis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_broker(RedisServer, tmp_path) as broker:
        run_flow(options("redis", [f"url={broker.url}"]))
    assert_says(capsys.readouterr().out, "Run 1 took 2 jobs.")


def options(example: str, inputs: Sequence[str]) -> RunOptions:
    return RunOptions(EXAMPLES / f"{example}.yaml", inputs, [], True, "INFO", None)


def assert_says(output: str, beginning: str) -> None:
    """A run has succeeded, and one of the lines of its log begins so."""
    events = [json.loads(line) for line in output.splitlines()]
    logs = [event["message"] for event in events if event["event"] == "log"]
    assert events[-1]["state"] == "SUCCESS", logs
    assert any(message.startswith(beginning) for message in logs), logs


async def test_messages_are_gathered(tmp_path: Path) -> None:
    source = (EXAMPLES / "triggers" / "gather-messages.yaml").read_text()
    database = await open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    with running_broker(RedisServer, tmp_path / "redis") as broker:
        async with running(database, tmp_path, SchedulerSettings()) as server:
            await server.save(source.replace("redis://localhost:6379/0", broker.url))
            await rpush(broker, "readings", [json.dumps({"litres": number}) for number in range(100)])
            (execution,) = await server.until(server.executions)
            ended = await server.flows.ended(execution.id)
    assert [line.message for line in ended.logs] == ["100 readings, 4950 litres."]


async def rpush(broker: RedisServer, key: str, values: list[str]) -> None:
    from redis.asyncio import Redis

    async with Redis(host="127.0.0.1", port=broker.port) as client:
        await client.rpush(key, *values)
