"""Triggers: what the server knows of them, and what can be done to them and their backfills."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from msgspec.structs import replace
from starlette.responses import Response, StreamingResponse

from windhover.plugin.trigger import RecoverMissedSchedules
from windhover.repository.filters import TextMatch, TextOperator
from windhover.repository.triggers import TriggerQuery
from windhover.webserver.bodies import read_json
from windhover.webserver.csv_lines import csv_line
from windhover.webserver.execution_bulk import OperationJson
from windhover.webserver.openapi import answers, answers_nothing, answers_with, takes
from windhover.webserver.parameters import (
    FlowId,
    Namespace,
    PageNumber,
    PageSize,
    Services,
    Sort,
    Tenant,
    paging,
)
from windhover.webserver.responses import JsonResponse
from windhover.webserver.trigger_actions import BackfillRequest, TriggerActions
from windhover.webserver.trigger_filters import TRIGGER_FILTERS, trigger_sort
from windhover.webserver.trigger_views import (
    TriggerIdJson,
    add_bulk,
    answer_state,
    do_all,
    key_of,
    keys_found,
    searched,
    shown_state,
    with_definition,
)
from windhover.webserver.wire.dates import instant
from windhover.webserver.wire.triggers import (
    DateJson,
    DatesJson,
    TriggerAndStateJson,
    TriggerAndStatePageJson,
    TriggerStateJson,
    TriggerStatePageJson,
)

router = APIRouter(prefix="/api/v1/{tenant}/triggers", tags=["Triggers"])

TriggerId = Annotated[str, Path(alias="triggerId", description="The id of a trigger.")]
Count = Annotated[int, Query(ge=1, le=10_000, description="How many dates, at most.")]

_CSV_COLUMNS = (
    "namespace",
    "flowId",
    "triggerId",
    "kind",
    "disabled",
    "locked",
    "health",
    "lastTriggeredDate",
    "nextExecutionDate",
    "executionId",
    "workerId",
    "updatedDate",
)


class SetDisabledJson(TriggerIdJson):
    """A trigger to disable or enable. ``recoverMissedSchedules`` says what of the past is made up for."""

    disabled: bool
    recover_missed_schedules: RecoverMissedSchedules | None = None


class SetDisabledManyJson(msgspec.Struct, rename="camel"):
    """Triggers to disable or enable."""

    triggers: list[TriggerIdJson]
    disabled: bool
    recover_missed_schedules: RecoverMissedSchedules | None = None


class UpdateTriggerJson(TriggerIdJson):
    """What is to be changed of a trigger, as older clients say it."""

    disabled: bool | None = None
    backfill: BackfillRequest | None = None


# ---------------------------------------------------------------- reading


@router.get(
    "/search",
    responses=answers(TriggerAndStatePageJson),
    operation_id="searchTriggers",
    openapi_extra=TRIGGER_FILTERS,
)
async def search_triggers(
    services: Services,
    tenant: Tenant,
    request: Request,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """The triggers of all flows that are scheduled, poll or listen, page by page."""
    actions = TriggerActions(services, tenant)
    order, descending = trigger_sort(sort)
    query = searched(services, tenant, request)
    found = await actions.states.search(
        replace(query, sort=order, descending=descending, paging=paging(page, size))
    )
    results = [await with_definition(services, actions, state) for state in found.results]
    return JsonResponse(TriggerAndStatePageJson(results, found.total))


@router.get(
    "/export/by-query/csv",
    responses=answers_with("text/csv", "The triggers, a line each."),
    operation_id="exportTriggers",
    openapi_extra=TRIGGER_FILTERS,
)
async def export_triggers(services: Services, tenant: Tenant, request: Request) -> Response:
    """The triggers that a search finds, as comma-separated values."""
    actions = TriggerActions(services, tenant)
    query = searched(services, tenant, request)

    async def lines() -> AsyncIterator[str]:
        yield csv_line(_CSV_COLUMNS)
        async for state in actions.matching(query):
            shown = msgspec.to_builtins(await shown_state(services, actions, state))
            yield csv_line([shown.get(name, "") for name in _CSV_COLUMNS])

    headers = {"Content-Disposition": "attachment; filename=triggers.csv"}
    return StreamingResponse(lines(), media_type="text/csv", headers=headers)


@router.get(
    "/{namespace}/{flowId}", responses=answers(TriggerStatePageJson), operation_id="searchTriggersForFlow"
)
async def flow_triggers(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
    q: Annotated[str | None, Query(description="Text that ids of triggers contain.")] = None,
) -> Response:
    """The states of the triggers of one flow, by their ids unless sorted otherwise.

    Its Flow and Webhook triggers come last: no state of them is kept, but what they did tells how they do.
    """
    actions = TriggerActions(services, tenant)
    order, descending = trigger_sort(sort)
    query = TriggerQuery(
        tenant,
        namespace=(TextMatch.equal(namespace),),
        flow_id=(TextMatch.equal(flow_id),),
        trigger_id=(TextMatch(TextOperator.CONTAINS, (q,)),) if q else (),
        sort=order,
        descending=descending,
        paging=paging(page, size),
    )
    found = await actions.states.search(query)
    reacting = await actions.reacting(namespace, flow_id, q)
    first = max(0, query.paging.offset - found.total)
    room = size - len(found.results)
    states = [*found.results, *reacting[first : first + room]]
    shown = [await shown_state(services, actions, state) for state in states]
    return JsonResponse(TriggerStatePageJson(shown, found.total + len(reacting)))


@router.get(
    "/{namespace}/{flowId}/{triggerId}", responses=answers(TriggerAndStateJson), operation_id="getTrigger"
)
async def get_trigger(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId, trigger_id: TriggerId
) -> Response:
    """One trigger and its state."""
    actions = TriggerActions(services, tenant)
    state = await actions.shown(actions.key(namespace, flow_id, trigger_id))
    return JsonResponse(await with_definition(services, actions, state))


@router.get(
    "/{namespace}/{flowId}/{triggerId}/dates", responses=answers(DatesJson), operation_id="getScheduleDates"
)
async def next_dates(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    trigger_id: TriggerId,
    count: Count = 5,
) -> Response:
    """The next dates of a schedule."""
    actions = TriggerActions(services, tenant)
    trigger, dates = await actions.schedule(actions.key(namespace, flow_id, trigger_id))
    found = await actions.upcoming(dates, count + 1)
    shown = [DateJson(instant(date), dates.tell(date).isoformat()) for date in found[:count]]
    return JsonResponse(DatesJson(str(trigger.timezone or actions.zone), shown, len(found) > count))


# ---------------------------------------------------------------- one trigger


@router.put(
    "",
    responses=answers(TriggerStateJson),
    operation_id="updateTrigger",
    openapi_extra=takes("application/json", UpdateTriggerJson),
)
async def update_trigger(services: Services, tenant: Tenant, request: Request) -> Response:
    """Disable or enable a trigger, or begin a backfill of it, as older clients do."""
    wanted = await read_json(request, UpdateTriggerJson)
    actions = TriggerActions(services, tenant)
    key = key_of(actions, wanted)
    state = await actions.state(key)
    if wanted.backfill is not None and await actions.backfills.active(key) is None:
        await actions.create_backfill(key, wanted.backfill)
    if wanted.disabled is not None and wanted.disabled != state.disabled:
        await actions.act(key, actions.set_disabled(wanted.disabled))
    return await answer_state(services, actions, key)


@router.put(
    "/set-disabled",
    responses=answers(TriggerStateJson),
    operation_id="disableTriggerById",
    openapi_extra=takes("application/json", SetDisabledJson),
)
async def set_disabled(services: Services, tenant: Tenant, request: Request) -> Response:
    """Disable or enable a trigger."""
    wanted = await read_json(request, SetDisabledJson)
    actions = TriggerActions(services, tenant)
    key = key_of(actions, wanted)
    await actions.act(key, actions.set_disabled(wanted.disabled, wanted.recover_missed_schedules))
    return await answer_state(services, actions, key)


@router.post(
    "/{namespace}/{flowId}/{triggerId}/unlock",
    responses=answers(TriggerStateJson),
    operation_id="unlockTrigger",
)
async def unlock_trigger(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId, trigger_id: TriggerId
) -> Response:
    """Let a trigger fire though its execution is under way."""
    actions = TriggerActions(services, tenant)
    key = actions.key(namespace, flow_id, trigger_id)
    await actions.act(key, actions.unlock)
    return await answer_state(services, actions, key)


@router.post(
    "/{namespace}/{flowId}/{triggerId}/restart",
    responses=answers(TriggerStateJson),
    operation_id="restartTrigger",
)
async def restart_trigger(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId, trigger_id: TriggerId
) -> Response:
    """Begin anew with a trigger, as if it had just been declared."""
    actions = TriggerActions(services, tenant)
    key = actions.key(namespace, flow_id, trigger_id)
    await actions.act(key, actions.restart)
    return await answer_state(services, actions, key)


@router.delete("/{namespace}/{flowId}/{triggerId}", responses=answers_nothing(), operation_id="deleteTrigger")
async def delete_trigger(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId, trigger_id: TriggerId
) -> Response:
    """Forget the state of a trigger; one that its flow still declares begins anew."""
    actions = TriggerActions(services, tenant)
    await actions.act(actions.key(namespace, flow_id, trigger_id), actions.delete)
    return Response(status_code=204)


# ---------------------------------------------------------------- many triggers


@router.post(
    "/set-disabled/by-triggers",
    responses=answers(OperationJson, 202),
    operation_id="disabledTriggersByIds",
    openapi_extra=takes("application/json", SetDisabledManyJson),
)
async def set_disabled_by_ids(services: Services, tenant: Tenant, request: Request) -> Response:
    """Disable or enable several triggers."""
    wanted = await read_json(request, SetDisabledManyJson)
    actions = TriggerActions(services, tenant)
    action = actions.set_disabled(wanted.disabled, wanted.recover_missed_schedules)
    keys = [key_of(actions, each) for each in wanted.triggers]
    return await do_all(actions, keys, lambda states: actions.act_on_all(states, action))


@router.post(
    "/set-disabled/by-query",
    responses=answers(OperationJson, 202),
    operation_id="disabledTriggersByQuery",
    openapi_extra=TRIGGER_FILTERS,
)
async def set_disabled_by_query(
    services: Services,
    tenant: Tenant,
    request: Request,
    disabled: Annotated[bool, Query(description="Disable them, or enable them.")] = True,
) -> Response:
    """Disable or enable all triggers that a search finds."""
    actions = TriggerActions(services, tenant)
    keys = await keys_found(services, actions, tenant, request)
    action = actions.set_disabled(disabled)
    return await do_all(actions, keys, lambda states: actions.act_on_all(states, action))


add_bulk(
    router,
    "/unlock",
    "unlockTriggers",
    "Unlock",
    lambda actions, states: actions.act_on_all(states, actions.unlock),
)
add_bulk(
    router,
    "/restart",
    "restartTriggers",
    "Begin anew with",
    lambda actions, states: actions.act_on_all(states, actions.restart),
)
add_bulk(
    router,
    "/delete",
    "deleteTriggers",
    "Forget the states of",
    lambda actions, states: actions.act_on_all(states, actions.delete),
    method="DELETE",
)
