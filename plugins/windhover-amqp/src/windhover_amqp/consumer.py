"""Receiving messages: what the task and the triggers that consume have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from windhover.plugin.batches import batch
from windhover.plugin.context import RunContext
from windhover.plugin.records import RecordFile
from windhover.plugin.serde import Serde, UnreadableMessage
from windhover.plugin.task import Output, outputs_of
from windhover_amqp.connection import AmqpConnection
from windhover_amqp.message import AmqpMessage

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage

#: The broker counts unacknowledged messages in 16 bits; 0 is for no limit.
_MAX_PREFETCH = 65_535


class BatchOutput(Output):
    """Messages in a file of the internal storage."""

    count: int = Field(description="How many messages there are.")
    uri: str = Field(description="URI of the file that holds them, one a line.")


class AmqpConsumer(AmqpConnection):
    """Properties that say what to receive."""

    queue: str = Field(min_length=1, description="The queue; it must be there already.")
    serde_type: Annotated[Serde, Field(description="The form of the messages.")] = Serde.STRING
    consumer_tag: Annotated[str, Field(description="How the broker shows this consumer.")] = "Kestra"
    auto_ack: Annotated[
        bool,
        Field(
            description="Whether the broker forgets a message as soon as it is sent. It is lost should the "
            "worker end before it is dealt with."
        ),
    ] = False

    @asynccontextmanager
    async def consuming(self, prefetch: int) -> AsyncIterator[Deliveries]:
        """The messages of the queue, as long as the context lasts.

        Args:
            prefetch: how many messages the broker sends before one is acknowledged; 0 for no limit.

        Raises:
            ConnectionError: the broker cannot be reached, or refuses.
            aio_pika.exceptions.AMQPError: there is no such queue.
        """
        async with self.channel() as channel:
            await channel.set_qos(prefetch_count=prefetch if prefetch <= _MAX_PREFETCH else 0)
            deliveries = Deliveries(self.queue, self.serde_type, auto_ack=self.auto_ack)
            channel.close_callbacks.add(deliveries.on_close)
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(deliveries.on_cancel)
            queue = await channel.get_queue(self.queue, ensure=False)
            await queue.consume(deliveries.on_message, no_ack=self.auto_ack, consumer_tag=self.consumer_tag)
            yield deliveries


class Deliveries:
    """The messages that a queue has sent. Those that cannot be read are left out."""

    def __init__(self, queue: str, serde: Serde, *, auto_ack: bool) -> None:
        self._queue = queue
        self._serde = serde
        self._auto_ack = auto_ack
        self._arrived: asyncio.Queue[AbstractIncomingMessage | Exception] = asyncio.Queue()

    async def on_message(self, message: AbstractIncomingMessage) -> None:
        """The broker has sent a message."""
        self._arrived.put_nowait(message)

    def on_close(self, channel: object, error: BaseException | None) -> None:
        """The channel is closed, from whatever side."""
        self._arrived.put_nowait(ConnectionError(f"The connection to the broker is closed: {error}"))

    async def on_cancel(self, frame: object) -> None:
        """The broker sends no more, most often because the queue was deleted."""
        self._arrived.put_nowait(ConnectionError(f"The broker has no queue `{self._queue}` any more"))

    async def receive(self, ctx: RunContext) -> Delivery:
        """Wait for the next message.

        One that cannot be read is rejected, which gives it to the dead-letter exchange if its queue has one,
        and told of in the log: it would come again for ever.

        Raises:
            ConnectionError: the connection is lost, or the queue is gone.
        """
        while True:
            message = await self._arrived.get()
            if isinstance(message, Exception):
                raise message
            try:
                return Delivery(message, AmqpMessage.received(message, self._serde), auto_ack=self._auto_ack)
            except UnreadableMessage as reason:
                ctx.logger.warn(f"A message of queue `{self._queue}` is rejected: {reason}")
                if not self._auto_ack:
                    await message.reject(requeue=False)


class Delivery:
    """A message that the broker keeps until it is acknowledged."""

    def __init__(self, message: AbstractIncomingMessage, output: AmqpMessage, *, auto_ack: bool) -> None:
        self._message = message
        self._auto_ack = auto_ack
        self.output = output

    @property
    def key(self) -> str | None:
        """What identifies the message when it is sent again: its id, if it was given one."""
        return self.output.message_id

    async def acknowledge(self, *, and_all_before: bool = False) -> None:
        """Tell the broker that it need not send the message again.

        Raises:
            ConnectionError: the connection is lost; the message will be sent again.
        """
        if self._auto_ack:
            return
        from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

        try:
            await self._message.ack(multiple=and_all_before)
        except (AMQPError, ChannelInvalidStateError) as error:
            raise ConnectionError(
                "A message cannot be acknowledged and will come again: its connection is closed"
            ) from error


async def collect(
    ctx: RunContext,
    deliveries: Deliveries,
    *,
    max_records: int | None,
    max_duration: timedelta | None,
    idle: timedelta | None = None,
) -> tuple[Delivery | None, RecordFile]:
    """Receive a batch into a file, and the last message of it; nothing is acknowledged yet."""
    last: Delivery | None = None
    file = RecordFile(ctx, "messages.ion")

    async def receive() -> Delivery:
        return await deliveries.receive(ctx)

    async for delivery in batch(receive, max_records=max_records, max_duration=max_duration, idle=idle):
        file.append(outputs_of(delivery.output))
        last = delivery
    return last, file
