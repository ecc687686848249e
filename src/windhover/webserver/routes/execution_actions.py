"""What can be done to executions under way: killing them, one or many; and deleting many.

Actions are reached under ``/executions/{id}/{action}`` and ``/executions/{id}/actions/{action}``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from windhover.engine.messages import IllegalExecutionState, KillExecution
from windhover.model.execution import Execution
from windhover.webserver.authentication import actor_of
from windhover.webserver.bodies import read_json
from windhover.webserver.commands import ask
from windhover.webserver.errors import conflict
from windhover.webserver.execution_access import find_execution, find_header
from windhover.webserver.execution_bulk import (
    IDS_BODY,
    BulkErrorJson,
    CountJson,
    OperationJson,
    accepted,
    by_ids,
    each,
    for_each,
    found,
    refused,
)
from windhover.webserver.execution_filters import EXECUTION_FILTERS
from windhover.webserver.openapi import answers
from windhover.webserver.parameters import ExecutionId, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.routes.executions import remove_execution
from windhover.webserver.services import WebServices
from windhover.webserver.wire.executions import ExecutionJson, execution_json

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

DeleteLogs = Annotated[bool, Query(alias="deleteLogs")]
DeleteMetrics = Annotated[bool, Query(alias="deleteMetrics")]
DeleteStorage = Annotated[bool, Query(alias="deleteStorage")]
IncludeNonTerminated = Annotated[
    bool, Query(alias="includeNonTerminated", description="Kill those that still run instead of refusing.")
]


@router.delete(
    "/kill/by-ids",
    status_code=202,
    responses=answers(OperationJson, 202) | answers(BulkErrorJson, 400, "Refused"),
    operation_id="killExecutionsByIds",
    openapi_extra=IDS_BODY,
)
async def kill_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """Kill executions by their ids; nothing is done when one does not exist or has ended."""
    ids = await read_json(request, list[str])
    executions, invalid = await by_ids(services, tenant, ids, _unless_ended)
    if invalid:
        return refused("invalid bulk kill", invalid)
    return await _kill_all(services, each(executions), actor_of(request))


@router.delete(
    "/kill/by-query",
    status_code=202,
    responses=answers(OperationJson, 202),
    operation_id="killExecutionsByQuery",
    openapi_extra=EXECUTION_FILTERS,
)
async def kill_by_query(request: Request, services: Services, tenant: Tenant) -> Response:
    """Kill all executions that the conditions find and that have not ended."""
    return await _kill_all(services, found(request, services, tenant), actor_of(request))


@router.delete(
    "/by-ids",
    responses=answers(CountJson) | answers(BulkErrorJson, 422, "Refused"),
    operation_id="deleteExecutionsByIds",
    openapi_extra=IDS_BODY,
)
async def delete_by_ids(
    request: Request,
    services: Services,
    tenant: Tenant,
    include_non_terminated: IncludeNonTerminated = False,
    delete_logs: DeleteLogs = True,
    delete_metrics: DeleteMetrics = True,
    delete_storage: DeleteStorage = True,
) -> Response:
    """Delete executions by their ids: none if one does not exist, or still runs and is not to be killed."""
    ids = await read_json(request, list[str])
    problem = None if include_non_terminated else _unless_under_way
    executions, invalid = await by_ids(services, tenant, ids, problem)
    if invalid:
        return refused("invalid bulk delete", invalid, 422)

    async def remove(execution: Execution) -> None:
        await remove_execution(
            services,
            execution,
            actor_of(request),
            logs=delete_logs,
            metrics=delete_metrics,
            storage=delete_storage,
        )

    return JsonResponse(CountJson(await for_each(each(executions), remove)))


@router.delete(
    "/by-query",
    responses=answers(CountJson),
    operation_id="deleteExecutionsByQuery",
    openapi_extra=EXECUTION_FILTERS,
)
async def delete_by_query(
    request: Request,
    services: Services,
    tenant: Tenant,
    include_non_terminated: IncludeNonTerminated = False,
    delete_logs: DeleteLogs = True,
    delete_metrics: DeleteMetrics = True,
    delete_storage: DeleteStorage = True,
) -> Response:
    """Delete all executions that the conditions find; those that have not ended are left alone."""

    async def remove(execution: Execution) -> None:
        if not execution.state.current.is_terminated and not include_non_terminated:
            raise IllegalExecutionState(f"Execution '{execution.id}' has not ended")
        await remove_execution(
            services,
            execution,
            actor_of(request),
            logs=delete_logs,
            metrics=delete_metrics,
            storage=delete_storage,
        )

    return JsonResponse(CountJson(await for_each(found(request, services, tenant), remove)))


@router.delete(
    "/{executionId}/actions/kill",
    status_code=202,
    responses=answers(ExecutionJson, 202),
    operation_id="killExecution",
)
@router.delete("/{executionId}/kill", status_code=202, include_in_schema=False)
async def kill(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    cascade: Annotated[
        bool, Query(alias="isOnKillCascade", description="Also kill the executions that it started.")
    ] = True,
) -> Response:
    """Kill an execution. The answer comes when the kill is committed; tasks may take a moment to stop."""
    execution = await find_header(services, tenant, execution_id)
    if execution.state.current.is_terminated and not cascade:
        raise conflict("Execution is already finished, can't kill it")
    await ask(services, KillExecution(execution_id, actor_of(request), cascade))
    return JsonResponse(execution_json(*await find_execution(services, tenant, execution_id)), 202)


async def _kill_all(
    services: WebServices, executions: AsyncIterator[Execution], actor: str | None
) -> Response:
    async def kill_one(execution: Execution) -> None:
        if execution.state.current.is_terminated:
            raise IllegalExecutionState(f"Execution '{execution.id}' has already ended")
        await ask(services, KillExecution(execution.id, actor))

    return accepted(await for_each(executions, kill_one))


def _unless_ended(execution: Execution) -> str | None:
    return "execution has already ended" if execution.state.current.is_terminated else None


def _unless_under_way(execution: Execution) -> str | None:
    return None if execution.state.current.is_terminated else "execution has not ended"
