"""``io.kestra.plugin.mqtt.Subscribe``"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask
from windhover.plugin.types import Duration
from windhover_mqtt.subscription import BatchOutput, MqttSubscription, collect


class Subscribe(MqttSubscription, RunnableTask[BatchOutput]):
    """Collect messages of MQTT topics in a file, until there are enough of them or the time is over."""

    type_name = "io.kestra.plugin.mqtt.Subscribe"
    examples = (
        Example(
            title="Take what comes in half a minute, ten messages at most.",
            code="""
server: tcp://localhost:1883
clientId: windhover
topic:
  - sensors/cpu
  - sensors/memory
maxRecords: 10
maxDuration: PT30S
""",
        ),
    )

    client_id: str = Field(
        description="Name of the client. By it the broker knows which messages were not received yet."
    )
    max_records: Annotated[int | None, Field(ge=1, description="How many messages to take at most.")] = None
    max_duration: Annotated[Duration | None, Field(description="How long to wait for messages.")] = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.max_records is None and self.max_duration is None:
            raise ValueError("maxRecords or maxDuration is needed: without them the task would never end")
        return self

    async def run(self, ctx: RunContext) -> BatchOutput:
        async with self.subscribed(self.client_id, retained_once=False) as subscription:
            received, file = await collect(
                ctx, subscription, max_records=self.max_records, max_duration=self.max_duration
            )
            output = BatchOutput(messages_count=file.count, uri=await file.store())
            for one in received:
                await one.acknowledge()
        ctx.metric("counter", "consumed.records", output.messages_count)
        return output
