"""``io.kestra.plugin.nats.kv.Put``"""

from __future__ import annotations

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.serde import Serde
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import Typed
from windhover_nats.kv.bucket import NatsBucket


class PutOutput(Output):
    """What a Put task gives."""

    revisions: dict[str, int] = Field(description="The number of the new value in the bucket, by key.")


class Put(NatsBucket, RunnableTask[PutOutput]):
    """Write values into a key-value bucket. What is no text is written as JSON."""

    type_name = "io.kestra.plugin.nats.kv.Put"
    examples = (
        Example(
            title="Write two values.",
            code="""
url: nats://localhost:4222
bucketName: settings
values:
  greeting: Hello
  limits:
    orders: 10
""",
        ),
    )

    values: Typed[dict[str, JsonValue] | list[dict[str, JsonValue]]] = Field(
        description="The values by key: a map, or a list of maps."
    )

    async def run(self, ctx: RunContext) -> PutOutput:
        maps = [self.values] if isinstance(self.values, dict) else self.values
        async with self.bucket() as bucket:
            return PutOutput(
                revisions={
                    key: await bucket.put(key, Serde.STRING.serialize(value))
                    for values in maps
                    for key, value in values.items()
                }
            )
