"""``io.kestra.plugin.core.trigger.Webhook``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from windhover.core.condition.multiple_condition import MultipleCondition
from windhover.core.webhook_options import RateLimit, Signature
from windhover.model.definition import NonEmptyText, Text, scalar_as_text
from windhover.model.execution import JsonValue
from windhover.plugin.documentation import Example
from windhover.plugin.event_batch import EventBatch
from windhover.plugin.task import Output
from windhover.plugin.trigger import WebhookTrigger
from windhover.plugin.types import Static, readable_as


class WebhookOutput(Output):
    """The variable ``trigger`` of an execution that a webhook started."""

    body: Annotated[JsonValue, Field(description="The body of the request: JSON read, or text.")]
    headers: Annotated[dict[str, list[str]], Field(description="The headers of the request.")]
    parameters: Annotated[dict[str, list[str]], Field(description="The query parameters of the request.")]
    uri: Annotated[str | None, Field(description="Where the body is kept, with `fetchType: STORE`.")] = None
    parts: Annotated[
        list[JsonValue] | None,
        Field(description="The files of a form: `name`, `filename`, `contentType`, `size`, `uri`."),
    ] = None
    form_fields: Annotated[
        dict[str, list[str]] | None, Field(description="The fields of a form that are no files.")
    ] = None
    events: Annotated[
        list[JsonValue] | None,
        Field(description="With `batch`, the requests in their order, each a map of the properties above."),
    ] = None


class FetchType(StrEnum):
    """What becomes of the body of a request."""

    FETCH = "FETCH"
    STORE = "STORE"
    NONE = "NONE"


_CONTENT_TYPES = ("application/json", "text/plain")


class Webhook(WebhookTrigger):
    """Start an execution for each request to a URL that ends with a secret key.

    The URL is `/api/v1/{tenant}/executions/webhook/{namespace}/{flowId}/{key}`, by GET, POST or PUT.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.trigger.Webhook"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.models.triggers.types.Webhook",)
    output: ClassVar[type[Output] | None] = WebhookOutput
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Greet whoever is named in the body.",
            full=True,
            code="""\
id: greet
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: "Hello {{ trigger.body.name }}"
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: 4wjtkzwVGBM9yKnjm3yv8r
""",
        ),
    )

    key: Annotated[
        str,
        Field(max_length=256, description="The last part of the URL; whoever knows it may call."),
        BeforeValidator(scalar_as_text),
    ]
    wait: Annotated[bool, Field(description="Answer when the execution has ended.")] = False
    return_outputs: Annotated[
        bool, Field(description="Answer with the outputs of the flow; needs `wait`.")
    ] = False
    response_content_type: Annotated[
        Static[Text | None],
        Field(description="`application/json` or `text/plain`; needs `wait` and `returnOutputs`."),
    ] = None
    response_code: Annotated[
        Annotated[Text, readable_as(int)] | None,
        Field(description="The status of the answer; needs `wait`."),
    ] = None
    fetch_type: Annotated[FetchType, Field(description="What becomes of the body of the request.")] = (
        FetchType.FETCH
    )
    signature: Annotated[
        Signature | None, Field(description="An HMAC that requests must carry; 401 for those that do not.")
    ] = None
    idempotency_header: Annotated[
        Static[NonEmptyText | None],
        Field(description="A header that names a delivery: one that comes again starts nothing."),
    ] = None
    idempotency_key: Annotated[
        Text | None, Field(description="The same as an expression, over `trigger`.")
    ] = None
    rate_limit: Annotated[RateLimit | None, Field(description="How many requests are taken.")] = None
    batch: Annotated[
        EventBatch | None,
        Field(description="Gather requests, and start one execution for many: `trigger.events`."),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.response_content_type not in (None, *_CONTENT_TYPES):
            wanted = " or ".join(f"'{name}'" for name in _CONTENT_TYPES)
            raise _invalid(f"responseContentType must be either {wanted}")
        if any(isinstance(condition, MultipleCondition) for condition in self.conditions):
            raise _invalid("conditions of type MultipleCondition are not supported")
        if self.idempotency_header is not None and self.idempotency_key is not None:
            raise _invalid("idempotencyHeader and idempotencyKey cannot both be set")
        if self.batch is not None and (self.wait or self.return_outputs or self.response_code is not None):
            raise _invalid("wait, returnOutputs and responseCode cannot be set with batch")
        return self


def _invalid(reason: str) -> PydanticCustomError:
    return PydanticCustomError("webhook", "invalid webhook: {reason}", {"reason": reason})
