"""What the routes of triggers and of backfills share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.repository.triggers import TriggerQuery
from windhover.util.ids import new_id
from windhover.webserver.bodies import MAX_JSON_BYTES, decode_json, read_body, read_json
from windhover.webserver.execution_bulk import OperationJson
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import Services, Tenant
from windhover.webserver.query_filters import Filter, FilterJson, body_filters
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices
from windhover.webserver.trigger_actions import AT_ONCE, TriggerActions
from windhover.webserver.trigger_filters import TRIGGER_FILTERS, trigger_query
from windhover.webserver.wire.triggers import TriggerAndStateJson, TriggerStateJson, state_json


class TriggerIdJson(msgspec.Struct, rename="camel"):
    """Which trigger."""

    namespace: str
    flow_id: str
    trigger_id: str


class FiltersJson(msgspec.Struct):
    """Filters in a body: what a bulk action on all triggers that a search finds may be given as well."""

    filters: list[FilterJson] = []


def add_bulk(
    router: APIRouter,
    path: str,
    operation: str,
    verb: str,
    act: Callable[[TriggerActions, Sequence[TriggerState]], Awaitable[int]],
    *,
    method: str = "POST",
) -> None:
    """Two routes that do the same to the triggers of a list, and to all that a search finds."""

    async def by_ids(services: Services, tenant: Tenant, request: Request) -> Response:
        wanted = await read_json(request, list[TriggerIdJson])
        actions = TriggerActions(services, tenant)
        return await do_all(actions, [key_of(actions, each) for each in wanted], partial(act, actions))

    async def by_query(services: Services, tenant: Tenant, request: Request) -> Response:
        actions = TriggerActions(services, tenant)
        keys = await keys_found(services, actions, tenant, request)
        return await do_all(actions, keys, partial(act, actions))

    by_ids.__doc__ = f"{verb} several triggers."
    by_query.__doc__ = f"{verb} all triggers that a search finds."
    router.add_api_route(
        f"{path}/by-triggers",
        by_ids,
        methods=[method],
        responses=answers(OperationJson, 202),
        operation_id=f"{operation}ByIds",
        openapi_extra=takes("application/json", list[TriggerIdJson]),
    )
    router.add_api_route(
        f"{path}/by-query",
        by_query,
        methods=[method],
        responses=answers(OperationJson, 202),
        operation_id=f"{operation}ByQuery",
        openapi_extra={**TRIGGER_FILTERS, **takes("application/json", FiltersJson, required=False)},
    )


def key_of(actions: TriggerActions, wanted: TriggerIdJson) -> TriggerKey:
    return actions.key(wanted.namespace, wanted.flow_id, wanted.trigger_id)


async def keys_found(
    services: WebServices, actions: TriggerActions, tenant: str, request: Request
) -> list[TriggerKey]:
    """The triggers that the filters of a request find, be they in its query string or in its body."""
    body = await read_body(request, MAX_JSON_BYTES)
    more = decode_json(body, FiltersJson).filters if body.strip() else ()
    query = searched(services, tenant, request, body_filters(more))
    return [state.key async for state in actions.matching(query)]


def searched(
    services: WebServices, tenant: str, request: Request, more: Sequence[Filter] = ()
) -> TriggerQuery:
    """What the query string of a request searches for."""
    system_namespace = services.settings.execution.system_namespace
    return trigger_query(tenant, request.query_params, services.clock(), system_namespace, more)


async def do_all(
    actions: TriggerActions,
    keys: Sequence[TriggerKey],
    act: Callable[[Sequence[TriggerState]], Awaitable[int]],
) -> Response:
    """Do something to many triggers, a thousand in a transaction; ``act`` returns how many it was done to."""
    done = 0
    for begin in range(0, len(keys), AT_ONCE):
        done += await act(await actions.states.get_all(keys[begin : begin + AT_ONCE]))
    return JsonResponse(OperationJson(new_id(), len(keys), done), 202)


async def answer_state(services: WebServices, actions: TriggerActions, key: TriggerKey) -> Response:
    return JsonResponse(await shown_state(services, actions, await actions.state(key)))


async def shown_state(
    services: WebServices, actions: TriggerActions, state: TriggerState
) -> TriggerStateJson:
    found = await actions.definition(state.key)
    return await _state(services, actions, state, None if found is None else found[1])


async def _state(
    services: WebServices, actions: TriggerActions, state: TriggerState, definition: Trigger | None
) -> TriggerStateJson:
    stored = await actions.backfills.active(state.key)
    return state_json(state, definition, None if stored is None else stored.backfill, services.clock())


async def with_definition(
    services: WebServices, actions: TriggerActions, state: TriggerState
) -> TriggerAndStateJson:
    found = await actions.definition(state.key)
    if found is None:
        shown = await _state(services, actions, state, None)
        return TriggerAndStateJson(shown, shown)
    flow, trigger = found
    shown = await _state(services, actions, state, trigger)
    written = _written(flow, trigger.id)
    return TriggerAndStateJson(shown, shown, written, written)


def _written(flow: Flow, trigger_id: str) -> dict[str, Any]:
    """A trigger as its flow writes it."""
    written: list[dict[str, Any]] = flow.to_json()["triggers"]
    return next(each for each in written if each["id"] == trigger_id)
