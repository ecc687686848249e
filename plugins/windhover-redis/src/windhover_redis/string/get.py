"""``io.kestra.plugin.redis.string.Get``"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.serde import UnreadableMessage
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover_redis.connection import RedisConnection, RedisSerde, as_bytes


class GetOutput(Output):
    """What a Get task gives."""

    key: str = Field(description="The key.")
    data: Annotated[JsonValue, Field(description="Its value; nothing when there is no such key.")] = None


class Get(RedisConnection, RunnableTask[GetOutput]):
    """Read the value of a key."""

    type_name = "io.kestra.plugin.redis.string.Get"
    examples = (Example(title="Read a value.", code="url: redis://localhost:6379/0\nkey: greeting"),)

    key: str = Field(min_length=1, description="The key.")
    serde_type: Annotated[RedisSerde, Field(description="The form of the value.")] = RedisSerde.STRING
    failed_on_missing: Annotated[bool, Field(description="Fail when there is no such key.")] = False

    async def run(self, ctx: RunContext) -> GetOutput:
        async with self.connected() as client:
            value = await client.get(self.key)
        if value is None:
            if self.failed_on_missing:
                raise TaskFailure(f"There is no key `{self.key}`")
            return GetOutput(key=self.key)
        try:
            return GetOutput(key=self.key, data=self.serde_type.deserialize_value(as_bytes(value)))
        except UnreadableMessage as reason:
            raise TaskFailure(f"The value of `{self.key}` cannot be read: {reason}") from None
