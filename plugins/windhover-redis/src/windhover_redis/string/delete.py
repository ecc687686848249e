"""``io.kestra.plugin.redis.string.Delete``"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover_redis.connection import RedisConnection


class DeleteOutput(Output):
    """What a Delete task gives."""

    count: int = Field(description="How many keys were deleted.")


class Delete(RedisConnection, RunnableTask[DeleteOutput]):
    """Delete keys."""

    type_name = "io.kestra.plugin.redis.string.Delete"
    examples = (
        Example(title="Delete two keys.", code="url: redis://localhost:6379/0\nkeys:\n  - first\n  - second"),
    )

    keys: list[str] = Field(min_length=1, description="The keys.")
    failed_on_missing: Annotated[bool, Field(description="Fail when a key was not there.")] = False

    async def run(self, ctx: RunContext) -> DeleteOutput:
        async with self.connected() as client:
            count = await client.delete(*self.keys)
        if self.failed_on_missing and count < len(self.keys):
            raise TaskFailure(
                f"{len(self.keys) - count} of {len(self.keys)} keys were not there", {"count": count}
            )
        return DeleteOutput(count=count)
