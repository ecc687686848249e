"""Log lines: listing, downloading, following, searching and deleting them.

The list, the download and the stream of an execution give the same lines in the same order, that of
their sequence numbers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request
from msgspec.structs import replace
from starlette.responses import Response, StreamingResponse

from windhover.model.log import LogEntry, LogLevel
from windhover.repository.filters import TextMatch
from windhover.repository.logs import LogQuery
from windhover.webserver.errors import bad_request
from windhover.webserver.event_stream import END, HEARTBEAT, EventStream, event
from windhover.webserver.execution_access import find_execution, find_header, find_kind, has_ended
from windhover.webserver.log_filters import LOG_FILTERS, accepts, log_query
from windhover.webserver.openapi import answers, answers_nothing, answers_with, query_parameter
from windhover.webserver.parameters import (
    ExecutionId,
    FlowId,
    Namespace,
    PageNumber,
    PageSize,
    Services,
    Sort,
    Tenant,
    paging,
    split_sort,
)
from windhover.webserver.responses import JsonResponse, no_content
from windhover.webserver.services import WebServices
from windhover.webserver.wire.logs import LogEntryJson, LogPageJson, log_json, log_text

router = APIRouter(prefix="/api/v1/{tenant}/logs", tags=["Logs"])

#: Lines of a long answer that are written at once.
_LINES_AT_ONCE = 1000

_encode = msgspec.json.Encoder().encode


_CONDITIONS: dict[str, Any] = {
    "parameters": [
        *LOG_FILTERS["parameters"],
        query_parameter("minLevel", "This level and all above: ERROR, WARN, INFO, DEBUG or TRACE."),
        query_parameter("taskId", "Lines of this task."),
        query_parameter("taskRunId", "Lines of this task run."),
        query_parameter("attempt", "Lines of this attempt, counted from 0.", "integer"),
        query_parameter("q", "Text that occurs in the line."),
    ]
}


@router.get("/search", responses=answers(LogPageJson), operation_id="searchLogs", openapi_extra=_CONDITIONS)
async def search_logs(
    request: Request,
    services: Services,
    tenant: Tenant,
    page: PageNumber = 1,
    size: PageSize = 10,
    sort: Sort = None,
) -> Response:
    """Search the lines of all executions; the newest come first unless `sort` is `timestamp:asc`."""
    query = _query(request, services, tenant)
    descending = not sort or split_sort(sort[0])[1]
    found = await services.logs.find(replace(query, descending=descending, paging=paging(page, size)))
    kinds = await services.executions.kinds({entry.execution_id for entry in found.results})
    shown = [log_json(entry, kinds.get(entry.execution_id)) for entry in found.results]
    return JsonResponse(LogPageJson(shown, found.total))


@router.get(
    "/{executionId}",
    responses=answers(list[LogEntryJson]),
    operation_id="listLogsFromExecution",
    openapi_extra=_CONDITIONS,
)
async def list_logs(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    page: Annotated[int | None, Query(ge=1, description="One page; all lines without it.")] = None,
    size: PageSize = 1000,
) -> Response:
    """The lines of one execution, in order."""
    kind = await _kind_of_log(services, tenant, execution_id)
    query = _query(request, services, tenant)
    if page is not None:
        found = await services.logs.find(replace(query, execution_id=execution_id, paging=paging(page, size)))
        return JsonResponse([log_json(entry, kind) for entry in found.results])
    found_lines = _json_list(lines(services, query, execution_id), kind)
    return StreamingResponse(found_lines, media_type="application/json")


@router.get(
    "/{executionId}/download",
    responses=answers_with("text/plain", "The lines, one below the other"),
    operation_id="downloadLogsFromExecution",
    openapi_extra=_CONDITIONS,
)
async def download_logs(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId
) -> Response:
    """The log of one execution as a text file."""
    await _kind_of_log(services, tenant, execution_id)
    query = _query(request, services, tenant)
    headers = {"Content-Disposition": f'attachment; filename="{execution_id}.log"'}
    return StreamingResponse(
        _text(lines(services, query, execution_id)), media_type="text/plain; charset=utf-8", headers=headers
    )


@router.get(
    "/{executionId}/follow",
    responses=answers_with("text/event-stream", "One event for each line"),
    operation_id="followLogsFromExecution",
    openapi_extra=_CONDITIONS,
)
async def follow_logs(
    request: Request,
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """Stream the lines of an execution: those that are there, then each as it is committed.

    Every line comes once and in order; its event id is its `sequence`. A client that comes back with
    `Last-Event-ID` goes on after that line. The stream ends, with an event named `end`, after the last
    line of an execution that has ended.
    """
    if last_event_id == END:
        return no_content()
    after = _sequence(last_event_id)
    await find_header(services, tenant, execution_id)
    query = _query(request, services, tenant)
    return EventStream(_follow(services, tenant, query, execution_id, after))


@router.delete(
    "/{executionId}",
    responses=answers_nothing(200),
    operation_id="deleteLogsFromExecution",
    openapi_extra=_CONDITIONS,
)
async def delete_logs(
    request: Request, services: Services, tenant: Tenant, execution_id: ExecutionId
) -> Response:
    """Delete lines of one execution."""
    await _kind_of_log(services, tenant, execution_id)
    await services.logs.delete(replace(_query(request, services, tenant), execution_id=execution_id))
    return Response(status_code=200)


@router.delete("/{namespace}/{flowId}", responses=answers_nothing(200), operation_id="deleteLogsFromFlow")
async def delete_logs_of_flow(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    flow_id: FlowId,
    trigger_id: Annotated[str | None, Query(alias="triggerId")] = None,
) -> Response:
    """Delete the lines of a flow, or those of one of its triggers."""
    await services.logs.delete(
        LogQuery(
            tenant,
            namespace=(TextMatch.equal(namespace),),
            flow_id=(TextMatch.equal(flow_id),),
            trigger_id=(TextMatch.equal(trigger_id),) if trigger_id else (),
        )
    )
    return Response(status_code=200)


async def _kind_of_log(services: WebServices, tenant: str, execution_id: str) -> str | None:
    """The kind of the execution of a log, which may have been kept when the execution was deleted."""
    kept = await services.logs.find(LogQuery(tenant, execution_id=execution_id, paging=paging(1, 1)))
    return await find_kind(services, tenant, execution_id, left=bool(kept.results))


async def lines(
    services: WebServices, query: LogQuery, execution_id: str, after: int = 0
) -> AsyncIterator[LogEntry]:
    """The lines of an execution that meet the conditions, in order, as they are in the database."""
    level = query.min_level or LogLevel.TRACE
    async for entry in services.logs.stream(execution_id, after, min_level=level):
        if accepts(query, entry):
            yield entry


async def _json_list(entries: AsyncIterator[LogEntry], kind: str | None) -> AsyncIterator[bytes]:
    """A JSON list, block by block: a log may be longer than memory allows."""
    block: list[bytes] = []
    opening = b"["
    async for entry in entries:
        block.append(_encode(log_json(entry, kind)))
        if len(block) >= _LINES_AT_ONCE:
            yield opening + b",".join(block)
            block.clear()
            opening = b","
    yield (opening if block or opening == b"[" else b"") + b",".join(block) + b"]"


async def _text(entries: AsyncIterator[LogEntry]) -> AsyncIterator[str]:
    block: list[str] = []
    async for entry in entries:
        block.append(log_text(entry))
        if len(block) >= _LINES_AT_ONCE:
            yield "".join(block)
            block.clear()
    if block:
        yield "".join(block)


async def _follow(
    services: WebServices, tenant: str, query: LogQuery, execution_id: str, after: int
) -> AsyncIterator[bytes]:
    """Lines from the database, then from the broadcasts, closing every gap from the database.

    Sequence numbers have no gaps, so a broadcast line that does not follow the last one shows that lines
    were missed.
    """
    with services.feed.listen(execution_id) as listener:
        # Read after listening has begun and before the lines: if it has ended, they are all there.
        execution, task_runs = await find_execution(services, tenant, execution_id)
        ended, kind = has_ended(execution, task_runs), execution.kind
        behind = True
        while True:
            if behind:
                async for entry in services.logs.stream(execution_id, after):
                    after = entry.sequence
                    if accepts(query, entry):
                        yield _event(entry, kind)
                behind = False
            if ended:
                yield event(b"{}", id=END, name=END)
                return
            if not await listener.wait(services.heartbeat):
                yield HEARTBEAT
                continue
            if listener.closed:
                return
            ended = listener.ended
            behind = ended or listener.lagged
            listener.lagged = False
            for entry in listener.take_entries():
                if entry.sequence > after + 1:
                    behind = True
                    break
                if entry.sequence == after + 1:
                    after = entry.sequence
                    if accepts(query, entry):
                        yield _event(entry, kind)


def _event(entry: LogEntry, kind: str | None) -> bytes:
    return event(_encode(log_json(entry, kind)), id=str(entry.sequence))


def _query(request: Request, services: WebServices, tenant: str) -> LogQuery:
    return log_query(
        tenant, request.query_params, services.clock(), services.settings.execution.system_namespace
    )


def _sequence(last_event_id: str | None) -> int:
    if not last_event_id:
        return 0
    if not last_event_id.isdecimal() or len(last_event_id) > 18:
        raise bad_request(f"`Last-Event-ID: {last_event_id}` is not the id of a line.")
    return int(last_event_id)
