"""``io.kestra.plugin.amqp.Publish``"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.problems import problems_of
from windhover.plugin.records import read_records
from windhover.plugin.serde import Serde
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover.plugin.types import Typed
from windhover_amqp.connection import AmqpConnection
from windhover_amqp.message import AmqpMessage

if TYPE_CHECKING:
    import aio_pika
    from aio_pika.abc import AbstractExchange

#: How many messages are under way to the broker at the same time.
_WINDOW = 200


class PublishOutput(Output):
    """What a Publish task gives."""

    messages_count: int = Field(description="How many messages were published.")


class Publish(AmqpConnection, RunnableTask[PublishOutput]):
    """Publish messages to an AMQP exchange, and wait until the broker has them."""

    type_name = "io.kestra.plugin.amqp.Publish"
    examples = (
        Example(
            title="Publish two messages.",
            code="""
host: localhost
username: guest
password: "{{ secret('AMQP_PASSWORD') }}"
exchange: orders
routingKey: new
from:
  - data: first
    messageId: order-1
  - data: second
    messageId: order-2
    headers:
      urgent: true
""",
        ),
    )
    reported_metrics = (
        MetricDescription("published.records", "counter", "How many messages were published.", "records"),
    )

    exchange: str = Field(description="The exchange; empty for the one that knows every queue by its name.")
    routing_key: Annotated[str, Field(description="By what the exchange chooses queues.")] = ""
    source: Typed[JsonValue] = Field(
        alias="from",
        description="A message (a map with `data`), a list, or the `kestra://` URI of a file of messages.",
    )
    serde_type: Annotated[Serde, Field(description="The form of the messages.")] = Serde.STRING

    async def run(self, ctx: RunContext) -> PublishOutput:
        count = 0
        unrouted = 0
        async with self.channel() as channel:
            if self.exchange:
                exchange = await channel.get_exchange(self.exchange, ensure=False)
            else:
                exchange = channel.default_exchange
            window: list[aio_pika.Message] = []
            async for record in read_records(ctx, self.source):
                window.append(self._message(record))
                count += 1
                if len(window) == _WINDOW:
                    unrouted += await self._publish(exchange, window)
                    window = []
            unrouted += await self._publish(exchange, window)
        if unrouted:
            ctx.logger.warn(
                f"The broker has dropped {unrouted} of {count} messages: exchange `{self.exchange}` has no"
                f" queue for the routing key `{self.routing_key}`"
            )
        ctx.metric("counter", "published.records", count)
        return PublishOutput(messages_count=count)

    def _message(self, record: JsonValue) -> aio_pika.Message:
        try:
            return AmqpMessage.model_validate(record).to_send(self.serde_type)
        except ValidationError as error:
            problems = "; ".join(str(problem) for problem in problems_of(error, record))
            raise TaskFailure(f"`from` holds something that is no message: {problems}") from None
        except ValueError as error:
            raise TaskFailure(f"`from`: {error}") from None

    async def _publish(self, exchange: AbstractExchange, messages: list[aio_pika.Message]) -> int:
        """Send messages, and return how many of them no queue was found for."""
        from aiormq.abc import DeliveredMessage

        answers = await asyncio.gather(
            *(exchange.publish(message, self.routing_key, mandatory=True) for message in messages)
        )
        return sum(isinstance(answer, DeliveredMessage) for answer in answers)
