"""``io.kestra.plugin.redis.string.Increment``"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover_redis.connection import RedisConnection


class IncrementOutput(Output):
    """What an Increment task gives."""

    key: str = Field(description="The key.")
    value: int | float = Field(description="Its value now.")


class Increment(RedisConnection, RunnableTask[IncrementOutput]):
    """Add to the number that a key holds; a key that is not there counts as 0."""

    type_name = "io.kestra.plugin.redis.string.Increment"
    examples = (Example(title="Count up.", code="url: redis://localhost:6379/0\nkey: visits"),)

    key: str = Field(min_length=1, description="The key.")
    amount: Annotated[int | float, Field(description="What to add.")] = 1

    async def run(self, ctx: RunContext) -> IncrementOutput:
        async with self.connected() as client:
            value: int | float
            if isinstance(self.amount, int):
                value = await client.incrby(self.key, self.amount)
            else:
                value = await client.incrbyfloat(self.key, self.amount)
        return IncrementOutput(key=self.key, value=value)
