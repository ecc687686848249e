"""``io.kestra.plugin.redis.string.Set``"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.serde import UnreadableMessage
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover.plugin.types import DateTime, Duration, Typed
from windhover_redis.connection import RedisConnection, RedisSerde, as_bytes


class SetOptions(BaseModel):
    """When to write, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    must_not_exist: Annotated[bool, Field(description="Write only when there is no such key.")] = False
    must_exist: Annotated[bool, Field(description="Write only when there is such a key.")] = False
    keep_ttl: Annotated[bool, Field(description="Leave the time that the key has to live.")] = False
    expiration_duration: Annotated[Duration | None, Field(description="How long the key lives.")] = None
    expiration_date: Annotated[DateTime | None, Field(description="Until when the key lives.")] = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.must_exist and self.must_not_exist:
            raise ValueError("mustExist and mustNotExist exclude each other")
        lifetimes = [self.keep_ttl, self.expiration_duration is not None, self.expiration_date is not None]
        if sum(lifetimes) > 1:
            raise ValueError("only one of keepTtl, expirationDuration and expirationDate can be given")
        return self


class SetOutput(Output):
    """What a Set task gives."""

    old_value: Annotated[
        JsonValue, Field(description="The value before, when `get` is true and there was one.")
    ] = None


class Set(RedisConnection, RunnableTask[SetOutput]):
    """Write the value of a key."""

    type_name = "io.kestra.plugin.redis.string.Set"
    examples = (
        Example(
            title="Write a value that lives for an hour.",
            code="""
url: redis://localhost:6379/0
key: greeting
value: Hello
options:
  expirationDuration: PT1H
""",
        ),
    )

    key: str = Field(min_length=1, description="The key.")
    value: Typed[JsonValue] = Field(description="The value.")
    serde_type: Annotated[RedisSerde, Field(description="The form of the value.")] = RedisSerde.STRING
    get: Annotated[bool, Field(description="Whether to give the value that was there before.")] = False
    options: Annotated[SetOptions, Field(description="When to write, and for how long.")] = SetOptions()

    async def run(self, ctx: RunContext) -> SetOutput:
        options = self.options
        async with self.connected() as client:
            answer = await client.set(
                self.key,
                self.serde_type.serialize_value(self.value),
                nx=options.must_not_exist,
                xx=options.must_exist,
                keepttl=options.keep_ttl,
                px=options.expiration_duration,
                pxat=options.expiration_date,
                get=self.get,
            )
        if not self.get or answer is None or isinstance(answer, bool):
            return SetOutput()
        try:
            return SetOutput(old_value=self.serde_type.deserialize_value(as_bytes(answer)))
        except UnreadableMessage as reason:
            raise TaskFailure(f"`{self.key}` is written, but what it held cannot be read: {reason}") from None
