"""Backfills: dates of a schedule that are run after the fact."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from windhover.webserver.bodies import read_json
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import FlowId, Namespace, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.trigger_actions import BackfillRequest, TriggerActions
from windhover.webserver.trigger_views import TriggerIdJson, add_bulk, answer_state, key_of
from windhover.webserver.wire.dates import instant
from windhover.webserver.wire.triggers import (
    BackfillJson,
    DateJson,
    DatesJson,
    TriggerStateJson,
    backfill_json,
)

router = APIRouter(prefix="/api/v1/{tenant}/triggers", tags=["Triggers"])

TriggerId = Annotated[str, Path(alias="triggerId", description="The id of a trigger.")]
Count = Annotated[int, Query(ge=1, le=10_000, description="How many dates, at most.")]


class CreateBackfillJson(TriggerIdJson):
    """A schedule and the dates of it that are to be run."""

    backfill: BackfillRequest


@router.put(
    "/backfill/create",
    responses=answers(TriggerStateJson),
    operation_id="createBackfill",
    openapi_extra=takes("application/json", CreateBackfillJson),
)
async def create_backfill(services: Services, tenant: Tenant, request: Request) -> Response:
    """Run dates of a schedule that have passed. The live schedule goes on beside it."""
    wanted = await read_json(request, CreateBackfillJson)
    actions = TriggerActions(services, tenant)
    key = key_of(actions, wanted)
    await actions.create_backfill(key, wanted.backfill)
    return await answer_state(services, actions, key)


@router.post(
    "/backfill/preview",
    responses=answers(DatesJson),
    operation_id="previewBackfill",
    openapi_extra=takes("application/json", CreateBackfillJson),
)
async def preview_backfill(
    services: Services, tenant: Tenant, request: Request, count: Count = 1000
) -> Response:
    """The dates that a backfill would run, without running them."""
    wanted = await read_json(request, CreateBackfillJson)
    actions = TriggerActions(services, tenant)
    key = key_of(actions, wanted)
    trigger, calendar = await actions.schedule(key)
    dates = await actions.preview(key, wanted.backfill, count + 1)
    shown = [DateJson(instant(date), calendar.tell(date).isoformat()) for date in dates[:count]]
    return JsonResponse(DatesJson(str(trigger.timezone or actions.zone), shown, len(dates) > count))


@router.put(
    "/backfill/pause",
    responses=answers(TriggerStateJson),
    operation_id="pauseBackfill",
    openapi_extra=takes("application/json", TriggerIdJson),
)
async def pause_backfill(services: Services, tenant: Tenant, request: Request) -> Response:
    """Pause a backfill."""
    actions = TriggerActions(services, tenant)
    key = key_of(actions, await read_json(request, TriggerIdJson))
    await actions.change_backfill(key, actions.pausing(True))
    return await answer_state(services, actions, key)


@router.put(
    "/backfill/unpause",
    responses=answers(TriggerStateJson),
    operation_id="unpauseBackfill",
    openapi_extra=takes("application/json", TriggerIdJson),
)
async def unpause_backfill(services: Services, tenant: Tenant, request: Request) -> Response:
    """Go on with a backfill that was paused."""
    actions = TriggerActions(services, tenant)
    key = key_of(actions, await read_json(request, TriggerIdJson))
    await actions.change_backfill(key, actions.pausing(False))
    return await answer_state(services, actions, key)


@router.post(
    "/backfill/delete",
    responses=answers(TriggerStateJson),
    operation_id="deleteBackfill",
    openapi_extra=takes("application/json", TriggerIdJson),
)
async def delete_backfill(services: Services, tenant: Tenant, request: Request) -> Response:
    """End a backfill; the executions that it started go on."""
    actions = TriggerActions(services, tenant)
    key = key_of(actions, await read_json(request, TriggerIdJson))
    await actions.change_backfill(key, actions.ending())
    return await answer_state(services, actions, key)


@router.get(
    "/{namespace}/{flowId}/{triggerId}/backfills",
    responses=answers(list[BackfillJson]),
    operation_id="listBackfills",
)
async def list_backfills(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId, trigger_id: TriggerId
) -> Response:
    """All backfills of a schedule, the oldest first, those that have ended too."""
    actions = TriggerActions(services, tenant)
    found = await actions.backfills.all_of(actions.key(namespace, flow_id, trigger_id))
    return JsonResponse([backfill_json(backfill) for backfill in found])


add_bulk(
    router,
    "/backfill/delete",
    "deleteBackfill",
    "End the backfills of",
    lambda actions, states: actions.change_backfills(states, actions.ending()),
)
add_bulk(
    router,
    "/backfill/pause",
    "pauseBackfill",
    "Pause the backfills of",
    lambda actions, states: actions.change_backfills(states, actions.pausing(True)),
)
add_bulk(
    router,
    "/backfill/unpause",
    "unpauseBackfill",
    "Go on with the backfills of",
    lambda actions, states: actions.change_backfills(states, actions.pausing(False)),
)
