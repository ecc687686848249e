"""Files of executions: downloading them, in ranges too, their size, and a look at their beginning."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from windhover.model.execution import Execution, JsonValue
from windhover.plugin.records import ion_records
from windhover.storage import FileStream, StoragePath, TenantStorage, execution_prefix, is_within, parse_uri
from windhover.webserver.errors import ApiError, invalid_entity
from windhover.webserver.execution_access import find_header
from windhover.webserver.file_preview import PREVIEW_BYTES, PreviewJson, preview
from windhover.webserver.openapi import answers, answers_with
from windhover.webserver.parameters import ExecutionId, Services, Tenant
from windhover.webserver.responses import JsonResponse

router = APIRouter(prefix="/api/v1/{tenant}/executions", tags=["Executions"])

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

#: Bytes of a copied file that are held in memory; a larger one lies on the disk.
_IN_MEMORY = 1024 * 1024

#: Records that are turned into lines at a time.
_AT_ONCE = 1000

FilePath = Annotated[str, Query(description="The `kestra:///…` URI of the file.")]


class FileMetasJson(msgspec.Struct):
    """The size of a file in bytes."""

    size: int


@router.get(
    "/{executionId}/file",
    responses=answers_with("application/octet-stream", "The file")
    | answers_with("application/octet-stream", "A part of the file", 206)
    | answers_with("application/x-ndjson", "Its records, with `format=JSONL`"),
    operation_id="downloadFileFromExecution",
)
async def download_file(
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    path: FilePath,
    format_: Annotated[
        Literal["RAW", "JSONL"], Query(alias="format", description="JSONL: its Ion records as lines of JSON.")
    ] = "RAW",
    range_: Annotated[str | None, Header(alias="Range", description="`bytes=first-last`")] = None,
) -> Response:
    """Download a file that an execution was given or made."""
    execution = await find_header(services, tenant, execution_id)
    place = _place(execution, path)
    files = services.storage.for_tenant(tenant)
    if format_ == "JSONL":
        return await _as_json_lines(files, place)
    if range_ is None:
        return _sent(await files.open(place), 200)
    size = (await files.stat(place)).size
    wanted = _read_range(range_, size)
    if wanted is None:
        return _sent(await files.open(place), 200)
    start, end = wanted
    if start >= end:
        raise ApiError(416, f"The file has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
    return _sent(await files.open(place, start=start, end=end), 206)


@router.get(
    "/{executionId}/file/metas",
    responses=answers(FileMetasJson),
    operation_id="getFileMetadatasFromExecution",
)
async def file_metas(
    services: Services, tenant: Tenant, execution_id: ExecutionId, path: FilePath
) -> Response:
    """The size of a file."""
    execution = await find_header(services, tenant, execution_id)
    stored = await services.storage.for_tenant(tenant).stat(_place(execution, path))
    return JsonResponse(FileMetasJson(stored.size))


@router.get(
    "/{executionId}/file/preview",
    responses=answers(PreviewJson),
    operation_id="previewFileFromExecution",
)
async def preview_file(
    services: Services,
    tenant: Tenant,
    execution_id: ExecutionId,
    path: FilePath,
    max_rows: Annotated[int | None, Query(alias="maxRows", ge=1, description="Rows shown at most.")] = None,
    encoding: Annotated[str, Query(description="How the text of the file is encoded.")] = "UTF-8",
) -> Response:
    """The beginning of a file: rows of a table, text, or a picture."""
    execution = await find_header(services, tenant, execution_id)
    place = _place(execution, path)
    bounds = services.settings.server.preview
    rows = min(max_rows or bounds.initial_rows, bounds.max_rows)
    content, complete = await _beginning(services.storage.for_tenant(tenant), place)
    return JsonResponse(preview(place.segments[-1], content, complete=complete, rows=rows, encoding=encoding))


def _place(execution: Execution, path: str) -> StoragePath:
    """The file that a URI names, if it may be read through an execution.

    Files of other executions of the tenant may be: a subflow's outputs show up in its parent.
    """
    place = parse_uri(path)
    own = execution_prefix(execution.namespace, execution.flow_id, execution.id)
    if not is_within(place, own) and "executions" not in place.segments[:-1]:
        raise invalid_entity(f"`{path}` is no file of an execution.")
    return place


def _read_range(text: str, size: int) -> tuple[int, int] | None:
    """The offsets of the first byte and after the last one; None for a form that is to be ignored."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return None
    first, last = match.groups()
    if first:
        end = min(int(last) + 1, size) if last else size
        return int(first), end
    return (max(0, size - int(last)), size) if last else None


def _sent(stream: FileStream, status: int) -> Response:
    uri = parse_uri(stream.file.uri)
    headers = {
        "Content-Length": str(stream.length),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(uri.segments[-1])}",
        "Accept-Ranges": "bytes",
        # What a task wrote is never a page of this server.
        "X-Content-Type-Options": "nosniff",
    }
    if status == 206:
        headers["Content-Range"] = f"bytes {stream.start}-{stream.end - 1}/{stream.file.size}"
    return StreamingResponse(_chunks(stream), status, headers=headers, media_type="application/octet-stream")


async def _as_json_lines(files: TenantStorage, place: StoragePath) -> Response:
    """The records of a file as lines of JSON; the file is copied first, and never held in memory.

    Raises:
        ApiError: 422, it holds no records.
    """
    with ExitStack() as stack:
        copy = stack.enter_context(SpooledTemporaryFile(_IN_MEMORY))
        async with await files.open(place) as stream:
            async for chunk in stream:
                await asyncio.to_thread(copy.write, chunk)
        copy.seek(0)
        records = ion_records(copy)
        try:
            first = await asyncio.to_thread(_some, records)
        except ValueError as error:
            raise invalid_entity(f"`{place.segments[-1]}` holds no Ion or JSON records: {error}") from None
        until_sent = stack.pop_all()
    name = quote(f"{place.segments[-1].removesuffix('.ion')}.jsonl")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
    }
    lines = _lines(first, records, until_sent)
    return StreamingResponse(lines, headers=headers, media_type="application/x-ndjson")


async def _lines(
    some: list[JsonValue], records: Iterator[JsonValue], until_sent: ExitStack
) -> AsyncIterator[bytes]:
    with until_sent:
        while some:
            yield b"".join(msgspec.json.encode(record) + b"\n" for record in some)
            some = await asyncio.to_thread(_some, records)


def _some(records: Iterator[JsonValue]) -> list[JsonValue]:
    return list(islice(records, _AT_ONCE))


async def _chunks(stream: FileStream) -> AsyncIterator[bytes]:
    async with stream:
        async for chunk in stream:
            yield chunk


async def _beginning(files: TenantStorage, place: StoragePath) -> tuple[bytes, bool]:
    async with await files.open(place, end=PREVIEW_BYTES) as stream:
        content = b"".join([chunk async for chunk in stream])
        return content, stream.file.size <= len(content)
