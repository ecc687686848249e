"""``io.kestra.plugin.redis.list.ListPush``"""

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


class ListPushOutput(Output):
    """What a ListPush task gives."""

    count: int = Field(description="How many values were put into the list.")


class ListPush(RedisConnection, RunnableTask[ListPushOutput]):
    """Put values at the head of a Redis list, one after the other."""

    type_name = "io.kestra.plugin.redis.list.ListPush"
    examples = (
        Example(
            title="Put two values into a list.",
            code="url: redis://localhost:6379/0\nkey: jobs\nfrom:\n  - first\n  - second",
        ),
    )
    reported_metrics = (
        MetricDescription("inserted.records.count", "counter", "How many values were inserted.", "records"),
    )

    key: str = Field(min_length=1, description="Key of the list.")
    source: Typed[JsonValue] = Field(
        alias="from", description="A value, a list of values, or the `kestra://` URI of a file of them."
    )
    serde_type: Annotated[RedisSerde, Field(description="The form of the values.")] = RedisSerde.STRING
    batch_size: Annotated[int, Field(ge=1, description="How many values to send in one command.")] = 500

    async def run(self, ctx: RunContext) -> ListPushOutput:
        count = 0
        async with self.connected() as client:
            values: list[bytes] = []
            async for record in read_records(ctx, self.source):
                values.append(self.serde_type.serialize_value(record))
                count += 1
                if len(values) == self.batch_size:
                    await client.lpush(self.key, *values)
                    values = []
            if values:
                await client.lpush(self.key, *values)
        ctx.metric("counter", "inserted.records.count", count)
        return ListPushOutput(count=count)
