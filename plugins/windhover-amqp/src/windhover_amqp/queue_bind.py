"""``io.kestra.plugin.amqp.QueueBind``"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover_amqp.connection import AmqpConnection


class QueueBindOutput(Output):
    """What a QueueBind task gives."""

    queue: str = Field(description="Name of the queue.")
    exchange: str = Field(description="Name of the exchange.")


class QueueBind(AmqpConnection, RunnableTask[QueueBindOutput]):
    """Bind an AMQP queue to an exchange."""

    type_name = "io.kestra.plugin.amqp.QueueBind"
    examples = (
        Example(
            title="Give new orders to a queue.",
            code="host: localhost\nexchange: orders\nqueue: new-orders\nroutingKey: new",
        ),
    )

    queue: str = Field(min_length=1, description="The queue.")
    exchange: str = Field(min_length=1, description="The exchange.")
    routing_key: Annotated[str, Field(description="Which messages the queue is given.")] = ""
    args: Annotated[dict[str, JsonValue] | None, Field(description="Arguments of the binding.")] = None

    async def run(self, ctx: RunContext) -> QueueBindOutput:
        async with self.channel() as channel:
            queue = await channel.get_queue(self.queue, ensure=False)
            await queue.bind(
                self.exchange,
                self.routing_key,
                arguments=self.args,
            )
        return QueueBindOutput(queue=self.queue, exchange=self.exchange)
