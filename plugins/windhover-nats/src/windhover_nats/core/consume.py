"""``io.kestra.plugin.nats.core.Consume``"""

from __future__ import annotations

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.records import RecordFile
from windhover.plugin.task import RunnableTask
from windhover_nats.consumer import BatchOutput, NatsBatch


class Consume(NatsBatch, RunnableTask[BatchOutput]):
    """Take the messages that a stream of a NATS server (JetStream) has of a subject into a file."""

    type_name = "io.kestra.plugin.nats.core.Consume"
    examples = (
        Example(
            title="Take what has come since the last time.",
            code="url: nats://localhost:4222\nsubject: orders.>\ndurableId: nightly\nbatchSize: 500",
        ),
    )
    reported_metrics = (
        MetricDescription("consumed.records", "counter", "How many messages were consumed.", "records"),
    )

    async def run(self, ctx: RunContext) -> BatchOutput:
        async with self.collected(ctx, self.durable_id) as (taken, output):
            if output is None:
                output = BatchOutput(messages_count=0, uri=await RecordFile(ctx, "messages.ion").store())
            for message in taken:
                await message.ack()
        ctx.metric("counter", "consumed.records", output.messages_count)
        return output
