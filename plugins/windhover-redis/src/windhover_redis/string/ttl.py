"""``io.kestra.plugin.redis.string.Ttl``"""

from __future__ import annotations

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover_redis.connection import RedisConnection


class TtlOutput(Output):
    """What a Ttl task gives."""

    key: str = Field(description="The key.")
    value: int = Field(description="Seconds; -1 for a key that lives for ever, -2 for one that is not there.")


class Ttl(RedisConnection, RunnableTask[TtlOutput]):
    """Ask how long a key has to live."""

    type_name = "io.kestra.plugin.redis.string.Ttl"
    examples = (Example(title="Ask for the time.", code="url: redis://localhost:6379/0\nkey: greeting"),)

    key: str = Field(min_length=1, description="The key.")

    async def run(self, ctx: RunContext) -> TtlOutput:
        async with self.connected() as client:
            return TtlOutput(key=self.key, value=await client.ttl(self.key))
