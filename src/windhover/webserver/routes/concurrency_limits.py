"""The concurrency limits of flows: who runs under them, who waits.

Nothing is counted here: who holds a slot follows from the executions that are under way.

Documentation page: ``docs/concurrency.md``.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from windhover.model.concurrency import ConcurrencyBehavior
from windhover.model.flow import Flow
from windhover.model.state import TERMINATED, StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.flow_definitions import FlowUnreadable
from windhover.repository.flows import FlowQuery
from windhover.webserver.bodies import read_json
from windhover.webserver.errors import bad_request, not_found
from windhover.webserver.execution_access import find_flow
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import FlowId, Namespace, Services, Tenant, paging
from windhover.webserver.responses import JsonResponse
from windhover.webserver.routes.flows import announce
from windhover.webserver.services import WebServices

router = APIRouter(prefix="/api/v1/{tenant}/concurrency-limit", tags=["Flows"])

#: What a flow with a limit has in its source.
_KEYWORD = "concurrency"
_FLOWS_AT_ONCE = 500

_WAITING = (StateType.CREATED, StateType.QUEUED)

#: Kinds of executions that take part in limits; those of the kind TEST do not.
_COUNTED_KINDS = ("PLAYGROUND", "LOOP")


class ConcurrencyLimitJson(msgspec.Struct, rename="camel"):
    """The limit of a flow, how many executions run under it, and how many wait."""

    tenant_id: str
    namespace: str
    flow_id: str
    running: int
    queued: int
    limit: int
    behavior: ConcurrencyBehavior


class ConcurrencyLimitsJson(msgspec.Struct):
    """All flows with a limit."""

    results: list[ConcurrencyLimitJson]
    total: int


class ConcurrencyLimitRequest(msgspec.Struct, rename="camel"):
    """What clients send of a limit. The flow is that of the path, and nobody can set what is derived."""

    namespace: str | None = None
    flow_id: str | None = None
    running: int | None = None


@router.get("/search", responses=answers(ConcurrencyLimitsJson), operation_id="searchConcurrencyLimits")
async def search_limits(services: Services, tenant: Tenant) -> Response:
    """The flows with a concurrency limit, sorted by namespace and id."""
    results = await _shown(services, tenant, await _limited_flows(services, tenant))
    return JsonResponse(ConcurrencyLimitsJson(results, len(results)))


@router.put(
    "/{namespace}/{flowId}",
    responses=answers(ConcurrencyLimitJson),
    operation_id="updateConcurrencyLimit",
    openapi_extra=takes("application/json", ConcurrencyLimitRequest),
)
async def look_at_limit(
    request: Request, services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId
) -> Response:
    """Have the executor look at a queue again, and answer with who runs and who waits.

    `running` of the body is not taken: it is not a counter that could be wrong.
    """
    given = await read_json(request, ConcurrencyLimitRequest)
    if given.namespace not in (None, namespace) or given.flow_id not in (None, flow_id):
        raise bad_request("The body is about another flow than the path.")
    flow = await find_flow(services, tenant, namespace, flow_id)
    if flow.concurrency is None:
        raise not_found(f"Flow '{namespace}.{flow_id}' has no concurrency limit")
    announce(services, tenant, namespace, flow_id, flow.revision or 1)
    (limit,) = await _shown(services, tenant, [flow])
    return JsonResponse(limit)


async def _limited_flows(services: WebServices, tenant: str) -> list[Flow]:
    flows: list[Flow] = []
    number = 1
    while True:
        query = FlowQuery(tenant, text=_KEYWORD, paging=paging(number, _FLOWS_AT_ONCE))
        records = (await services.flows.search_source(query)).results
        for record in records:
            try:
                flow = services.definitions.read(record)
            except FlowUnreadable:
                continue  # It cannot be started, so nothing of it runs.
            if flow.concurrency is not None:
                flows.append(flow)
        if len(records) < _FLOWS_AT_ONCE:
            return sorted(flows, key=lambda flow: (flow.namespace, flow.id))
        number += 1


async def _shown(services: WebServices, tenant: str, flows: list[Flow]) -> list[ConcurrencyLimitJson]:
    under_way = ExecutionQuery(
        tenant,
        excluded_states=(*TERMINATED, *_WAITING),
        kinds=_COUNTED_KINDS,
        without_kind=True,
    )
    running = await services.executions.count_by_flow(under_way)
    queued = await services.executions.count_by_flow(ExecutionQuery(tenant, states=(StateType.QUEUED,)))
    return [
        ConcurrencyLimitJson(
            tenant_id=tenant,
            namespace=flow.namespace,
            flow_id=flow.id,
            running=running.get((flow.namespace, flow.id), 0),
            queued=queued.get((flow.namespace, flow.id), 0),
            limit=flow.concurrency.limit,
            behavior=flow.concurrency.behavior,
        )
        for flow in flows
        if flow.concurrency is not None
    ]
