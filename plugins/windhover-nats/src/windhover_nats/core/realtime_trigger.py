"""``io.kestra.plugin.nats.core.RealtimeTrigger``"""

from __future__ import annotations

from collections.abc import AsyncIterator

from windhover.plugin.consumer import consumer_name
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event
from windhover.plugin.trigger import RealtimeTrigger as _RealtimeTrigger
from windhover_nats.consumer import NatsConsumer, fetch
from windhover_nats.message import NatsMessage, identity


class RealtimeTrigger(NatsConsumer, _RealtimeTrigger[NatsMessage]):
    """Start an execution for every message that a stream of a NATS server gets of a subject."""

    type_name = "io.kestra.plugin.nats.core.RealtimeTrigger"
    examples = (
        Example(
            title="Log every order.",
            full=True,
            code="""
id: orders
namespace: company.team

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.subject }}: {{ trigger.data }}"

triggers:
  - id: stream
    type: io.kestra.plugin.nats.core.RealtimeTrigger
    url: nats://localhost:4222
    subject: orders.>
""",
        ),
    )

    async def events(self, ctx: RunContext) -> AsyncIterator[Event[NatsMessage]]:
        seconds = self.poll_duration.total_seconds()
        async with self.consuming(self.durable_id or consumer_name(ctx)) as consumer:
            while True:
                for message in await fetch(consumer, self.batch_size, seconds):
                    yield Event(NatsMessage.received(message), key=identity(message), acknowledge=message.ack)
