"""``io.kestra.plugin.amqp.RealtimeTrigger``"""

from __future__ import annotations

from collections.abc import AsyncIterator

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event
from windhover.plugin.trigger import RealtimeTrigger as _RealtimeTrigger
from windhover_amqp.consumer import AmqpConsumer
from windhover_amqp.message import AmqpMessage

#: How many executions may be on their way to the database.
_PREFETCH = 1_000


class RealtimeTrigger(AmqpConsumer, _RealtimeTrigger[AmqpMessage]):
    """Start an execution for every message of an AMQP queue, as soon as it comes."""

    type_name = "io.kestra.plugin.amqp.RealtimeTrigger"
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
    message: "{{ trigger.data.customer }} has ordered"

triggers:
  - id: queue
    type: io.kestra.plugin.amqp.RealtimeTrigger
    host: localhost
    queue: orders
    serdeType: JSON
""",
        ),
    )

    async def events(self, ctx: RunContext) -> AsyncIterator[Event[AmqpMessage]]:
        async with self.consuming(prefetch=_PREFETCH) as deliveries:
            while True:
                delivery = await deliveries.receive(ctx)
                yield Event(delivery.output, key=delivery.key, acknowledge=delivery.acknowledge)
