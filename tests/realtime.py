"""Realtime triggers of each family on real brokers, for fault tests and benchmarks.

A message is the JSON text of its number, so that executions tell which messages have started them.
"""

from __future__ import annotations

import asyncio
import copy
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx
from tests.brokers import Broker, Mosquitto, NatsServer, RabbitMq, RedisServer
from tests.server_process import ServerProcess

_NAMESPACE = "tests.faults"
_PAGE = 1_000
_SESSION = 3_600

_FLOW = """
id: {topic}
namespace: {namespace}

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{message}"

triggers:
  - id: listen
{trigger}
"""


class Family(ABC):
    """A kind of broker, and the trigger that listens to it."""

    name: ClassVar[str]
    #: What of the variable ``trigger`` is the number of the message.
    value: ClassVar[str]
    #: A message that comes twice starts one execution.
    exactly_once: ClassVar[bool] = True

    #: The queue, list, subject … of the messages, and the id of their flow.
    topic: str = "numbers"

    def __init__(self, folder: Path) -> None:
        self.broker = self.make_broker(folder)

    def beside(self, topic: str) -> Self:
        """The same on the same broker, with messages and a flow of its own."""
        other = copy.copy(self)
        other.topic = topic
        return other

    @abstractmethod
    def make_broker(self, folder: Path) -> Broker:
        """The server, not started yet."""

    @abstractmethod
    def trigger(self) -> Mapping[str, str]:
        """The properties of the trigger."""

    @abstractmethod
    async def prepare(self) -> None:
        """Make what has to be there before the first message, so that none is missed."""

    @abstractmethod
    async def publish(self, numbers: Sequence[int]) -> None:
        """Send messages."""

    def flow(self, **properties: str) -> str:
        """A flow that logs each message, or how many there are when its trigger has a ``batch``."""
        written = {**self.trigger(), **properties}
        trigger = "\n".join(f"    {key}: {value}" for key, value in written.items())
        shown = "events | length" if "batch" in properties else self.value
        message = f"{{{{ trigger.{shown} }}}}"
        return _FLOW.format(topic=self.topic, namespace=_NAMESPACE, message=message, trigger=trigger)

    def numbers(self, execution: Mapping[str, Any]) -> list[int]:
        """The numbers of the messages that an execution was started for."""
        variables = execution["trigger"]["variables"]
        return [int(event[self.value]) for event in variables.get("events", [variables])]


class MqttFamily(Family):
    name = "mqtt"
    value = "payload"
    # Nothing tells a message of quality 1 that comes again from another one that says the same.
    exactly_once = False
    qos: ClassVar[int] = 1

    @property
    def _client_id(self) -> str:
        return f"windhover-{self.topic}"

    def make_broker(self, folder: Path) -> Mosquitto:
        return Mosquitto(folder)

    def trigger(self) -> Mapping[str, str]:
        assert isinstance(self.broker, Mosquitto)
        return {
            "type": "io.kestra.plugin.mqtt.RealtimeTrigger",
            "server": self.broker.url,
            "clientId": self._client_id,
            "topic": self.topic,
            "qos": str(self.qos),
        }

    async def prepare(self) -> None:
        import aiomqtt
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _SESSION
        async with aiomqtt.Client(
            "127.0.0.1",
            self.broker.port,
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
        ) as client:
            await client.subscribe(self.topic, qos=self.qos)

    async def publish(self, numbers: Sequence[int]) -> None:
        import aiomqtt

        async with aiomqtt.Client("127.0.0.1", self.broker.port) as client:
            for number in numbers:
                await client.publish(self.topic, str(number), qos=self.qos)


class MqttExactlyOnceFamily(MqttFamily):
    """With quality of service 2, whose two steps tell a message that comes again."""

    name = "mqtt-2"
    exactly_once = True
    qos = 2


class AmqpFamily(Family):
    name = "amqp"
    value = "data"

    def make_broker(self, folder: Path) -> RabbitMq:
        return RabbitMq(folder)

    def trigger(self) -> Mapping[str, str]:
        return {
            "type": "io.kestra.plugin.amqp.RealtimeTrigger",
            "host": "127.0.0.1",
            "port": str(self.broker.port),
            "queue": self.topic,
        }

    async def prepare(self) -> None:
        await self.publish([])

    async def publish(self, numbers: Sequence[int]) -> None:
        import aio_pika

        async with await aio_pika.connect(host="127.0.0.1", port=self.broker.port) as connection:
            channel = await connection.channel()
            await channel.declare_queue(self.topic, durable=True)
            for begin in range(0, len(numbers), 500):
                await asyncio.gather(
                    *(
                        channel.default_exchange.publish(
                            aio_pika.Message(str(number).encode(), delivery_mode=2), self.topic
                        )
                        for number in numbers[begin : begin + 500]
                    )
                )


class RedisFamily(Family):
    name = "redis"
    value = "value"

    def make_broker(self, folder: Path) -> RedisServer:
        return RedisServer(folder)

    def trigger(self) -> Mapping[str, str]:
        assert isinstance(self.broker, RedisServer)
        return {
            "type": "io.kestra.plugin.redis.list.RealtimeTrigger",
            "url": self.broker.url,
            "key": self.topic,
        }

    async def prepare(self) -> None:
        """A list is there as soon as it has an element."""

    async def publish(self, numbers: Sequence[int]) -> None:
        from redis.asyncio import Redis

        async with Redis(host="127.0.0.1", port=self.broker.port) as client:
            for begin in range(0, len(numbers), 500):
                await client.rpush(self.topic, *numbers[begin : begin + 500])


class NatsFamily(Family):
    name = "nats"
    value = "data"

    def make_broker(self, folder: Path) -> NatsServer:
        return NatsServer(folder)

    def trigger(self) -> Mapping[str, str]:
        assert isinstance(self.broker, NatsServer)
        return {
            "type": "io.kestra.plugin.nats.core.RealtimeTrigger",
            "url": self.broker.url,
            "subject": self.topic,
            "batchSize": "100",
        }

    async def prepare(self) -> None:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{self.broker.port}")
        await client.jetstream().add_stream(name=self.topic, subjects=[self.topic])
        await client.close()

    async def publish(self, numbers: Sequence[int]) -> None:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{self.broker.port}")
        for begin in range(0, len(numbers), 500):
            stream = client.jetstream()
            await asyncio.gather(
                *(stream.publish(self.topic, str(one).encode()) for one in numbers[begin : begin + 500])
            )
        await client.close()


FAMILIES: Sequence[type[Family]] = (
    MqttFamily,
    MqttExactlyOnceFamily,
    AmqpFamily,
    RedisFamily,
    NatsFamily,
)


class Executions:
    """The executions of a family's flow, on a server that may come and go."""

    def __init__(self, server: ServerProcess, family: Family) -> None:
        self._server = server
        self._family = family
        self._client = httpx.Client(timeout=60)

    def total(self, state: str | None = None) -> int:
        """How many there are, in one state or in all."""
        return int(self._page(1, 1, state)["total"])

    def all(self) -> list[Mapping[str, Any]]:
        """All there are."""
        found: list[Mapping[str, Any]] = []
        while len(found) < (page := self._page(len(found) // _PAGE + 1, _PAGE))["total"]:
            found += page["results"]
        return found

    def numbers(self) -> Counter[int]:
        """How many executions each message has started, or is a part of."""
        return Counter(number for execution in self.all() for number in self._family.numbers(execution))

    def _page(self, page: int, size: int, state: str | None = None) -> Mapping[str, Any]:
        query: dict[str, str | int] = {
            "namespace": _NAMESPACE,
            "flowId": self._family.topic,
            "page": page,
            "size": size,
        }
        if state is not None:
            query["state"] = state
        answer = self._client.get(f"{self._server.api}/executions/search", params=query)
        answer.raise_for_status()
        found: Mapping[str, Any] = answer.json()
        return found
