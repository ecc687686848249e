"""``io.kestra.plugin.redis.list.Trigger``"""

from __future__ import annotations

from windhover.plugin.consumer import consumer_name
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event, PollingTrigger
from windhover_redis.claims import Claims
from windhover_redis.list.elements import BatchOutput, RedisBatch


class Trigger(RedisBatch, PollingTrigger[BatchOutput]):
    """Start an execution for the elements that a Redis list has, if there are any."""

    type_name = "io.kestra.plugin.redis.list.Trigger"
    examples = (
        Example(
            title="Look every minute.",
            full=True,
            code="""
id: jobs
namespace: company.team

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.count }} jobs are in {{ trigger.uri }}"

triggers:
  - id: list
    type: io.kestra.plugin.redis.list.Trigger
    url: redis://localhost:6379/0
    key: jobs
    maxRecords: 1000
""",
        ),
    )

    async def poll(self, ctx: RunContext) -> Event[BatchOutput] | None:
        async with self.connected() as client:
            claims = Claims(client, self.key, consumer_name(ctx))
            taken, file = await self.take(ctx, claims, until_empty=self.max_duration is None)
            if not taken:
                return None
            output = BatchOutput(count=file.count, uri=await file.store())

        async def acknowledge() -> None:
            async with self.connected() as client:
                await Claims(client, self.key, consumer_name(ctx)).settle(taken)

        return Event(output, key=taken[0].id, acknowledge=acknowledge)
