"""``io.kestra.plugin.core.http.Request``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from windhover.core.http_exchange import (
    EXCHANGE_METRICS,
    HttpProperties,
    exchange,
    has_body,
    header_lists,
    log_body,
    read_limited,
)
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure

if TYPE_CHECKING:
    import httpx

#: The longest body that becomes an output, in bytes; ``Download`` is for longer ones.
MAX_BODY = 19 * 1024 * 1024


class RequestOutput(Output):
    """What a Request task gives."""

    uri: str
    code: Annotated[int, Field(description="The status of the answer.")]
    headers: dict[str, list[str]]
    body: Annotated[JsonValue, Field(description="The text of the answer; read JSON with `fromJson`.")] = None
    encrypted_body: Annotated[
        JsonValue, Field(description="The text as a secret, in the place of `body`.")
    ] = None
    form_data: dict[str, JsonValue] | None = None


class Request(HttpProperties, RunnableTask[RequestOutput]):
    """Send an HTTP request and keep the answer as outputs."""

    type_name = "io.kestra.plugin.core.http.Request"
    aliases = ("io.kestra.plugin.fs.http.Request",)
    examples = (
        Example(
            title="Create an order",
            code="""
uri: https://example.com/orders
method: POST
headers:
  x-request: "{{ execution.id }}"
body: |
  {"product": "tea", "amount": 2}
options:
  auth:
    type: BEARER
    token: "{{ secret('SHOP_TOKEN') }}"
""",
        ),
    )

    reported_metrics = EXCHANGE_METRICS

    encrypt_body: Annotated[bool, Field(description="Keep the answer's text as a secret.")] = False
    allow_failed: Annotated[bool | None, Field(deprecated=True)] = None

    async def run(self, ctx: RunContext) -> RequestOutput:
        async with exchange(self, ctx) as answer:
            output, _ = await read_answer(self, answer, ctx, encrypt=self.encrypt_body)
        return output


async def read_answer(
    request: HttpProperties, answer: httpx.Response, ctx: RunContext, *, encrypt: bool
) -> tuple[RequestOutput, str]:
    """An answer as outputs, and its text.

    Raises:
        TaskFailure: it is too long, or no text.
    """
    content = await read_limited(answer, MAX_BODY)
    charset = answer.charset_encoding or request.options.default_charset
    try:
        text = content.decode(charset)
    except (UnicodeDecodeError, LookupError) as error:
        raise TaskFailure(
            f"The answer is no text ({error}); name its charset in `options.defaultCharset`, or use "
            "io.kestra.plugin.core.http.Download for it"
        ) from None
    log_body(ctx, request, text)
    output = RequestOutput(
        uri=str(answer.url),
        code=answer.status_code,
        headers=header_lists(answer),
        body=None if encrypt or not has_body(answer) else text,
        encrypted_body=ctx.encrypt(text) if encrypt else None,
    )
    return output, text
