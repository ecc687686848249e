"""``io.kestra.plugin.amqp.CreateQueue``"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover_amqp.connection import AmqpConnection


class CreateQueueOutput(Output):
    """What a CreateQueue task gives."""

    queue: str = Field(description="Name of the queue.")


class CreateQueue(AmqpConnection, RunnableTask[CreateQueueOutput]):
    """Create an AMQP queue. One that is there with the same properties is left as it is."""

    type_name = "io.kestra.plugin.amqp.CreateQueue"
    examples = (
        Example(
            title="Create a queue that gives rejected messages to the exchange `rejected`.",
            code="""
host: localhost
name: orders
args:
  x-dead-letter-exchange: rejected
""",
        ),
    )

    name: str = Field(min_length=1, description="Name of the queue.")
    durability: Annotated[bool, Field(description="Whether the queue outlives the broker.")] = True
    exclusive: Annotated[bool, Field(description="Whether only this connection may use it.")] = False
    auto_delete: Annotated[bool, Field(description="Whether it goes with its last consumer.")] = False
    args: Annotated[
        dict[str, JsonValue] | None,
        Field(description="Arguments of the broker's own, such as `x-queue-type`."),
    ] = None

    async def run(self, ctx: RunContext) -> CreateQueueOutput:
        async with self.channel() as channel:
            queue = await channel.declare_queue(
                self.name,
                durable=self.durability,
                exclusive=self.exclusive,
                auto_delete=self.auto_delete,
                arguments=self.args,
            )
            return CreateQueueOutput(queue=queue.name)
