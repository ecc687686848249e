"""Flows and executions as pictures."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from windhover.webserver.bodies import read_text
from windhover.webserver.execution_access import find_execution, find_flow
from windhover.webserver.flow_graph import FlowGraphJson, flow_graph
from windhover.webserver.flow_sources import parse
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import ExecutionId, FlowId, Namespace, Revision, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.wire.executions import execution_json

router = APIRouter(prefix="/api/v1/{tenant}")

Subflows = Annotated[list[str] | None, Query(description="Accepted: the flows that tasks start stay folded.")]


@router.post(
    "/flows/graph",
    responses=answers(FlowGraphJson),
    operation_id="generateFlowGraphFromSource",
    tags=["Flows"],
    openapi_extra=takes("application/x-yaml", {"type": "string"}, description="The YAML of the flow."),
)
async def graph_of_source(
    request: Request, services: Services, tenant: Tenant, subflows: Subflows = None
) -> Response:
    """The picture of a flow that is not saved."""
    source = await read_text(request, services.settings.limits.max_flow_source, "The source of the flow")
    parsed = await parse(services, source)
    return JsonResponse(await asyncio.to_thread(flow_graph, parsed.flow))


@router.get(
    "/flows/{namespace}/{flowId}/graph",
    responses=answers(FlowGraphJson),
    operation_id="generateFlowGraph",
    tags=["Flows"],
)
async def graph_of_flow(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    revision: Revision = None,
    subflows: Subflows = None,
) -> Response:
    """The picture of a stored flow."""
    flow = await find_flow(services, tenant, namespace, flow_id, revision)
    return JsonResponse(await asyncio.to_thread(flow_graph, flow))


@router.get(
    "/executions/{executionId}/graph",
    responses=answers(FlowGraphJson),
    operation_id="getExecutionFlowGraph",
    tags=["Executions"],
)
async def graph_of_execution(
    services: Services, tenant: Tenant, execution_id: ExecutionId, subflows: Subflows = None
) -> Response:
    """The picture of the flow of an execution, with the last run of each task."""
    execution, task_runs = await find_execution(services, tenant, execution_id)
    flow = await find_flow(services, tenant, execution.namespace, execution.flow_id, execution.flow_revision)
    latest = list({run.task_id: run for run in task_runs}.values())
    shown = execution_json(execution, latest).task_run_list or ()
    return JsonResponse(await asyncio.to_thread(flow_graph, flow, shown))
