"""``io.kestra.plugin.core.http.Trigger``"""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from windhover.core.http.request import MAX_BODY, RequestOutput
from windhover.core.http_exchange import HttpProperties, exchange, has_body, header_lists, read_limited
from windhover.expression import truthy
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Static, TaskFailure
from windhover.plugin.trigger import Event, PollingTrigger


class Trigger(HttpProperties, PollingTrigger[RequestOutput]):
    """Ask a server at intervals, and start an execution when the answer meets a condition.

    A status of 400 and above is no error here: the condition decides.
    """

    type_name = "io.kestra.plugin.core.http.Trigger"
    aliases = ("io.kestra.plugin.fs.http.Trigger",)
    examples = (
        Example(
            title="Start when a report is there.",
            full=True,
            code="""\
id: report
namespace: company.team
tasks:
  - id: read
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.body }}"
triggers:
  - id: ask
    type: io.kestra.plugin.core.http.Trigger
    uri: https://example.com/report
    interval: PT5M
    responseCondition: "{{ response.statusCode == 200 }}"
""",
        ),
    )

    response_condition: Annotated[
        Static[str],
        Field(
            description="Whether to start: an expression over `response.statusCode`, `response.body` and "
            "`response.headers`."
        ),
    ] = "{{ response.statusCode < 400 }}"
    encrypt_body: Annotated[bool, Field(description="Keep the answer's text as a secret.")] = False

    async def poll(self, ctx: RunContext) -> Event[RequestOutput] | None:
        async with exchange(self, ctx, check=False) as answer:
            content = await read_limited(answer, MAX_BODY)
            try:
                text = content.decode(answer.charset_encoding or self.options.default_charset)
            except (UnicodeDecodeError, LookupError) as error:
                raise TaskFailure(f"The answer is no text: {error}") from None
            headers = header_lists(answer)
            response: dict[str, JsonValue] = {
                "statusCode": answer.status_code,
                "body": text,
                "headers": headers,
            }
            if not truthy(
                await asyncio.to_thread(ctx.render, self.response_condition, {"response": response})
            ):
                return None
            return Event(
                RequestOutput(
                    uri=str(answer.url),
                    code=answer.status_code,
                    headers=headers,
                    body=None if self.encrypt_body or not has_body(answer) else text,
                    encrypted_body=ctx.encrypt(text) if self.encrypt_body else None,
                )
            )
