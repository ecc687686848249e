"""Receiving from a stream: what the task and the triggers that consume have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from windhover.plugin.context import RunContext
from windhover.plugin.records import RecordFile
from windhover.plugin.task import Output, TaskFailure, outputs_of
from windhover.plugin.types import DateTime, Duration
from windhover_nats.connection import NatsConnection
from windhover_nats.message import NatsMessage

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import ConsumerConfig

#: How long the server waits for an acknowledgement before it sends a message again.
ACKNOWLEDGED_WITHIN = timedelta(seconds=30)


class DeliverPolicy(StrEnum):
    """Where in a stream a consumer begins that the server has not seen before."""

    ALL = "All"
    LAST = "Last"
    NEW = "New"
    BY_START_SEQUENCE = "ByStartSequence"
    BY_START_TIME = "ByStartTime"
    LAST_PER_SUBJECT = "LastPerSubject"


class BatchOutput(Output):
    """Messages in a file of the internal storage."""

    messages_count: int = Field(description="How many messages there are.")
    uri: str = Field(description="URI of the file that holds them, one a line.")


class NatsConsumer(NatsConnection):
    """Properties that say what to receive."""

    subject: str = Field(
        min_length=1, description="The subject; `*` and `>` are wildcards. A stream keeps it."
    )
    durable_id: Annotated[
        str | None, Field(description="Name by which the server remembers how far this consumer has come.")
    ] = None
    deliver_policy: Annotated[
        DeliverPolicy, Field(description="Where to begin when the server does not know the consumer yet.")
    ] = DeliverPolicy.ALL
    since: Annotated[DateTime | None, Field(description="The time to begin at; for `ByStartTime`.")] = None
    batch_size: Annotated[int, Field(ge=1, description="How many messages to fetch at once.")] = 10
    poll_duration: Annotated[Duration, Field(description="How long a fetch waits for messages.")] = timedelta(
        seconds=2
    )

    @model_validator(mode="after")
    def _begins(self) -> Self:
        if self.deliver_policy is DeliverPolicy.BY_START_TIME and self.since is None:
            raise ValueError("deliverPolicy ByStartTime needs since")
        return self

    @asynccontextmanager
    async def consuming(
        self, durable: str | None, *, acknowledged_within: timedelta = ACKNOWLEDGED_WITHIN
    ) -> AsyncIterator[JetStreamContext.PullSubscription]:
        """The messages of the stream, as long as the context lasts.

        Args:
            durable: the name by which the server remembers how far this consumer has come; None: it does not.
            acknowledged_within: how long a message may take before the server sends it again.

        Raises:
            TaskFailure: no stream keeps the subject, or the name belongs to a consumer of another one.
            nats.errors.Error: the server cannot be reached, or refuses.
        """
        from nats.js.errors import NotFoundError

        async with self.connected() as client:
            stream = client.jetstream()
            configuration = self._configuration(acknowledged_within)
            try:
                name = await stream.find_stream_name_by_subject(self.subject)
            except NotFoundError:
                raise TaskFailure(f"No stream of {self.url} keeps messages of `{self.subject}`") from None
            if durable is not None:
                await self._adapt(stream, name, durable)
            yield await stream.pull_subscribe(self.subject, durable, name, configuration)

    async def _adapt(self, stream: JetStreamContext, name: str, durable: str) -> None:
        """See that a consumer the server knows already is one of this subject."""
        from nats.js.errors import NotFoundError

        try:
            known = (await stream.consumer_info(name, durable)).config
        except NotFoundError:
            return
        if known.filter_subject == self.subject:
            return
        if durable == self.durable_id:
            raise TaskFailure(
                f"`{durable}` is a consumer of `{known.filter_subject}`, not of `{self.subject}`"
            )
        known.filter_subject = self.subject  # the flow was edited
        await stream.add_consumer(name, known)

    def _configuration(self, acknowledged_within: timedelta) -> ConsumerConfig:
        from nats.js import api

        by_sequence = self.deliver_policy is DeliverPolicy.BY_START_SEQUENCE
        by_time = self.deliver_policy is DeliverPolicy.BY_START_TIME
        return api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy[self.deliver_policy.name],
            opt_start_seq=1 if by_sequence else None,
            opt_start_time=self.since if by_time else None,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=acknowledged_within.total_seconds(),
        )


class NatsBatch(NatsConsumer):
    """Properties that say how much to take at once."""

    max_records: Annotated[int | None, Field(ge=1, description="How many messages to take at most.")] = None
    max_duration: Annotated[
        Duration | None,
        Field(description="How long to go on at most; it ends earlier when a fetch finds no message."),
    ] = None

    @asynccontextmanager
    async def collected(
        self, ctx: RunContext, durable: str | None
    ) -> AsyncIterator[tuple[list[Msg], BatchOutput | None]]:
        """A batch of messages in a file, None when there are none; nothing is acknowledged yet.

        Should the context end with an error, the server is told to send the messages again at once.
        """
        from nats.errors import Error

        within = ACKNOWLEDGED_WITHIN + (self.max_duration or timedelta())
        async with self.consuming(durable, acknowledged_within=within) as consumer:
            taken: list[Msg] = []
            file = RecordFile(ctx, "messages.ion")
            try:
                async for message in self._messages(consumer):
                    taken.append(message)
                    file.append(outputs_of(NatsMessage.received(message)))
                output = BatchOutput(messages_count=file.count, uri=await file.store()) if taken else None
                yield taken, output
            except BaseException:
                with suppress(Error):  # without a connection, the server does it when the time is over
                    await consumer.unsubscribe()  # or they would come to the fetch that is given up here
                    for message in taken:
                        await message.nak()
                raise

    async def _messages(self, consumer: JetStreamContext.PullSubscription) -> AsyncIterator[Msg]:
        loop = asyncio.get_running_loop()
        end = None if self.max_duration is None else loop.time() + self.max_duration.total_seconds()
        count = 0
        while self.max_records is None or count < self.max_records:
            size = self.batch_size if self.max_records is None else self.max_records - count
            wait = self.poll_duration.total_seconds()
            if end is not None:
                wait = min(wait, end - loop.time())
            found = await fetch(consumer, min(size, self.batch_size), wait) if wait > 0 else []
            if not found:
                return
            for message in found:
                yield message
            count += len(found)


async def fetch(consumer: JetStreamContext.PullSubscription, size: int, seconds: float) -> list[Msg]:
    """The messages there are, up to ``size``, or the first that comes; none when the time is over.

    Raises:
        nats.errors.Error: the connection is lost, or the consumer is gone.
    """
    try:
        return await consumer.fetch(size, timeout=seconds)
    except TimeoutError:
        return []
