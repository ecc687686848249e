"""``io.kestra.plugin.mqtt.Trigger``"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from windhover.plugin.consumer import consumer_name
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event, PollingTrigger
from windhover.plugin.types import Duration
from windhover_mqtt.subscription import BatchOutput, MqttSubscription, collect

#: Without `maxDuration`, a look ends when nothing has come for so long.
_IDLE = timedelta(seconds=1)


class Trigger(MqttSubscription, PollingTrigger[BatchOutput]):
    """Start an execution for the messages that MQTT topics have had since the last look, if there are any."""

    type_name = "io.kestra.plugin.mqtt.Trigger"
    examples = (
        Example(
            title="Look every five minutes.",
            full=True,
            code="""
id: measurements
namespace: company.team

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.messagesCount }} measurements are in {{ trigger.uri }}"

triggers:
  - id: sensors
    type: io.kestra.plugin.mqtt.Trigger
    server: tcp://localhost:1883
    topic: sensors/#
    interval: PT5M
""",
        ),
    )

    max_records: Annotated[int | None, Field(ge=1, description="How many messages to take at most.")] = None
    max_duration: Annotated[
        Duration | None,
        Field(description="How long a look takes; without it, until nothing has come for a second."),
    ] = None

    async def poll(self, ctx: RunContext) -> Event[BatchOutput] | None:
        async with AsyncExitStack() as stack:
            subscription = await stack.enter_async_context(
                self.subscribed(self.client_id or consumer_name(ctx), retained_once=True)
            )
            received, file = await collect(
                ctx,
                subscription,
                max_records=self.max_records,
                max_duration=self.max_duration,
                idle=_IDLE if self.max_duration is None else None,
            )
            if not received:
                return None
            output = BatchOutput(messages_count=file.count, uri=await file.store())
            connection = stack.pop_all()

        async def acknowledge() -> None:
            # A message can be acknowledged on the connection that it came by, and on no other.
            async with connection:
                for one in received:
                    await one.acknowledge()

        return Event(output, acknowledge=acknowledge)
