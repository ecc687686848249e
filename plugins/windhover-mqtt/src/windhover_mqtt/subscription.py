"""Receiving messages: what the task and the triggers that subscribe have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.batches import batch
from windhover.plugin.context import RunContext
from windhover.plugin.records import RecordFile
from windhover.plugin.serde import Serde, UnreadableMessage
from windhover.plugin.task import Output, outputs_of
from windhover.plugin.types import Duration
from windhover_mqtt.client import Identity, MqttClient, Released, connect
from windhover_mqtt.connection import MqttConnection

if TYPE_CHECKING:
    import aiomqtt

#: How long the broker keeps what comes while nobody listens. A broker of version 3 decides that itself.
SESSION = timedelta(days=1)


class MqttMessage(Output):
    """A message that was received."""

    id: int = Field(description="The number of the message in its session; 0 with quality of service 0.")
    topic: str = Field(description="The topic that it was published to.")
    payload: JsonValue = Field(description="What it says, read as `serdeType` tells.")
    qos: int = Field(description="The quality of service with which it came.")
    retain: bool = Field(description="Whether the broker had kept it for later subscribers.")
    properties: dict[str, str] | None = Field(None, description="User properties; MQTT 5 only.")


class BatchOutput(Output):
    """Messages in a file of the internal storage."""

    messages_count: int = Field(description="How many messages there are.")
    uri: str = Field(description="URI of the file that holds them, one a line.")


class MqttSubscription(MqttConnection):
    """Properties that say what to receive."""

    topic: str | list[str] = Field(min_length=1, description="The topics; `+` and `#` are wildcards.")
    serde_type: Annotated[Serde, Field(description="The form of the messages.")] = Serde.JSON
    qos: Annotated[
        int,
        Field(
            ge=0,
            le=2,
            description="Quality of service: 0 at most once, 1 at least once, 2 exactly once. A real-time "
            "trigger keeps to 2; the others take it as 1.",
        ),
    ] = 1

    @property
    def topics(self) -> list[str]:
        return [self.topic] if isinstance(self.topic, str) else self.topic

    @asynccontextmanager
    async def subscribed(
        self, client_id: str | None, *, retained_once: bool, highest_qos: int = 1
    ) -> AsyncIterator[Subscription]:
        """A subscription, as long as the context lasts; the broker goes on collecting for it afterwards."""
        qos = min(self.qos, highest_qos)
        session = int(SESSION.total_seconds()) if qos and client_id is not None else 0
        async with connect(self.broker(), Identity(client_id, session)) as client:
            await client.subscribe(self.topics, qos=qos, retained_once=retained_once)
            yield Subscription(client, self.topics, self.serde_type)


class Subscription:
    """Gives the messages of some topics, and leaves out those that cannot be read.

    Those of quality 2 come as well, and then that they are released, if the subscription asked for them.
    """

    def __init__(self, client: MqttClient, topics: list[str], serde: Serde) -> None:
        self._client = client
        self._topics = topics
        self._serde = serde

    @property
    def is_known(self) -> bool:
        """Whether the broker has gone on with a session that it had for this client."""
        return self._client.is_known

    async def receive(self, ctx: RunContext) -> Received:
        """Wait for the next message, where none has quality 2; else see :meth:`next`."""
        while True:
            received = await self.next(ctx)
            if isinstance(received, Received):
                return received
            # Left over from a time when the client subscribed with quality 2.
            await received.complete()

    async def next(self, ctx: RunContext) -> Received | Freed:
        """Wait for the next message, or for the next number of a message that is released.

        One that cannot be read is acknowledged and told of in the log: MQTT has no place to put it, and it
        would come again for ever.

        Raises:
            aiomqtt.MqttError: the connection is lost.
        """
        while True:
            message = await self._client.receive()
            if isinstance(message, Released):
                return Freed(self._client, message)
            # The session may still have a topic that the flow named before it was edited.
            if not any(message.topic.matches(topic) for topic in self._topics):
                self._client.acknowledge(message)
                continue
            try:
                return Received(self._client, message, self._read(message))
            except UnreadableMessage as reason:
                ctx.logger.warn(f"A message of topic `{message.topic}` is left out: {reason}")
                self._client.acknowledge(message)

    def _read(self, message: aiomqtt.Message) -> MqttMessage:
        user_properties = getattr(message.properties, "UserProperty", None)
        return MqttMessage(
            id=message.mid,
            topic=message.topic.value,
            payload=self._serde.deserialize(message.payload),
            qos=message.qos,
            retain=message.retain,
            properties=dict(user_properties) if user_properties else None,
        )


class Received:
    """A message that the broker keeps until it is acknowledged."""

    def __init__(self, client: MqttClient, message: aiomqtt.Message, output: MqttMessage) -> None:
        self._client = client
        self._message = message
        self.output = output

    async def acknowledge(self) -> None:
        self._client.acknowledge(self._message)


class Freed:
    """The number of a message of quality 2 that the broker will not send again."""

    def __init__(self, client: MqttClient, released: Released) -> None:
        self._client = client
        self._released = released
        self.number = released.number

    async def complete(self) -> None:
        """Let the broker use the number for another message."""
        self._client.complete(self._released)


async def collect(
    ctx: RunContext,
    subscription: Subscription,
    *,
    max_records: int | None,
    max_duration: Duration | None,
    idle: timedelta | None = None,
) -> tuple[list[Received], RecordFile]:
    """Receive a batch into a file; nothing of it is acknowledged yet."""
    received: list[Received] = []
    file = RecordFile(ctx, "messages.ion")

    async def receive() -> Received:
        return await subscription.receive(ctx)

    async for one in batch(receive, max_records=max_records, max_duration=max_duration, idle=idle):
        file.append(outputs_of(one.output))
        received.append(one)
    return received, file
