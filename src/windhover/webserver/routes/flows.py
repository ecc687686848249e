"""Creating, reading, changing, checking and searching flows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from msgspec.structs import replace
from starlette.responses import Response

from windhover.engine.messages import FlowChanged
from windhover.model.execution import JsonValue
from windhover.model.flow import TASK_LISTS, Flow
from windhover.plugin.parsing import ParsedFlow
from windhover.repository.errors import FlowConflict
from windhover.repository.filters import TextMatch
from windhover.repository.flows import FlowQuery, FlowRecord
from windhover.webserver.bodies import read_text
from windhover.webserver.errors import ErrorDetail, bad_request, invalid_entity, not_found
from windhover.webserver.execution_access import find_flow
from windhover.webserver.flow_filters import FLOW_FILTERS, flow_query, flow_sort
from windhover.webserver.flow_sources import documents, parse, validate
from windhover.webserver.openapi import answers, answers_nothing, takes
from windhover.webserver.parameters import (
    MAX_NUMBER,
    FlowId,
    Namespace,
    PageNumber,
    PageSize,
    Revision,
    Services,
    Sort,
    Tenant,
    paging,
)
from windhover.webserver.responses import JsonResponse, no_content
from windhover.webserver.services import WebServices
from windhover.webserver.wire.flows import (
    FlowJson,
    FlowPageJson,
    SourceHitPageJson,
    ValidationJson,
    flow_json,
    record_json,
)

router = APIRouter(prefix="/api/v1/{tenant}/flows", tags=["Flows"])

_YAML: dict[str, Any] = takes("application/x-yaml", {"type": "string"}, description="The YAML of the flow.")
#: Documents of one text are checked one after the other, so their number is bounded through their size.
_SOURCES_AT_ONCE = 50
_FLOWS_AT_ONCE = 500
_MAX_FRAGMENTS = 10

BaseRevision = Annotated[
    int | None,
    Query(
        alias="baseRevision", ge=0, le=MAX_NUMBER, description="The revision that the change was made from."
    ),
]


@router.post("", responses=answers(FlowJson), operation_id="createFlow", openapi_extra=_YAML)
async def create_flow(request: Request, services: Services, tenant: Tenant) -> Response:
    """Create a flow from its YAML; 422 when it is invalid or exists already."""
    parsed = await parse(services, await _source(request, services))
    try:
        flow = await save(services, tenant, parsed, base_revision=0)
    except FlowConflict:
        problem = "flow.id: Flow id already exists"
        raise invalid_entity(problem, [ErrorDetail("Flow id already exists", "flow.id")]) from None
    return _saved(flow, parsed.source)


@router.post(
    "/validate", responses=answers(list[ValidationJson]), operation_id="validateFlows", openapi_extra=_YAML
)
async def validate_flows(request: Request, services: Services, tenant: Tenant) -> Response:
    """Check flows without saving them: one result for each document of the YAML."""
    text = await _source(request, services, _SOURCES_AT_ONCE)
    results = [
        await validate(services, tenant, index, source) for index, source in enumerate(documents(text))
    ]
    return JsonResponse(results)


@router.get(
    "/search", responses=answers(FlowPageJson), operation_id="searchFlows", openapi_extra=FLOW_FILTERS
)
async def search_flows(
    request: Request,
    services: Services,
    tenant: Tenant,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """Search flows by `q`, `namespace`, `labels` or `filters[field][OPERATION]=value`."""
    query = flow_query(
        tenant, request.query_params, services.clock(), services.settings.execution.system_namespace
    )
    key, descending = flow_sort(sort)
    found = await services.flows.search(
        replace(query, sort=key, descending=descending, paging=paging(page, size))
    )
    return JsonResponse({"results": await shown(services, found.results), "total": found.total})


@router.get(
    "/source",
    responses=answers(SourceHitPageJson),
    operation_id="searchFlowsBySourceCode",
    openapi_extra=FLOW_FILTERS,
)
async def search_flow_sources(
    request: Request,
    services: Services,
    tenant: Tenant,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
    q: Annotated[str | None, Query(description="Text that occurs in the YAML.")] = None,
) -> Response:
    """Search the YAML of flows; hits are marked `[mark]…[/mark]`."""
    query = flow_query(
        tenant, request.query_params, services.clock(), services.settings.execution.system_namespace
    )
    key, descending = flow_sort(sort)
    found = await services.flows.search_source(
        replace(query, sort=key, descending=descending, paging=paging(page, size))
    )
    models = await shown(services, found.results)
    results = [
        {"model": model, "fragments": _fragments(record.source, q)}
        for model, record in zip(models, found.results, strict=True)
    ]
    return JsonResponse({"results": results, "total": found.total})


@router.get("/distinct-namespaces", responses=answers(list[str]), operation_id="listDistinctNamespaces")
async def list_distinct_namespaces(
    services: Services, tenant: Tenant, q: Annotated[str | None, Query()] = None
) -> Response:
    """The namespaces that hold flows."""
    namespaces = await services.flows.namespaces(tenant)
    return JsonResponse([name for name in namespaces if not q or q.lower() in name.lower()])


@router.get("/{namespace}", responses=answers(list[FlowJson]), operation_id="listFlowsByNamespace")
async def list_flows(services: Services, tenant: Tenant, namespace: Namespace) -> Response:
    """All flows of a namespace, without those of the namespaces below it."""
    query = FlowQuery(tenant, namespace=(TextMatch.equal(namespace),))
    records = [record async for record in all_flows(services, query)]
    return JsonResponse(await shown(services, records))


@router.get("/{namespace}/{flowId}", responses=answers(FlowJson), operation_id="getFlow")
async def get_flow(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    source: Annotated[bool, Query(description="With the YAML.")] = False,
    revision: Revision = None,
    allow_deleted: Annotated[bool, Query(alias="allowDeleted")] = False,
) -> Response:
    """One flow, in its latest or any revision."""
    record = await services.flows.get(tenant, namespace, flow_id, revision, allow_deleted=allow_deleted)
    if record is None:
        raise _unknown(namespace, flow_id)
    return JsonResponse(
        record_json(services.definitions, record, source=source), headers={"ETag": f'"{record.revision}"'}
    )


@router.put(
    "/{namespace}/{flowId}", responses=answers(FlowJson), operation_id="updateFlow", openapi_extra=_YAML
)
async def update_flow(
    request: Request,
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    base_revision: BaseRevision = None,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="The ETag of that revision.")
    ] = None,
) -> Response:
    """Save a new revision of a flow.

    With `baseRevision`, or the ETag of a read in `If-Match`, a change that someone else has saved meanwhile
    is not lost: the answer is 409.
    """
    text = await _source(request, services)
    base = base_revision if base_revision is not None else _etag_revision(if_match)
    if await services.flows.get(tenant, namespace, flow_id) is None:
        raise _unknown(namespace, flow_id)
    parsed = await parse(services, text)
    mismatches = [
        ErrorDetail(f"Illegal flow {name} update", f"flow.{name}")
        for name, written, expected in (
            ("namespace", parsed.flow.namespace, namespace),
            ("id", parsed.flow.id, flow_id),
        )
        if written != expected
    ]
    if mismatches:
        raise invalid_entity(", ".join(f"{one.path}: {one.message}" for one in mismatches), mismatches)
    return _saved(await save(services, tenant, parsed, base), parsed.source)


@router.delete(
    "/{namespace}/{flowId}", status_code=204, responses=answers_nothing(), operation_id="deleteFlow"
)
async def delete_flow(services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId) -> Response:
    """Delete a flow. Its revisions and executions stay."""
    if not await delete(services, tenant, namespace, flow_id):
        raise _unknown(namespace, flow_id)
    return no_content()


@router.get(
    "/{namespace}/{flowId}/revisions", responses=answers(list[FlowJson]), operation_id="listFlowRevisions"
)
async def list_revisions(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    allow_delete: Annotated[bool, Query(alias="allowDelete", description="Also of a deleted flow.")] = False,
) -> Response:
    """All revisions of a flow with their YAML, the oldest first."""
    records = await services.flows.revisions(tenant, namespace, flow_id)
    if not records or (records[-1].deleted and not allow_delete):
        raise _unknown(namespace, flow_id)
    return JsonResponse(await shown(services, records, source=True))


@router.delete(
    "/{namespace}/{flowId}/revisions", responses=answers_nothing(200), operation_id="deleteRevisions"
)
async def delete_revisions(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    revisions: Annotated[list[int], Query(description="The revisions to forget; may be repeated.")],
) -> Response:
    """Forget old revisions for good; the latest cannot be forgotten."""
    await services.flows.delete_revisions(tenant, namespace, flow_id, revisions)
    return Response(status_code=200)


@router.get(
    "/{namespace}/{flowId}/tasks/{taskId}", responses=answers(dict[str, Any]), operation_id="getTaskFromFlow"
)
async def get_task(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    task_id: Annotated[str, Path(alias="taskId", description="The id of a task.")],
    revision: Revision = None,
) -> Response:
    """One task of a flow, at whatever depth it stands."""
    flow = await find_flow(services, tenant, namespace, flow_id, revision)
    shown = flow.to_json()
    task = _find_task([shown.get(name) for name in TASK_LISTS], task_id)
    if task is None:
        raise not_found(f"Flow '{namespace}.{flow_id}' has no task '{task_id}'")
    return JsonResponse(task)


async def save(
    services: WebServices, tenant: str, parsed: ParsedFlow, base_revision: int | None = None
) -> Flow:
    """Store a checked flow and tell the other components.

    Raises:
        FlowConflict: the flow is at another revision than ``base_revision`` (0: it must be new).
    """
    flow = await services.definitions.save(tenant, parsed, base_revision)
    announce(services, tenant, flow.namespace, flow.id, flow.revision or 0)
    return flow


async def delete(services: WebServices, tenant: str, namespace: str, flow_id: str) -> bool:
    """Delete a flow and tell the other components; False when there is none."""
    record = await services.flows.delete(tenant, namespace, flow_id, services.clock())
    if record is None:
        return False
    announce(services, tenant, namespace, flow_id, record.revision)
    return True


async def shown(
    services: WebServices, records: Sequence[FlowRecord], *, source: bool = False
) -> list[dict[str, JsonValue]]:
    """Stored revisions as the API shows them; reading one takes a while, so others get their turn."""
    found = []
    for record in records:
        found.append(record_json(services.definitions, record, source=source))
        await asyncio.sleep(0)
    return found


async def all_flows(services: WebServices, query: FlowQuery) -> AsyncIterator[FlowRecord]:
    """All flows that meet the conditions, page by page."""
    number = 1
    while True:
        page = await services.flows.search(replace(query, paging=paging(number, _FLOWS_AT_ONCE)))
        for record in page.results:
            yield record
        if number * _FLOWS_AT_ONCE >= page.total:
            return
        number += 1


def _find_task(place: JsonValue, task_id: str) -> JsonValue:
    """The task of this id as it is written, wherever it stands; None when there is none."""
    if isinstance(place, dict):
        if place.get("id") == task_id and "type" in place:
            return place
        place = list(place.values())
    if isinstance(place, list):
        return next((found for one in place if (found := _find_task(one, task_id)) is not None), None)
    return None


def announce(services: WebServices, tenant: str, namespace: str, flow_id: str, revision: int) -> None:
    """Tell the other components to look at a flow again."""
    services.queue.broadcasts.publish(FlowChanged(tenant, namespace, flow_id, revision))


def _saved(flow: Flow, source: str) -> Response:
    return JsonResponse(flow_json(flow, source), headers={"ETag": f'"{flow.revision}"'})


async def _source(request: Request, services: WebServices, documents: int = 1) -> str:
    limit = services.settings.limits.max_flow_source * documents
    return await read_text(request, limit, "The source of the flow")


def _etag_revision(etag: str | None) -> int | None:
    if etag is None or etag.strip() == "*":
        return None
    number = etag.strip().removeprefix("W/").strip('"')
    if not number.isdecimal():
        raise bad_request(f"`If-Match: {etag}` names no revision; use the ETag of the flow as it was read.")
    return int(number)


def _unknown(namespace: str, flow_id: str) -> Exception:
    return not_found(f"Flow '{namespace}.{flow_id}' not found")


def _fragments(source: str, text: str | None) -> list[str]:
    """The lines in which a text occurs, with it marked."""
    if not text:
        return []
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    hits = (line for line in source.splitlines() if pattern.search(line))
    return [
        pattern.sub(lambda hit: f"[mark]{hit.group()}[/mark]", line) for line in islice(hits, _MAX_FRAGMENTS)
    ]
