"""``io.kestra.plugin.nats.core.Produce``"""

from __future__ import annotations

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.records import read_records
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import Typed
from windhover_nats.connection import NatsConnection
from windhover_nats.message import NatsMessage


class ProduceOutput(Output):
    """What a Produce task gives."""

    messages_count: int = Field(description="How many messages were published.")


class Produce(NatsConnection, RunnableTask[ProduceOutput]):
    """Publish messages to a NATS subject.

    Without a stream that keeps them, and without a listener, they are gone.
    """

    type_name = "io.kestra.plugin.nats.core.Produce"
    examples = (
        Example(
            title="Publish two messages.",
            code="""
url: nats://localhost:4222
subject: orders.new
from:
  - data: first
    headers:
      Nats-Msg-Id: order-1
  - data: second
""",
        ),
    )
    reported_metrics = (
        MetricDescription("produced.records", "counter", "How many messages were published.", "records"),
    )

    subject: str = Field(min_length=1, description="The subject.")
    source: Typed[JsonValue] = Field(
        alias="from",
        description="A message (a map with `data`), a list, or the `kestra://` URI of a file of messages.",
    )

    async def run(self, ctx: RunContext) -> ProduceOutput:
        count = 0
        async with self.connected() as client:
            async for record in read_records(ctx, self.source):
                message = NatsMessage.written(record)
                await client.publish(self.subject, message.body, headers=message.sent_headers)
                count += 1
            await client.flush()
        ctx.metric("counter", "produced.records", count)
        return ProduceOutput(messages_count=count)
