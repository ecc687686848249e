"""Starting, reading, searching and deleting executions.

The start is the hot path: it reads the raw request, streams files of a multipart body into the storage
and encodes its answer with msgspec, so FastAPI only routes, reads the query and documents it.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec.structs import replace
from starlette.responses import Response

from windhover.engine.messages import DeleteExecution, KillExecution
from windhover.model.execution import Execution
from windhover.model.state import StateType
from windhover.repository.execution_query import ExecutionQuery, ExecutionSort, SortBy
from windhover.repository.filters import TextMatch
from windhover.repository.flows import FlowQuery
from windhover.util.ids import new_id
from windhover.webserver.authentication import actor_of
from windhover.webserver.bodies import read_json
from windhover.webserver.commands import ask
from windhover.webserver.errors import bad_request, conflict, unavailable
from windhover.webserver.execution_access import find_execution, find_flow, find_header
from windhover.webserver.execution_filters import EXECUTION_FILTERS, execution_query, execution_sort
from windhover.webserver.execution_start import (
    GivenInputs,
    StartOptions,
    check,
    prepare_execution,
    read_breakpoints,
    read_fixtures,
    read_given_inputs,
    read_labels,
    resolve,
    start,
)
from windhover.webserver.execution_waiting import execution_url, wait_for_end
from windhover.webserver.openapi import (
    answers,
    answers_nothing,
    path_parameter,
    query_parameter,
    takes,
)
from windhover.webserver.parameters import (
    MAX_PAGE_SIZE,
    ExecutionId,
    FlowId,
    Namespace,
    PageNumber,
    PageSize,
    Revision,
    Services,
    Sort,
    Tenant,
    paging,
    read_date,
    read_flag,
    read_number,
)
from windhover.webserver.responses import JsonResponse, no_content
from windhover.webserver.services import WebServices, services_of
from windhover.webserver.wire.dates import instant
from windhover.webserver.wire.executions import (
    ExecutionJson,
    ExecutionPageJson,
    LastExecutionJson,
    execution_json,
)
from windhover.webserver.wire.flows import FlowJson, flow_json, record_json
from windhover.webserver.wire.inputs import InputsCheckJson, inputs_check_json

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

_FORM = {
    "type": "object",
    "description": "One field for each input, a file for an input of type FILE.",
    "additionalProperties": {"type": "string"},
}


#: Declared by hand: reading them through FastAPI would double what a start costs.
_START = takes("multipart/form-data", _FORM, required=False, description="The inputs.") | {
    "parameters": [
        path_parameter("tenant", "The tenant; `main` unless there are several."),
        path_parameter("namespace", "A namespace, such as `company.team`."),
        path_parameter("flowId", "The id of a flow."),
        query_parameter("labels", "`key:value`; may be repeated.", "array"),
        query_parameter("wait", "Answer when the execution has ended.", "boolean"),
        query_parameter("revision", "The revision to start; the latest by default.", "integer"),
        query_parameter("scheduleDate", "Start then and not now."),
        query_parameter("kind", "`NORMAL`, `TEST` or `PLAYGROUND`."),
        query_parameter("breakpoints", "Tasks to stop before, `id` or `id.value`, by commas."),
        query_parameter(
            "fixtures", "Tasks that are not run in a `TEST`: JSON maps of `id`, `value`, `state`, `outputs`."
        ),
    ]
}

_KINDS = ("NORMAL", "TEST", "PLAYGROUND")

#: How many executions an average duration is of, at most.
_AVERAGED = 100


class FlowKey(msgspec.Struct, rename="camel"):
    """A flow by its namespace and id."""

    namespace: str
    flow_id: str | None = None
    id: str | None = None


@router.get("", responses=answers(ExecutionPageJson), operation_id="searchExecutionsByFlowId")
async def list_executions(
    services: Services,
    tenant: Tenant,
    namespace: Annotated[str, Query()],
    flow_id: Annotated[str, Query(alias="flowId")],
    page: PageNumber = 1,
    size: PageSize = 10,
) -> Response:
    """List the executions of one flow, the newest first."""
    query = ExecutionQuery(
        tenant,
        namespace=(TextMatch.equal(namespace),),
        flow_id=(TextMatch.equal(flow_id),),
        paging=paging(page, size),
    )
    return await _page(services, query)


@router.get(
    "/search",
    responses=answers(ExecutionPageJson),
    operation_id="searchExecutions",
    openapi_extra=EXECUTION_FILTERS,
)
async def search_executions(
    request: Request,
    services: Services,
    tenant: Tenant,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """Search executions.

    Conditions are written `filters[field][OPERATION]=value`, for labels `filters[labels][EQUALS][key]=value`;
    the older parameters (`q`, `namespace`, `flowId`, `state`, `startDate`, `endDate`, `timeRange`, `labels`,
    `triggerExecutionId`, `childFilter`, `kind`) are understood as well.
    """
    query = execution_query(
        tenant, request.query_params, services.clock(), services.settings.execution.system_namespace
    )
    return await _page(services, replace(query, sort=execution_sort(sort), paging=paging(page, size)))


@router.post(
    "/latest",
    responses=answers(list[LastExecutionJson]),
    operation_id="getLatestExecutions",
    openapi_extra=takes("application/json", list[FlowKey]),
)
async def latest_executions(request: Request, services: Services, tenant: Tenant) -> Response:
    """The last execution of each of the flows named."""
    found = [await _latest(services, tenant, key) for key in await read_json(request, list[FlowKey])]
    return JsonResponse([one for one in found if one is not None])


@router.get(
    "/namespaces/{namespace}/flows/{flowId}/average-duration",
    responses=answers(float | None),
    operation_id="executionAverageDuration",
)
async def average_duration(
    services: Services, tenant: Tenant, namespace: Namespace, flow_id: FlowId
) -> Response:
    """How many seconds the latest successful executions of a flow took, up to a hundred; null without any."""
    query = ExecutionQuery(
        tenant,
        flows=((namespace, flow_id),),
        states=(StateType.SUCCESS,),
        sort=(SortBy(ExecutionSort.START_DATE, descending=True),),
        paging=paging(1, _AVERAGED),
    )
    found = [each.state.duration or 0.0 for each in (await services.executions.search(query)).results]
    return JsonResponse(sum(found) / len(found) if found else None)


@router.get("/namespaces", responses=answers(list[str]), operation_id="listExecutableDistinctNamespaces")
async def list_namespaces(services: Services, tenant: Tenant) -> Response:
    """The namespaces that hold flows which can be executed."""
    return JsonResponse(await services.flows.namespaces(tenant))


@router.get(
    "/namespaces/{namespace}/flows",
    responses=answers(list[FlowJson]),
    operation_id="listFlowExecutionsByNamespace",
)
async def list_flows_to_execute(services: Services, tenant: Tenant, namespace: Namespace) -> Response:
    """The flows of a namespace as whoever may execute them sees them."""
    query = FlowQuery(tenant, namespace=(TextMatch.equal(namespace),), paging=paging(1, MAX_PAGE_SIZE))
    records = (await services.flows.search(query)).results
    return JsonResponse([record_json(services.definitions, record) for record in records])


@router.post("/trigger/{namespace}/{flowId}", include_in_schema=False)
@router.post(
    "/{namespace}/{flowId}",
    responses=answers(ExecutionJson),
    operation_id="createExecution",
    openapi_extra=_START,
)
async def create_execution(request: Request) -> Response:
    """Start an execution of a flow.

    Inputs are fields of a multipart form, with a file for each FILE input, or the members of a JSON object.
    The answer comes when the start is committed: an execution that was answered survives a power cut.
    """
    services = await services_of(request)
    tenant, namespace, flow_id = (request.path_params[name] for name in ("tenant", "namespace", "flowId"))
    query = request.query_params
    kind = _kind(query.get("kind"))
    options = StartOptions(
        labels=read_labels(query.getlist("labels")),
        schedule_date=read_date("scheduleDate", query.get("scheduleDate")),
        kind=kind,
        breakpoints=read_breakpoints(query.get("breakpoints")),
        fixtures=read_fixtures(query.get("fixtures"), kind),
    )
    wait = read_flag("wait", query.get("wait"))
    revision = read_number("revision", query.get("revision"))
    flow = await find_flow(services, tenant, namespace, flow_id, revision)
    prepared = await prepare_execution(services, request, flow, options)
    url = execution_url(services, request, prepared.execution)
    if not wait:
        return JsonResponse(execution_json(await start(services, prepared), url=url))
    # Listening begins before the start is asked for, so that no end can be missed.
    with services.feed.listen(prepared.execution.id) as listener:
        await start(services, prepared)
        if not await wait_for_end(request, listener):
            return Response(status_code=499)
    execution, task_runs = await find_execution(services, tenant, prepared.execution.id)
    return JsonResponse(execution_json(execution, task_runs, url=url))


@router.post(
    "/{namespace}/{flowId}/validate",
    responses=answers(list[InputsCheckJson]),
    operation_id="validateNewExecutionInputs",
    openapi_extra=takes("multipart/form-data", _FORM, required=False, description="The inputs."),
)
async def validate_inputs(
    request: Request,
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    labels: Annotated[
        list[str] | None, Query(description="Labels of the start, as `key:value`; may be repeated.")
    ] = None,
    revision: Revision = None,
) -> Response:
    """Check inputs as a start would, without starting anything: what each is, and what is wrong with it."""
    given_labels = read_labels(labels or ())
    flow = await find_flow(services, tenant, namespace, flow_id, revision)
    execution_id = new_id()
    given = GivenInputs()
    await read_given_inputs(services, request, flow, execution_id, given)
    resolved = await resolve(services, flow, given.values, execution_id, given_labels)
    failed = await check(services, flow, resolved.values, execution_id, given_labels)
    return JsonResponse([inputs_check_json(flow, resolved, failed)])


@router.get("/{executionId}", responses=answers(ExecutionJson), operation_id="getExecution")
async def get_execution(services: Services, tenant: Tenant, execution_id: ExecutionId) -> Response:
    """One execution with its task runs."""
    execution, task_runs = await find_execution(services, tenant, execution_id)
    progress = services.progress(execution_id)
    return JsonResponse(execution_json(execution, task_runs, progress=progress))


@router.delete("/{executionId}", status_code=204, responses=answers_nothing(), operation_id="deleteExecution")
async def delete_execution(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    delete_logs: Annotated[bool, Query(alias="deleteLogs")] = True,
    delete_metrics: Annotated[bool, Query(alias="deleteMetrics")] = True,
    delete_storage: Annotated[bool, Query(alias="deleteStorage")] = True,
) -> Response:
    """Delete an execution with its task runs, logs, metrics and files; what still runs is killed first."""
    execution = await find_header(services, tenant, execution_id)
    await remove_execution(
        services,
        execution,
        actor_of(request),
        logs=delete_logs,
        metrics=delete_metrics,
        storage=delete_storage,
    )
    return no_content()


@router.get("/{executionId}/flow", responses=answers(FlowJson), operation_id="getFlowFromExecutionById")
async def get_flow_of_execution(services: Services, tenant: Tenant, execution_id: ExecutionId) -> Response:
    """The flow of an execution, in the revision that it runs."""
    execution = await find_header(services, tenant, execution_id)
    flow = await find_flow(services, tenant, execution.namespace, execution.flow_id, execution.flow_revision)
    return JsonResponse(flow_json(flow))


@router.get("/flows/{namespace}/{flowId}", responses=answers(FlowJson), operation_id="getFlowFromExecution")
async def get_flow_to_execute(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    revision: Revision = None,
) -> Response:
    """A flow as whoever may execute it sees it."""
    return JsonResponse(flow_json(await find_flow(services, tenant, namespace, flow_id, revision)))


async def remove_execution(
    services: WebServices,
    execution: Execution,
    actor: str | None,
    *,
    logs: bool,
    metrics: bool,
    storage: bool,
) -> None:
    """Delete an execution, then its files; those that another execution was given stay.

    One that has not ended is killed first, so that nothing of it is left running.

    Raises:
        ApiError: 409, it has not stopped in time; 503, the server is stopping.
    """
    if not execution.state.current.is_terminated:
        await _end(services, execution.id, actor)
    await ask(services, DeleteExecution(execution.id, logs, metrics, storage))
    if storage:
        await services.remove_files([execution.id])


async def _end(services: WebServices, execution_id: str, actor: str | None) -> None:
    """Kill an execution, and wait until it has ended."""
    with services.feed.listen(execution_id) as listener:
        killed = await ask(services, KillExecution(execution_id, actor))
        if killed.state.current.is_terminated:
            return
        try:
            async with asyncio.timeout(services.command_timeout):
                await listener.wait_for_end()
        except TimeoutError:
            raise conflict(
                f"Execution '{execution_id}' was killed and is being stopped: delete it when it has ended"
            ) from None
        if not listener.ended:
            raise unavailable("The server is stopping; the execution was killed and is not deleted yet.")


async def _latest(services: WebServices, tenant: str, key: FlowKey) -> LastExecutionJson | None:
    flow = (key.namespace, key.flow_id or key.id or "")
    newest = (SortBy(ExecutionSort.START_DATE, descending=True),)
    query = ExecutionQuery(tenant, flows=(flow,), sort=newest, paging=paging(1, 1))
    for execution in (await services.executions.search(query)).results:
        state = execution.state
        return LastExecutionJson(execution.id, *flow, instant(state.start_date), state.current)
    return None


async def _page(services: WebServices, query: ExecutionQuery) -> Response:
    found = await services.executions.search(query)
    return JsonResponse(ExecutionPageJson([execution_json(one) for one in found.results], found.total))


def _kind(kind: str | None) -> str | None:
    if kind is None or kind.upper() == "NORMAL":
        return None
    if kind.upper() not in _KINDS:
        raise bad_request(f"There is no kind of execution `{kind}`; there are {', '.join(_KINDS)}.")
    return kind.upper()
