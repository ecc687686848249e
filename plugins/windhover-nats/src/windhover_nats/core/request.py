"""``io.kestra.plugin.nats.core.Request``"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.records import read_records
from windhover.plugin.serde import Serde
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover.plugin.types import Duration, Typed
from windhover_nats.connection import NatsConnection
from windhover_nats.message import NatsMessage


class RequestOutput(Output):
    """What a Request task gives."""

    response: str = Field(description="The answer, as text.")


class Request(NatsConnection, RunnableTask[RequestOutput]):
    """Send a message to a NATS subject and wait for the answer of whoever serves it."""

    type_name = "io.kestra.plugin.nats.core.Request"
    examples = (
        Example(
            title="Ask a service.",
            code="url: nats://localhost:4222\nsubject: greet.ada\nfrom:\n  data: Hello\nrequestTimeout: PT2S",
        ),
    )

    subject: str = Field(min_length=1, description="The subject.")
    source: Typed[JsonValue] = Field(
        alias="from", description="The message (a map with `data`), or a list or a file that holds just one."
    )
    request_timeout: Annotated[Duration, Field(description="How long to wait.")] = timedelta(seconds=5)

    async def run(self, ctx: RunContext) -> RequestOutput:
        from nats.errors import NoRespondersError

        records = [record async for record in read_records(ctx, self.source)]
        if len(records) != 1:
            raise TaskFailure(f"`from` must hold one message, not {len(records)}")
        message = NatsMessage.written(records[0])
        seconds = self.request_timeout.total_seconds()
        async with self.connected() as client:
            try:
                answer = await client.request(
                    self.subject, message.body, timeout=seconds, headers=message.sent_headers
                )
            except NoRespondersError:
                raise TaskFailure(f"Nobody serves `{self.subject}`") from None
            except TimeoutError:
                raise TaskFailure(f"Nobody has answered within {seconds:g} seconds") from None
        return RequestOutput(response=str(Serde.STRING.deserialize(answer.data)))
