"""Acting on many executions: those of a list of ids, or all that a search finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from windhover.engine.messages import CommandRefused
from windhover.model.execution import Execution
from windhover.util.ids import new_id
from windhover.webserver.errors import ApiError
from windhover.webserver.execution_filters import execution_query
from windhover.webserver.openapi import takes
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices

#: Commands of a bulk action that wait for the executor at a time; it commits those together.
_AT_ONCE = 100
_IDS_AT_ONCE = 1000

IDS_BODY = takes("application/json", list[str], description="The ids of the executions.")

#: Why something cannot be done to an execution; None when it can.
Problem = Callable[[Execution], str | None]


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


async def by_ids(
    services: WebServices, tenant: str, ids: Sequence[str], problem: Problem | None = None
) -> tuple[list[Execution], list[InvalidItemJson]]:
    """The executions of these ids, and what is wrong with those that are missing or have a problem."""
    executions: list[Execution] = []
    invalid: list[InvalidItemJson] = []
    for id_ in dict.fromkeys(ids):
        execution = await services.executions.header(id_)
        if execution is None or execution.tenant_id != tenant:
            invalid.append(InvalidItemJson("execution not found", id_))
            continue
        executions.append(execution)
        message = None if problem is None else problem(execution)
        if message is not None:
            invalid.append(InvalidItemJson(message, id_))
    return executions, invalid


async def for_each(
    executions: AsyncIterator[Execution], action: Callable[[Execution], Awaitable[None]]
) -> int:
    """Act on every execution, many at a time; return on how many it could be done.

    One that has gone or changed its state meanwhile is passed over.
    """

    async def attempt(execution: Execution) -> bool:
        try:
            await action(execution)
        except (CommandRefused, TimeoutError):
            return False
        except ApiError as error:
            if error.status >= 500:
                raise
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


async def each(executions: Sequence[Execution]) -> AsyncIterator[Execution]:
    """The executions of a list, one after the other."""
    for execution in executions:
        yield execution


async def found(request: Request, services: WebServices, tenant: str) -> AsyncIterator[Execution]:
    """The executions that the conditions of a query string find."""
    query = execution_query(
        tenant, request.query_params, services.clock(), services.settings.execution.system_namespace
    )
    async for execution in services.executions.stream(query, _IDS_AT_ONCE):
        yield execution


def accepted(count: int) -> Response:
    """The answer to a bulk action that was carried out on so many executions."""
    return JsonResponse(OperationJson(new_id(), count, count), 202)


def refused(message: str, invalid: list[InvalidItemJson], status: int = 400) -> Response:
    """The answer to a bulk action of which nothing was done."""
    return JsonResponse(BulkErrorJson(message, invalid), status)
