"""``io.kestra.plugin.amqp.Trigger``"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event, PollingTrigger
from windhover.plugin.types import Duration
from windhover_amqp.consumer import AmqpConsumer, BatchOutput, collect

#: Without `maxDuration`, a look ends when nothing has come for so long.
_IDLE = timedelta(seconds=1)


class Trigger(AmqpConsumer, PollingTrigger[BatchOutput]):
    """Start an execution for the messages that wait in an AMQP queue, if there are any."""

    type_name = "io.kestra.plugin.amqp.Trigger"
    examples = (
        Example(
            title="Look every five minutes.",
            full=True,
            code="""
id: orders
namespace: company.team

tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.count }} orders are in {{ trigger.uri }}"

triggers:
  - id: queue
    type: io.kestra.plugin.amqp.Trigger
    host: localhost
    queue: orders
    interval: PT5M
""",
        ),
    )

    max_records: Annotated[int | None, Field(ge=1, description="How many messages to take at most.")] = None
    max_duration: Annotated[
        Duration | None,
        Field(description="How long a look takes; without it, until nothing has come for a second."),
    ] = None

    async def poll(self, ctx: RunContext) -> Event[BatchOutput] | None:
        async with AsyncExitStack() as stack:
            deliveries = await stack.enter_async_context(self.consuming(prefetch=self.max_records or 0))
            last, file = await collect(
                ctx,
                deliveries,
                max_records=self.max_records,
                max_duration=self.max_duration,
                idle=_IDLE if self.max_duration is None else None,
            )
            if last is None:
                return None
            output = BatchOutput(count=file.count, uri=await file.store())
            connection = stack.pop_all()

        async def acknowledge() -> None:
            # A message can be acknowledged on the channel that it came by, and on no other.
            async with connection:
                await last.acknowledge(and_all_before=True)

        return Event(output, acknowledge=acknowledge)
