"""``io.kestra.plugin.redis.list.RealtimeTrigger``"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.consumer import consumer_name
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output
from windhover.plugin.trigger import Event
from windhover.plugin.trigger import RealtimeTrigger as _RealtimeTrigger
from windhover_redis.claims import Claim, Claims, Settlement
from windhover_redis.list.elements import RedisList

#: How many executions may be on their way to the database.
_IN_FLIGHT = 1_000

#: How many elements are taken in one step.
_AT_ONCE = 100

#: Seconds to wait for an element at a time.
_WAIT = 5.0


class RealtimeOutput(Output):
    """An element of the list."""

    value: JsonValue = Field(description="The element, read as `serdeType` tells.")


class RealtimeTrigger(RedisList, _RealtimeTrigger[RealtimeOutput]):
    """Start an execution for every element of a Redis list, as soon as it is there."""

    type_name = "io.kestra.plugin.redis.list.RealtimeTrigger"
    examples = (
        Example(
            title="Log every job.",
            full=True,
            code="""
id: jobs
namespace: company.team

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.value }}"

triggers:
  - id: list
    type: io.kestra.plugin.redis.list.RealtimeTrigger
    url: redis://localhost:6379/0
    key: jobs
""",
        ),
    )

    async def events(self, ctx: RunContext) -> AsyncIterator[Event[RealtimeOutput]]:
        async with self.connected() as client:
            claims = Claims(client, self.key, consumer_name(ctx))
            settlement = Settlement(claims)
            free = asyncio.Semaphore(_IN_FLIGHT)
            claimed = await claims.left_over()
            while True:
                for claim in claimed:
                    readable, value = await self.read(ctx, claims, claim)
                    if readable:
                        await free.acquire()
                        settle = partial(_settle, settlement, claim, free)
                        yield Event(RealtimeOutput(value=value), key=claim.id, acknowledge=settle)
                claimed = await claims.take(_AT_ONCE)
                if not claimed:
                    await claims.wait(_WAIT)


async def _settle(settlement: Settlement, claim: Claim, free: asyncio.Semaphore) -> None:
    await settlement.settle(claim)
    free.release()
