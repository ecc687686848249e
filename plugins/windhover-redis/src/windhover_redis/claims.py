"""Taking elements out of a list so that none is lost when the worker ends in the middle.

An element is moved, in one step of the server, from the list into a hash that belongs to whoever takes it:
a trigger, or the run of a task. It leaves the hash when it has been dealt with. What is found in the hash at
the next start was taken and not dealt with, and is given again under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from windhover.util.ids import new_id
from windhover_redis.connection import as_bytes

if TYPE_CHECKING:
    from redis.asyncio import Redis

_TAKE = """
local values = redis.call('LPOP', KEYS[1], ARGV[1])
if not values then return {} end
for index, value in ipairs(values) do
  redis.call('HSET', KEYS[2], string.format('%s:%06d', ARGV[2], index), value)
end
return values
"""

_GIVE_BACK = """
local values = redis.call('HGETALL', KEYS[2])
local by_id, ids = {}, {}
for index = 1, #values, 2 do
  by_id[values[index]] = values[index + 1]
  table.insert(ids, values[index])
end
table.sort(ids)
for index = #ids, 1, -1 do redis.call('LPUSH', KEYS[1], by_id[ids[index]]) end
redis.call('DEL', KEYS[2])
return #ids
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An element that was taken; ids of later claims sort after those of earlier ones."""

    id: str
    value: bytes


class Claims:
    """What one owner has taken out of a list and not dealt with yet."""

    def __init__(self, client: Redis, key: str, owner: str) -> None:
        """``key`` is the list; ``owner`` a name that is the same after a restart."""
        self._client = client
        self._key = key
        self._pending = f"{key}:windhover:{owner}"
        #: The list of elements that could not be read.
        self.rejected = f"{key}:windhover:rejected"
        self._take = client.register_script(_TAKE)
        self._give_back = client.register_script(_GIVE_BACK)

    async def left_over(self) -> list[Claim]:
        """What was taken by an earlier run, oldest first."""
        pending = await self._client.hgetall(self._pending)
        return [Claim(as_bytes(id_).decode(), as_bytes(value)) for id_, value in sorted(pending.items())]

    async def wait(self, seconds: float) -> bool:
        """Whether the list has an element, or gets one within this time."""
        # Moving the first element to where it is changes nothing, and is the one way to wait without taking.
        return await self._client.blmove(self._key, self._key, seconds, "LEFT", "LEFT") is not None  # type: ignore[arg-type]

    async def take(self, count: int) -> list[Claim]:
        """Take elements from the head of the list, at most ``count``; none when it is empty."""
        prefix = new_id()
        values = await self._take(keys=[self._key, self._pending], args=[count, prefix])
        return [Claim(f"{prefix}:{index:06d}", value) for index, value in enumerate(values, start=1)]

    async def settle(self, claims: Sequence[Claim]) -> None:
        """These have been dealt with."""
        if claims:
            await self._client.hdel(self._pending, *(claim.id for claim in claims))

    async def reject(self, claim: Claim) -> None:
        """Put an element that cannot be read where it does not come again."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.rpush(self.rejected, claim.value)
            pipeline.hdel(self._pending, claim.id)
            await pipeline.execute()

    async def give_back(self) -> None:
        """Put all that was taken back to the head of the list, in its order."""
        await self._give_back(keys=[self._key, self._pending])


class Settlement:
    """Settles claims that come one by one, in one command all that came while the last was answered."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._waiting: list[tuple[Claim, asyncio.Future[None]]] = []
        self._sending = False

    async def settle(self, claim: Claim) -> None:
        """Return when the server knows that this claim has been dealt with.

        Raises:
            redis.RedisError: it does not, and the element comes again.
        """
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((claim, settled))
        if not self._sending:
            self._sending = True
            try:
                while self._waiting:
                    await self._send()
            finally:
                self._sending = False
        await settled

    async def _send(self) -> None:
        some, self._waiting = self._waiting, []
        error: Exception | None = None
        try:
            await self._claims.settle([claim for claim, _ in some])
        except Exception as problem:
            error = problem
        except BaseException:
            for _, settled in some:
                settled.cancel()
            raise
        for _, settled in some:
            if settled.done():  # whoever asked has gone
                continue
            if error is None:
                settled.set_result(None)
            else:
                settled.set_exception(error)
