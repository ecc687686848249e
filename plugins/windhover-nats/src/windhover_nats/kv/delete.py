"""``io.kestra.plugin.nats.kv.Delete``"""

from __future__ import annotations

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask
from windhover_nats.kv.bucket import NatsBucket


class Delete(NatsBucket, RunnableTask[None]):
    """Delete keys of a key-value bucket."""

    type_name = "io.kestra.plugin.nats.kv.Delete"
    examples = (
        Example(
            title="Delete a key.",
            code="url: nats://localhost:4222\nbucketName: settings\nkeys:\n  - greeting",
        ),
    )

    keys: list[str] = Field(min_length=1, description="The keys.")

    async def run(self, ctx: RunContext) -> None:
        async with self.bucket() as bucket:
            for key in self.keys:
                await bucket.delete(key)
