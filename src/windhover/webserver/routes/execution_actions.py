"""What can be done to executions under way: killing them, one or many; and deleting many.

Actions are reached under ``/executions/{id}/{action}`` and ``/executions/{id}/actions/{action}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from windhover.engine.messages import ExecutionNotFound, IllegalExecutionState, KillExecution
from windhover.model.execution import Execution
from windhover.repository.execution_query import ExecutionQuery
from windhover.util.ids import new_id
from windhover.webserver.bodies import read_json
from windhover.webserver.commands import ask
from windhover.webserver.errors import conflict
from windhover.webserver.execution_access import find_execution, find_header
from windhover.webserver.execution_filters import execution_query
from windhover.webserver.openapi import answers, takes
from windhover.webserver.parameters import ExecutionId, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.routes.executions import remove_execution
from windhover.webserver.services import WebServices
from windhover.webserver.wire.executions import ExecutionJson, execution_json

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

#: Commands of a bulk action that wait for the executor at a time; it commits those together.
_AT_ONCE = 100
_IDS_AT_ONCE = 1000

DeleteLogs = Annotated[bool, Query(alias="deleteLogs")]
DeleteMetrics = Annotated[bool, Query(alias="deleteMetrics")]
DeleteStorage = Annotated[bool, Query(alias="deleteStorage")]
IncludeNonTerminated = Annotated[
    bool, Query(alias="includeNonTerminated", description="Kill those that still run instead of refusing.")
]

_IDS = takes("application/json", list[str], description="The ids of the executions.")


class CountJson(msgspec.Struct):
    """How many things a bulk action changed."""

    count: int


class OperationJson(msgspec.Struct, rename="camel"):
    """A bulk action that was accepted, and how many executions it is about."""

    operation_id: str
    total_items: int
    count: int


class InvalidItemJson(msgspec.Struct):
    """One execution that a bulk action cannot be carried out on."""

    message: str
    invalid_value: str = msgspec.field(name="invalidValue")


class BulkErrorJson(msgspec.Struct):
    """Why a bulk action was refused as a whole."""

    message: str
    invalids: list[InvalidItemJson]


@router.delete(
    "/kill/by-ids",
    status_code=202,
    responses=answers(OperationJson, 202) | answers(BulkErrorJson, 400, "Refused"),
    operation_id="killExecutionsByIds",
    openapi_extra=_IDS,
)
async def kill_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """Kill executions by their ids; nothing is done when one does not exist or has ended."""
    executions, invalid = await _by_ids(services, tenant, await read_json(request, list[str]), ended=False)
    if invalid:
        return _refused("invalid bulk kill", invalid, 400)
    return await _kill_all(services, _each(executions))


@router.delete(
    "/kill/by-query",
    status_code=202,
    responses=answers(OperationJson, 202),
    operation_id="killExecutionsByQuery",
)
async def kill_by_query(request: Request, services: Services, tenant: Tenant) -> Response:
    """Kill all executions that the conditions find and that have not ended."""
    return await _kill_all(services, _found(services, _query(request, services, tenant)))


@router.delete(
    "/by-ids",
    responses=answers(CountJson) | answers(BulkErrorJson, 422, "Refused"),
    operation_id="deleteExecutionsByIds",
    openapi_extra=_IDS,
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
    """Delete executions by their ids; nothing is deleted when one does not exist or has not ended."""
    executions, invalid = await _by_ids(services, tenant, await read_json(request, list[str]), ended=True)
    if include_non_terminated:
        invalid = [item for item in invalid if item.message == _MISSING]
    if invalid:
        return _refused("invalid bulk delete", invalid, 422)

    async def remove(execution: Execution) -> None:
        await _end_and_remove(services, execution, delete_logs, delete_metrics, delete_storage)

    return JsonResponse(CountJson(await _for_each(_each(executions), remove)))


@router.delete("/by-query", responses=answers(CountJson), operation_id="deleteExecutionsByQuery")
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
        await _end_and_remove(services, execution, delete_logs, delete_metrics, delete_storage)

    found = _found(services, _query(request, services, tenant))
    return JsonResponse(CountJson(await _for_each(found, remove)))


@router.delete(
    "/{executionId}/actions/kill",
    status_code=202,
    responses=answers(ExecutionJson, 202),
    operation_id="killExecution",
)
@router.delete("/{executionId}/kill", status_code=202, include_in_schema=False)
async def kill(
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
    await ask(services, KillExecution(execution_id))
    return JsonResponse(execution_json(*await find_execution(services, tenant, execution_id)), 202)


_MISSING = "execution not found"


async def _by_ids(
    services: WebServices, tenant: str, ids: Sequence[str], *, ended: bool
) -> tuple[list[Execution], list[InvalidItemJson]]:
    """The executions of these ids, and what is wrong with those that are missing, or not (yet) ended."""
    executions: list[Execution] = []
    invalid: list[InvalidItemJson] = []
    for id_ in dict.fromkeys(ids):
        execution = await services.executions.header(id_)
        if execution is None or execution.tenant_id != tenant:
            invalid.append(InvalidItemJson(_MISSING, id_))
            continue
        executions.append(execution)
        if execution.state.current.is_terminated is not ended:
            problem = "execution has not ended" if ended else "execution has already ended"
            invalid.append(InvalidItemJson(problem, id_))
    return executions, invalid


async def _kill_all(services: WebServices, executions: AsyncIterator[Execution]) -> Response:
    async def kill_one(execution: Execution) -> None:
        if execution.state.current.is_terminated:
            raise IllegalExecutionState(f"Execution '{execution.id}' has already ended")
        await ask(services, KillExecution(execution.id))

    count = await _for_each(executions, kill_one)
    return JsonResponse(OperationJson(new_id(), count, count), 202)


async def _end_and_remove(
    services: WebServices, execution: Execution, logs: bool, metrics: bool, storage: bool
) -> None:
    if not execution.state.current.is_terminated:
        with services.feed.listen(execution.id) as listener:
            await ask(services, KillExecution(execution.id))
            async with asyncio.timeout(services.command_timeout):
                await listener.wait_for_end()
    await remove_execution(services, execution, logs=logs, metrics=metrics, storage=storage)


async def _for_each(
    executions: AsyncIterator[Execution], action: Callable[[Execution], Awaitable[None]]
) -> int:
    """Act on every execution, many at a time; return on how many it could be done.

    One that has gone or changed its state meanwhile is passed over.
    """

    async def attempt(execution: Execution) -> bool:
        try:
            await action(execution)
        except (ExecutionNotFound, IllegalExecutionState, TimeoutError):
            return False
        return True

    count = 0
    batch: list[Execution] = []
    async for execution in executions:
        batch.append(execution)
        if len(batch) == _AT_ONCE:
            count += sum(await asyncio.gather(*map(attempt, batch)))
            batch.clear()
    return count + sum(await asyncio.gather(*map(attempt, batch)))


async def _each(executions: Sequence[Execution]) -> AsyncIterator[Execution]:
    for execution in executions:
        yield execution


async def _found(services: WebServices, query: ExecutionQuery) -> AsyncIterator[Execution]:
    async for execution in services.executions.stream(query, _IDS_AT_ONCE):
        yield execution


def _query(request: Request, services: WebServices, tenant: str) -> ExecutionQuery:
    return execution_query(
        tenant, request.query_params, services.clock(), services.settings.execution.system_namespace
    )


def _refused(message: str, invalid: list[InvalidItemJson], status: int) -> Response:
    return JsonResponse(BulkErrorJson(message, invalid), status)
