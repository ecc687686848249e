"""``io.kestra.plugin.nats.core.Trigger``"""

from __future__ import annotations

from windhover.plugin.consumer import consumer_name
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event, PollingTrigger
from windhover_nats.consumer import BatchOutput, NatsBatch
from windhover_nats.message import identity

_ACKNOWLEDGED = b"+ACK"


class Trigger(NatsBatch, PollingTrigger[BatchOutput]):
    """Start an execution for the messages that a stream of a NATS server has, if there are any."""

    type_name = "io.kestra.plugin.nats.core.Trigger"
    examples = (
        Example(
            title="Look every minute.",
            full=True,
            code="""
id: orders
namespace: company.team

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.messagesCount }} orders are in {{ trigger.uri }}"

triggers:
  - id: stream
    type: io.kestra.plugin.nats.core.Trigger
    url: nats://localhost:4222
    subject: orders.>
    maxRecords: 1000
    batchSize: 100
""",
        ),
    )

    async def poll(self, ctx: RunContext) -> Event[BatchOutput] | None:
        async with self.collected(ctx, self.durable_id or consumer_name(ctx)) as (taken, output):
            if output is None:
                return None

        async def acknowledge() -> None:
            async with self.connected() as client:
                for message in taken:
                    await client.publish(message.reply, _ACKNOWLEDGED)
                await client.flush()

        return Event(output, key=f"{identity(taken[0])} and {len(taken)}", acknowledge=acknowledge)
