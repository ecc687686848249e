"""Following an execution by server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header
from starlette.responses import Response

from windhover.model.execution import Execution, TaskRun
from windhover.webserver.errors import ApiError
from windhover.webserver.event_stream import END, HEARTBEAT, EventStream, event
from windhover.webserver.execution_access import find_execution, find_header, has_ended
from windhover.webserver.openapi import answers_with
from windhover.webserver.parameters import ExecutionId, Services, Tenant
from windhover.webserver.responses import no_content
from windhover.webserver.services import WebServices
from windhover.webserver.wire.executions import execution_json

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

#: Reading and writing a large execution for a follower may take this share of the time, and no more.
_BUSY_SHARE = 0.2
#: What is quicker than this, in seconds, is not paced at all.
_CHEAP = 0.005

_encode = msgspec.json.Encoder().encode


@router.get(
    "/{executionId}/follow",
    responses=answers_with("text/event-stream", "One event for each change, with the whole execution"),
    operation_id="followExecution",
)
async def follow_execution(
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """Stream an execution: as it is now (event id `start`), after each change
    (`progress`), and as it ended (`end`).

    Every event holds the whole execution, so a client that comes back has missed nothing. Changes that
    follow one another quickly may share an event.
    """
    if last_event_id == END:
        return no_content()
    await find_header(services, tenant, execution_id)
    return EventStream(_follow(services, tenant, execution_id))


async def _follow(services: WebServices, tenant: str, execution_id: str) -> AsyncIterator[bytes]:
    with services.feed.listen(execution_id) as listener:
        execution, task_runs = await find_execution(services, tenant, execution_id)
        yield _event(services, execution, task_runs, "start")
        while not has_ended(execution, task_runs):
            if not await listener.wait(services.heartbeat):
                yield HEARTBEAT
                continue
            if listener.closed:
                return
            began = time.monotonic()
            try:
                execution, task_runs = await find_execution(services, tenant, execution_id)
            except ApiError:
                return  # deleted meanwhile
            if not has_ended(execution, task_runs):
                yield _event(services, execution, task_runs, "progress")
                await _pace(time.monotonic() - began)
        yield _event(services, execution, task_runs, END)


async def _pace(spent: float) -> None:
    if spent > _CHEAP:
        await asyncio.sleep(spent * (1 / _BUSY_SHARE - 1))


def _event(services: WebServices, execution: Execution, task_runs: list[TaskRun], id_: str) -> bytes:
    progress = services.progress(execution.id)
    return event(_encode(execution_json(execution, task_runs, progress=progress)), id=id_)
