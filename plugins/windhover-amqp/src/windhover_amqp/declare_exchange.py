"""``io.kestra.plugin.amqp.DeclareExchange``"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover_amqp.connection import AmqpConnection


class ExchangeType(StrEnum):
    """How an exchange chooses the queues of a message."""

    DIRECT = "DIRECT"
    FANOUT = "FANOUT"
    TOPIC = "TOPIC"
    HEADERS = "HEADERS"


class DeclareExchangeOutput(Output):
    """What a DeclareExchange task gives."""

    exchange: str = Field(description="Name of the exchange.")


class DeclareExchange(AmqpConnection, RunnableTask[DeclareExchangeOutput]):
    """Create an AMQP exchange. One that is there with the same properties is left as it is."""

    type_name = "io.kestra.plugin.amqp.DeclareExchange"
    examples = (
        Example(title="Create an exchange.", code="host: localhost\nname: orders\nexchangeType: TOPIC"),
    )

    name: str = Field(min_length=1, description="Name of the exchange.")
    exchange_type: Annotated[ExchangeType, Field(description="How it chooses queues.")] = ExchangeType.DIRECT
    durability: Annotated[bool, Field(description="Whether the exchange outlives the broker.")] = True
    auto_delete: Annotated[bool, Field(description="Whether it goes with its last queue.")] = False
    internal: Annotated[bool, Field(description="Whether only other exchanges may publish to it.")] = False
    args: Annotated[dict[str, JsonValue] | None, Field(description="Arguments of the broker's own.")] = None

    async def run(self, ctx: RunContext) -> DeclareExchangeOutput:
        async with self.channel() as channel:
            await channel.declare_exchange(
                self.name,
                self.exchange_type.value.lower(),
                durable=self.durability,
                auto_delete=self.auto_delete,
                internal=self.internal,
                arguments=self.args,
            )
        return DeclareExchangeOutput(exchange=self.name)
