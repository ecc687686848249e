"""``io.kestra.plugin.redis.pubsub.Publish``"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.records import read_records
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import Typed
from windhover_redis.connection import RedisConnection, RedisSerde

#: How many values are sent before the server's answers are waited for.
_WINDOW = 500


class PublishOutput(Output):
    """What a Publish task gives."""

    count: int = Field(description="How many values were published.")


class Publish(RedisConnection, RunnableTask[PublishOutput]):
    """Publish values to a Redis channel. Who does not listen at that moment never gets them."""

    type_name = "io.kestra.plugin.redis.pubsub.Publish"
    examples = (
        Example(
            title="Tell all who listen.",
            code="url: redis://localhost:6379/0\nchannel: news\nfrom:\n  - It is done.",
        ),
    )
    reported_metrics = (
        MetricDescription("published.records.count", "counter", "How many values were published.", "records"),
    )

    channel: str = Field(min_length=1, description="The channel.")
    source: Typed[JsonValue] = Field(
        alias="from", description="A value, a list of values, or the `kestra://` URI of a file of them."
    )
    serde_type: Annotated[RedisSerde, Field(description="The form of the values.")] = RedisSerde.STRING

    async def run(self, ctx: RunContext) -> PublishOutput:
        count = 0
        async with self.connected() as client, client.pipeline(transaction=False) as pipeline:
            async for record in read_records(ctx, self.source):
                pipeline.publish(self.channel, self.serde_type.serialize_value(record))
                count += 1
                if count % _WINDOW == 0:
                    await pipeline.execute()
            await pipeline.execute()
        ctx.metric("counter", "published.records.count", count)
        return PublishOutput(count=count)
