"""Requests from outside that start executions; whoever knows the key of a webhook may send them."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from windhover.core.trigger.webhook import Webhook
from windhover.engine.spill import stored_value
from windhover.model.execution import Execution, ExecutionTrigger, JsonValue, Label
from windhover.model.state import StateType
from windhover.repository.batched_events import Kept
from windhover.webserver.errors import ErrorJson, not_found
from windhover.webserver.execution_access import find_header
from windhover.webserver.execution_waiting import execution_url, wait_for_end
from windhover.webserver.openapi import answers, path_parameter, takes
from windhover.webserver.responses import JsonResponse, no_content
from windhover.webserver.services import WebServices, services_of
from windhover.webserver.webhooks import Delivery, NotWanted
from windhover.webserver.wire.executions import StateJson, state_json

router = APIRouter(prefix="/api/v1/{tenant}/executions/webhook", tags=["Executions"])

_PATH = [
    path_parameter("tenant", "The tenant; `main` unless there are several."),
    path_parameter("namespace", "The namespace of the flow."),
    path_parameter("flowId", "The id of the flow."),
    path_parameter("key", "The key of one of its webhooks."),
]
_DOCUMENTED = takes("*/*", {}, required=False, description="Anything: it becomes `trigger.body`.") | {
    "parameters": _PATH
}


class WebhookJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """The execution that a webhook has started; with its ``outputs`` if the webhook waits for its end."""

    tenant_id: str
    id: str
    namespace: str
    flow_id: str
    flow_revision: int
    labels: list[Label]
    state: StateJson
    url: str
    trigger: ExecutionTrigger | None = None
    outputs: dict[str, JsonValue] | None = None


class GatheredJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A delivery that was kept for a batch: it waits as ``eventId``, or is a part of ``executionId``."""

    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str
    event_id: str | None = None
    execution_id: str | None = None


async def receive_webhook(request: Request) -> Response:
    """Start an execution by the key of a webhook.

    It needs no credentials. The answer comes when the start is committed, or, if the webhook waits, when the
    execution has ended. A webhook that gathers requests answers with 202 when the request is kept.
    """
    services = await services_of(request)
    webhooks = services.webhooks
    names = ("tenant", "namespace", "flowId", "key")
    tenant, namespace, flow_id, key = (request.path_params[name] for name in names)
    flow, trigger = await webhooks.find(tenant, namespace, flow_id, key)
    try:
        delivery = await webhooks.receive(request, flow, trigger)
    except NotWanted:
        return no_content()
    if trigger.batch is not None:
        return _answer_gathered(delivery, await webhooks.gather(delivery, trigger.batch))
    if not trigger.wait:
        return _answer(services, request, await webhooks.start(delivery))
    with services.feed.listen(delivery.execution.id) as listener:
        started = await webhooks.start(delivery)
        if started.id == delivery.execution.id:
            if not await wait_for_end(request, listener):
                return Response(status_code=499)
        else:
            return await _answer_again(request, services, delivery, started)
    return await _answer_ended(request, services, delivery, started.id)


async def refuse_further_path(request: Request) -> Response:
    """Answer with 404: the address of a webhook ends with its key.

    Kestra has this address for triggers of other types, of which there are none here.
    """
    further = request.path_params["path"]
    raise not_found(f"the address of a webhook ends with its key, without `/{further}`")


def _answer_gathered(delivery: Delivery, kept: Kept) -> Response:
    execution = delivery.execution
    shown = GatheredJson(
        tenant_id=execution.tenant_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        trigger_id=delivery.trigger.id,
        event_id=kept.event_id,
        execution_id=kept.execution_id,
    )
    return JsonResponse(shown, 202)


async def _answer_again(
    request: Request, services: WebServices, delivery: Delivery, first: Execution
) -> Response:
    """Answer a delivery that came again as the first one was, or is going to be."""
    with services.feed.listen(first.id) as listener:
        now = await find_header(services, first.tenant_id, first.id)
        if not now.state.current.is_terminated and not await wait_for_end(request, listener):
            return Response(status_code=499)
    return await _answer_ended(request, services, delivery, first.id)


async def _answer_ended(
    request: Request, services: WebServices, delivery: Delivery, execution_id: str
) -> Response:
    execution = await find_header(services, delivery.execution.tenant_id, execution_id)
    trigger = delivery.trigger
    code = await services.webhooks.response_code(delivery, execution_id)
    if code is None:
        code = 500 if execution.state.current is StateType.FAILED else 200
    if trigger.return_outputs:
        return _outputs(trigger, await _whole_outputs(services, execution), code)
    return _answer(services, request, execution, code)


async def _whole_outputs(services: WebServices, execution: Execution) -> dict[str, JsonValue]:
    """The outputs of the flow, those read back that are kept in the storage."""
    files = services.storage.for_tenant(execution.tenant_id)
    limit = services.settings.limits.max_flow_outputs
    outputs: dict[str, JsonValue] = {}
    for name, value in (execution.outputs or {}).items():
        stored = stored_value(value)
        outputs[name] = value if stored is None else msgspec.json.decode(await files.read(stored.uri, limit))
    return outputs


def _outputs(trigger: Webhook, outputs: dict[str, JsonValue], code: int) -> Response:
    """The outputs of the flow; as plain text, the one output by itself if it is a text."""
    if trigger.response_content_type == "text/plain":
        values = list(outputs.values())
        if len(values) == 1 and isinstance(values[0], str):
            return Response(values[0], code, media_type="text/plain")
        return Response(msgspec.json.encode(outputs), code, media_type="text/plain")
    return JsonResponse(outputs, code)


def _answer(services: WebServices, request: Request, execution: Execution, code: int = 200) -> Response:
    shown = WebhookJson(
        tenant_id=execution.tenant_id,
        id=execution.id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        flow_revision=execution.flow_revision,
        labels=execution.labels,
        state=state_json(execution.state),
        url=execution_url(services, request, execution),
        trigger=execution.trigger,
        outputs=execution.outputs,
    )
    return JsonResponse(shown, code)


for _method in ("Get", "Post", "Put"):
    router.add_api_route(
        "/{namespace}/{flowId}/{key}",
        receive_webhook,
        methods=[_method.upper()],
        responses={**answers(WebhookJson), **answers(GatheredJson, 202, "Kept for a batch")},
        operation_id=f"triggerExecutionBy{_method}Webhook",
        openapi_extra=_DOCUMENTED,
    )
    router.add_api_route(
        "/{namespace}/{flowId}/{key}/{path:path}",
        refuse_further_path,
        methods=[_method.upper()],
        responses=answers(ErrorJson, 404, "Always: no trigger takes a further path"),
        operation_id=f"triggerExecutionBy{_method}WebhookWithPath",
        openapi_extra={"parameters": [*_PATH, path_parameter("path", "What stands behind the key.")]},
    )
