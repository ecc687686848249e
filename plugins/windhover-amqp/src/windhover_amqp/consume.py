"""``io.kestra.plugin.amqp.Consume``"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.task import RunnableTask
from windhover.plugin.types import Duration
from windhover_amqp.consumer import AmqpConsumer, BatchOutput, collect


class Consume(AmqpConsumer, RunnableTask[BatchOutput]):
    """Collect messages of an AMQP queue in a file, until there are enough of them or the time is over."""

    type_name = "io.kestra.plugin.amqp.Consume"
    examples = (
        Example(
            title="Take what comes in ten seconds, a thousand messages at most.",
            code="""
host: localhost
username: guest
password: "{{ secret('AMQP_PASSWORD') }}"
queue: orders
maxRecords: 1000
maxDuration: PT10S
""",
        ),
    )
    reported_metrics = (
        MetricDescription("consumed.records", "counter", "How many messages were consumed.", "records"),
    )

    max_records: Annotated[int | None, Field(ge=1, description="How many messages to take at most.")] = None
    max_duration: Annotated[Duration | None, Field(description="How long to wait for messages.")] = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.max_records is None and self.max_duration is None:
            raise ValueError("maxRecords or maxDuration is needed: without them the task would never end")
        return self

    async def run(self, ctx: RunContext) -> BatchOutput:
        async with self.consuming(prefetch=self.max_records or 0) as deliveries:
            last, file = await collect(
                ctx, deliveries, max_records=self.max_records, max_duration=self.max_duration
            )
            output = BatchOutput(count=file.count, uri=await file.store())
            if last is not None:
                await last.acknowledge(and_all_before=True)
        ctx.metric("counter", "consumed.records", output.count)
        return output
