"""``io.kestra.plugin.core.http.Trigger``"""

import asyncio
from typing import Annotated

from pydantic import Field

from windhover.core.http.request import RequestOutput, read_answer
from windhover.core.http_exchange import HttpProperties, exchange
from windhover.expression import truthy
from windhover.plugin.documentation import Example
from windhover.plugin.trigger import Event, PollingTrigger, TriggerContext
from windhover.plugin.types import Static


class Trigger(HttpProperties, PollingTrigger[RequestOutput]):
    """Ask a URL now and then, and start an execution when its answer meets a condition."""

    type_name = "io.kestra.plugin.core.http.Trigger"
    aliases = ("io.kestra.plugin.fs.http.Trigger",)
    examples = (
        Example(
            title="React to a list of orders that is not empty",
            full=True,
            code="""\
id: orders
namespace: company.team
tasks:
  - id: take
    type: io.kestra.plugin.core.log.Log
    message: "{{ trigger.body }}"
triggers:
  - id: shop
    type: io.kestra.plugin.core.http.Trigger
    uri: https://example.com/orders?state=open
    responseCondition: "{{ fromJson(response.body) | length > 0 }}"
    interval: PT30S
""",
        ),
    )

    response_condition: Annotated[
        Static[str],
        Field(
            description="An execution starts when this is true. `response` has `statusCode`, `body` and"
            " `headers`."
        ),
    ] = "{{ response.statusCode < 400 }}"
    encrypt_body: Annotated[bool, Field(description="Keep the answer's text as a secret.")] = False

    async def poll(self, ctx: TriggerContext) -> Event[RequestOutput] | None:
        async with exchange(self, ctx) as answer:
            output, text = await read_answer(self, answer, ctx, encrypt=self.encrypt_body)
        response = {"statusCode": output.code, "body": text, "headers": output.headers}
        # In a thread, as the condition may ask the server.
        holds = await asyncio.to_thread(ctx.render, self.response_condition, {"response": response})
        return Event(output) if truthy(holds) else None
