"""``io.kestra.plugin.nats.kv.CreateBucket``"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover_nats.connection import NatsConnection


class CreateBucketOutput(Output):
    """What a CreateBucket task gives."""

    bucket: str = Field(description="Name of the bucket.")
    description: str | None = Field(None, description="Description of the bucket.")
    history: int = Field(description="How many values are kept for each key.")
    entry_count: int = Field(description="How many values it has.")
    bucket_size: int = Field(description="How many bytes it may hold; -1 for any number.")
    value_size: int = Field(description="How many bytes a value may have; -1 for any number.")
    metadata: dict[str, str] | None = Field(None, description="Notes on the bucket.")


class CreateBucket(NatsConnection, RunnableTask[CreateBucketOutput]):
    """Create a key-value bucket on a NATS server with JetStream."""

    type_name = "io.kestra.plugin.nats.kv.CreateBucket"
    examples = (
        Example(
            title="Create a bucket that keeps the last two values of each key.",
            code="url: nats://localhost:4222\nname: settings\nhistoryPerKey: 2",
        ),
    )

    name: str = Field(min_length=1, description="Name of the bucket.")
    description: Annotated[str | None, Field(description="Description of the bucket.")] = None
    history_per_key: Annotated[int, Field(ge=1, le=64, description="How many values to keep for a key.")] = 1
    bucket_size: Annotated[int | None, Field(ge=1, description="How many bytes it may hold.")] = None
    value_size: Annotated[int | None, Field(ge=1, description="How many bytes a value may have.")] = None
    metadata: Annotated[dict[str, str] | None, Field(description="Notes on the bucket.")] = None

    async def run(self, ctx: RunContext) -> CreateBucketOutput:
        from nats.js.api import KeyValueConfig

        configuration = KeyValueConfig(
            bucket=self.name,
            description=self.description,
            history=self.history_per_key,
            max_bytes=self.bucket_size,
            max_value_size=self.value_size,
        )
        async with self.connected() as client:
            stream = client.jetstream()
            bucket = await stream.create_key_value(configuration)
            status = await bucket.status()
            stored = status.stream_info.config
            if self.metadata is not None:
                stored.metadata = self.metadata
                await stream.update_stream(stored)
        return CreateBucketOutput(
            bucket=self.name,
            description=self.description,
            history=status.history,
            entry_count=status.values,
            bucket_size=stored.max_bytes if stored.max_bytes is not None else -1,
            value_size=stored.max_msg_size if stored.max_msg_size is not None else -1,
            metadata=self.metadata,
        )
