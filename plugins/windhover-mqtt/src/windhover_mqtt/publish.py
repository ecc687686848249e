"""``io.kestra.plugin.mqtt.Publish``"""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.records import read_records
from windhover.plugin.serde import Serde
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover.plugin.types import Typed
from windhover_mqtt.client import MAX_PENDING, Identity, MqttClient, connect
from windhover_mqtt.connection import MqttConnection


class PublishOutput(Output):
    """What a Publish task gives."""

    messages_count: int = Field(description="How many messages were published.")


class Publish(MqttConnection, RunnableTask[PublishOutput]):
    """Publish messages to an MQTT topic: one for a value, or one for each of a list or a file of records."""

    type_name = "io.kestra.plugin.mqtt.Publish"
    examples = (
        Example(
            title="Publish a measurement that the broker keeps for later subscribers.",
            code="""
server: tcp://localhost:1883
clientId: windhover
topic: sensors/cpu
retain: true
from:
  type: cpu
  value: 1.23
""",
        ),
    )

    client_id: str = Field(
        description="Name of the client; the broker drops another client of the same name."
    )
    topic: str = Field(min_length=1, description="The topic to publish to.")
    source: Typed[JsonValue] = Field(
        alias="from",
        description="The message, a list of messages, or the `kestra://` URI of a file of messages.",
    )
    serde_type: Annotated[Serde, Field(description="The form of the messages.")] = Serde.JSON
    qos: Annotated[
        int,
        Field(ge=0, le=2, description="Quality of service: 0 at most once, 1 at least once, 2 exactly once."),
    ] = 1
    retain: Annotated[
        bool, Field(description="Whether the broker keeps the last message for those who subscribe later.")
    ] = False

    async def run(self, ctx: RunContext) -> PublishOutput:
        count = 0
        async with connect(self.broker(), Identity(self.client_id)) as client:
            window: list[bytes] = []
            async for record in read_records(ctx, self.source):
                window.append(self._payload(record))
                if len(window) == MAX_PENDING:
                    count += await self._publish(client, window)
                    window = []
            count += await self._publish(client, window)
        ctx.metric("counter", "published.records", count)
        return PublishOutput(messages_count=count)

    def _payload(self, record: JsonValue) -> bytes:
        try:
            return self.serde_type.serialize(record)
        except ValueError as error:
            raise TaskFailure(f"`from`: {error}") from None

    async def _publish(self, client: MqttClient, payloads: list[bytes]) -> int:
        await asyncio.gather(
            *(client.publish(self.topic, payload, qos=self.qos, retain=self.retain) for payload in payloads)
        )
        return len(payloads)
