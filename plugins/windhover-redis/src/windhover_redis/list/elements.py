"""The elements of a list: what the task and the triggers that take them have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.records import RecordFile
from windhover.plugin.serde import UnreadableMessage
from windhover.plugin.task import Output
from windhover.plugin.types import Duration
from windhover_redis.claims import Claim, Claims
from windhover_redis.connection import RedisConnection, RedisSerde

#: The longest that is waited for an element at a time.
_WAIT = 5.0


class BatchOutput(Output):
    """Elements in a file of the internal storage."""

    count: int = Field(description="How many elements there are.")
    uri: str = Field(description="URI of the file that holds them, one a line.")


class RedisList(RedisConnection):
    """Properties that say which list."""

    key: str = Field(min_length=1, description="Key of the list.")
    serde_type: Annotated[RedisSerde, Field(description="The form of the elements.")] = RedisSerde.STRING

    async def read(self, ctx: RunContext, claims: Claims, claim: Claim) -> tuple[bool, JsonValue]:
        """Whether an element can be read, and its value. One that cannot is rejected, which the log tells."""
        try:
            return True, self.serde_type.deserialize_value(claim.value)
        except UnreadableMessage as reason:
            ctx.logger.warn(f"An element of `{self.key}` is moved to `{claims.rejected}`: {reason}")
            await claims.reject(claim)
            return False, None


class RedisBatch(RedisList):
    """Properties that say how much to take at once."""

    count: Annotated[int, Field(ge=1, description="How many elements to take in one step.")] = 100
    max_records: Annotated[int | None, Field(ge=1, description="How many elements to take at most.")] = None
    max_duration: Annotated[Duration | None, Field(description="How long to wait for elements.")] = None

    async def take(
        self, ctx: RunContext, claims: Claims, *, until_empty: bool
    ) -> tuple[Sequence[Claim], RecordFile]:
        """Take elements into a file, until there are enough, or the time is over, or there are no more.

        What an earlier run has taken and not dealt with is given alone, so that the same elements are the
        same batch again.
        """
        file = RecordFile(ctx, "elements.ion")
        kept: list[Claim] = []

        async def keep(claimed: Sequence[Claim]) -> None:
            for claim in claimed:
                readable, value = await self.read(ctx, claims, claim)
                if readable:
                    file.append(value)
                    kept.append(claim)

        await keep(await claims.left_over())
        if kept:
            return kept, file
        end = _end(self.max_duration)
        while (wanted := self._wanted(len(kept))) > 0:
            claimed = await claims.take(wanted)
            await keep(claimed)
            seconds = _WAIT if end is None else end - asyncio.get_running_loop().time()
            if seconds <= 0 or (not claimed and until_empty):
                break
            if not claimed:
                await claims.wait(min(seconds, _WAIT))
        return kept, file

    def _wanted(self, taken: int) -> int:
        return self.count if self.max_records is None else min(self.count, self.max_records - taken)


def _end(duration: timedelta | None) -> float | None:
    return None if duration is None else asyncio.get_running_loop().time() + duration.total_seconds()
