"""Many flows at once: saving, deleting, switching on and off, importing and exporting them."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import AsyncIterator, Iterable, Sequence
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from windhover.model.problem import FlowInvalid
from windhover.plugin.parsing import ParsedFlow
from windhover.repository.filters import TextMatch
from windhover.repository.flows import FlowQuery, FlowRecord
from windhover.webserver.bodies import read_json, read_text
from windhover.webserver.errors import ApiError, ErrorDetail, bad_request, invalid_entity, not_found
from windhover.webserver.execution_bulk import CountJson
from windhover.webserver.flow_filters import FLOW_FILTERS, flow_query
from windhover.webserver.flow_sources import documents, parse
from windhover.webserver.multipart import MultipartReader
from windhover.webserver.openapi import answers, answers_with, takes
from windhover.webserver.parameters import Namespace, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.routes.flows import all_flows, delete, save
from windhover.webserver.services import WebServices
from windhover.webserver.wire.flows import FlowJson, flow_json

router = APIRouter(prefix="/api/v1/{tenant}/flows", tags=["Flows"])
#: Paths that name a namespace; they come after all that name something else.
namespace_router = APIRouter(prefix="/api/v1/{tenant}/flows", tags=["Flows"])

#: The largest text or archive with many flows, in bytes.
MAX_BULK_BYTES = 64 * 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_CHUNK = 256 * 1024
_DISABLED = re.compile(r"^disabled:.*$", re.MULTILINE)
_AFTER_NAMESPACE = re.compile(r"^(namespace:.*)$", re.MULTILINE)

_YAML = takes(
    "application/x-yaml", {"type": "string"}, description="The YAML of the flows, divided by `---`."
)

Delete = Annotated[bool, Query(description="Delete the flows of the namespace that are not among them.")]


class FlowIdJson(msgspec.Struct):
    """A flow by its namespace and id."""

    namespace: str
    id: str


_IDS = takes("application/json", list[FlowIdJson])


@router.post("/bulk", responses=answers(list[FlowJson]), operation_id="bulkUpdateFlows", openapi_extra=_YAML)
async def update_flows(
    request: Request,
    services: Services,
    tenant: Tenant,
    delete: Delete = True,
    namespace: Annotated[str | None, Query(description="The namespace that the flows must be in.")] = None,
    allow_namespace_child: Annotated[bool, Query(alias="allowNamespaceChild")] = False,
) -> Response:
    """Save many flows, each of which may be new; none is saved when one is invalid."""
    parsed = await _parse_all(services, await read_text(request, MAX_BULK_BYTES, "The source of the flows"))
    if namespace is not None:
        _check_namespace(parsed, namespace, children=allow_namespace_child)
    deleted_from = namespace if delete else None
    return await _save_all(services, tenant, parsed, deleted_from, children=allow_namespace_child)


@router.delete(
    "/delete/by-ids", responses=answers(CountJson), operation_id="deleteFlowsByIds", openapi_extra=_IDS
)
async def delete_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """Delete flows by their ids."""
    return await _delete_all(services, await _by_ids(request, services, tenant))


@router.delete(
    "/delete/by-query",
    responses=answers(CountJson),
    operation_id="deleteFlowsByQuery",
    openapi_extra=FLOW_FILTERS,
)
async def delete_by_query(request: Request, services: Services, tenant: Tenant) -> Response:
    """Delete all flows that the conditions find."""
    return await _delete_all(services, await _by_query(request, services, tenant))


@router.post(
    "/disable/by-ids", responses=answers(CountJson), operation_id="disableFlowsByIds", openapi_extra=_IDS
)
async def disable_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """Switch flows off by their ids: each gets a revision with `disabled: true`."""
    return await _switch(services, await _by_ids(request, services, tenant), disabled=True)


@router.post(
    "/disable/by-query",
    responses=answers(CountJson),
    operation_id="disableFlowsByQuery",
    openapi_extra=FLOW_FILTERS,
)
async def disable_by_query(request: Request, services: Services, tenant: Tenant) -> Response:
    """Switch off all flows that the conditions find."""
    return await _switch(services, await _by_query(request, services, tenant), disabled=True)


@router.post(
    "/enable/by-ids", responses=answers(CountJson), operation_id="enableFlowsByIds", openapi_extra=_IDS
)
async def enable_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """Switch flows on by their ids."""
    return await _switch(services, await _by_ids(request, services, tenant), disabled=False)


@router.post(
    "/enable/by-query",
    responses=answers(CountJson),
    operation_id="enableFlowsByQuery",
    openapi_extra=FLOW_FILTERS,
)
async def enable_by_query(request: Request, services: Services, tenant: Tenant) -> Response:
    """Switch on all flows that the conditions find."""
    return await _switch(services, await _by_query(request, services, tenant), disabled=False)


@router.post(
    "/export/by-ids",
    responses=answers_with("application/octet-stream", "A ZIP archive with one YAML file for each flow"),
    operation_id="exportFlowsByIds",
    openapi_extra=_IDS,
)
async def export_by_ids(request: Request, services: Services, tenant: Tenant) -> Response:
    """The YAML of flows by their ids."""
    return await _archive(await _by_ids(request, services, tenant))


@router.get(
    "/export/by-query",
    responses=answers_with("application/octet-stream", "A ZIP archive with one YAML file for each flow"),
    operation_id="exportFlowsByQuery",
    openapi_extra=FLOW_FILTERS,
)
async def export_by_query(request: Request, services: Services, tenant: Tenant) -> Response:
    """The YAML of all flows that the conditions find."""
    return await _archive(await _by_query(request, services, tenant))


@router.post(
    "/import",
    responses=answers(list[str]),
    operation_id="importFlows",
    openapi_extra=takes(
        "multipart/form-data",
        {"type": "object", "properties": {"fileUpload": {"type": "string", "format": "binary"}}},
    ),
)
async def import_flows(
    request: Request,
    services: Services,
    tenant: Tenant,
    fail_on_error: Annotated[
        bool, Query(alias="failOnError", description="Save none when one is invalid.")
    ] = False,
) -> Response:
    """Save the flows of a YAML file or a ZIP archive, and name those that are invalid."""
    name, content = await _uploaded(request)
    sources = (
        await asyncio.to_thread(_unpacked, content)
        if content[:4] == b"PK\x03\x04"
        else [_text(name, content)]
    )
    parsed: list[ParsedFlow] = []
    invalid: list[str] = []
    for source in (document for text in sources for document in documents(text)):
        try:
            parsed.append(await parse(services, source))
        except FlowInvalid as error:
            if fail_on_error:
                raise
            invalid.append(error.constraints)
    for flow in parsed:
        await save(services, tenant, flow)
    return JsonResponse(invalid)


@namespace_router.post(
    "/{namespace}",
    responses=answers(list[FlowJson]),
    operation_id="updateFlowsInNamespace",
    openapi_extra=_YAML,
)
async def update_namespace(
    request: Request,
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    delete: Delete = True,
    override: Annotated[bool, Query(description="Put flows of other namespaces into this one.")] = False,
) -> Response:
    """Make the flows of a namespace those of the body; none is saved when one is invalid."""
    text = await read_text(request, MAX_BULK_BYTES, "The source of the flows")
    if override:
        text = re.sub(r"^namespace:.*$", f"namespace: {namespace}", text, flags=re.MULTILINE)
    parsed = await _parse_all(services, text)
    _check_namespace(parsed, namespace, children=False)
    return await _save_all(services, tenant, parsed, namespace if delete else None, children=False)


async def _parse_all(services: WebServices, text: str) -> list[ParsedFlow]:
    """Read all flows of a text.

    Raises:
        ApiError: 422, with what is wrong with each of them.
    """
    parsed: list[ParsedFlow] = []
    wrong: list[ErrorDetail] = []
    if not text.strip():
        return parsed
    for index, source in enumerate(documents(text)):
        try:
            parsed.append(await parse(services, source))
        except FlowInvalid as error:
            wrong.append(ErrorDetail(error.constraints, f"[{index}]"))
    keys = [(one.flow.namespace, one.flow.id) for one in parsed]
    wrong += [
        ErrorDetail(f"Flow {'.'.join(key)} is there more than once")
        for key in dict.fromkeys(keys)
        if keys.count(key) > 1
    ]
    if wrong:
        raise invalid_entity("\n".join(one.message for one in wrong), wrong)
    return parsed


def _check_namespace(parsed: Sequence[ParsedFlow], namespace: str, *, children: bool) -> None:
    foreign = [
        f"{one.flow.namespace}.{one.flow.id}"
        for one in parsed
        if one.flow.namespace != namespace
        and not (children and one.flow.namespace.startswith(f"{namespace}."))
    ]
    if foreign:
        raise invalid_entity(f"flow.namespace: not in namespace {namespace}: {', '.join(foreign)}")


async def _save_all(
    services: WebServices,
    tenant: str,
    parsed: Sequence[ParsedFlow],
    deleted_from: str | None,
    *,
    children: bool,
) -> Response:
    """Save flows, then delete what else is in the namespace, if that is named."""
    saved = [flow_json(await save(services, tenant, one), one.source) for one in parsed]
    if deleted_from is not None:
        kept = {(one.flow.namespace, one.flow.id) for one in parsed}
        place = TextMatch.prefix(deleted_from) if children else TextMatch.equal(deleted_from)
        others = [record async for record in all_flows(services, FlowQuery(tenant, namespace=(place,)))]
        for record in others:
            if (record.namespace, record.id) not in kept:
                await delete(services, tenant, record.namespace, record.id)
    return JsonResponse(saved)


async def _by_ids(request: Request, services: WebServices, tenant: str) -> list[FlowRecord]:
    found = []
    for key in await read_json(request, list[FlowIdJson]):
        record = await services.flows.get(tenant, key.namespace, key.id)
        if record is None:
            raise not_found(f"Flow '{key.namespace}.{key.id}' not found")
        found.append(record)
    return found


async def _by_query(request: Request, services: WebServices, tenant: str) -> list[FlowRecord]:
    query = flow_query(
        tenant, request.query_params, services.clock(), services.settings.execution.system_namespace
    )
    return [record async for record in all_flows(services, query)]


async def _delete_all(services: WebServices, records: Iterable[FlowRecord]) -> Response:
    deleted = [await delete(services, one.tenant_id, one.namespace, one.id) for one in records]
    return JsonResponse(CountJson(sum(deleted)))


async def _switch(services: WebServices, records: Iterable[FlowRecord], *, disabled: bool) -> Response:
    """Give flows a revision that is switched off or on; those that are so already are not counted."""
    count = 0
    for record in records:
        if record.disabled is disabled:
            continue
        parsed = await parse(services, _with_disabled(record.source, disabled=disabled))
        if parsed.flow.disabled is not disabled:
            raise invalid_entity(
                f"Flow '{record.namespace}.{record.id}' must be edited by hand: set `disabled`."
            )
        await save(services, record.tenant_id, parsed, record.revision)
        count += 1
    return JsonResponse(CountJson(count))


def _with_disabled(source: str, *, disabled: bool) -> str:
    """The source with the property set; everything else stays as it is written."""
    line = f"disabled: {'true' if disabled else 'false'}"
    if _DISABLED.search(source):
        return _DISABLED.sub(line, source, count=1)
    return _AFTER_NAMESPACE.sub(rf"\1\n{line}", source, count=1)


async def _archive(records: Sequence[FlowRecord]) -> Response:
    archive = await asyncio.to_thread(_zipped, records)
    headers = {"Content-Disposition": 'attachment; filename="flows.zip"'}
    return StreamingResponse(_read(archive), headers=headers, media_type="application/octet-stream")


def _zipped(records: Sequence[FlowRecord]) -> IO[bytes]:
    archive = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed when it has been sent
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for record in records:
            target.writestr(f"{record.namespace}-{record.id}.yml", record.source)
    archive.seek(0)
    return archive


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


async def _uploaded(request: Request) -> tuple[str, bytes]:
    """The name and the content of the file that a form brings."""
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise ApiError(415, "Unsupported Media Type: send the file as `fileUpload` of a multipart form.")
    async for part in MultipartReader(content_type, request.stream()).parts():
        if part.name == "fileUpload":
            return part.filename or "", await part.content(MAX_BULK_BYTES)
    raise bad_request("The form has no file `fileUpload`.")


def _unpacked(content: bytes) -> list[str]:
    """The texts of an archive of YAML files, in the order of their names.

    Raises:
        ApiError: 400, it is none; 413, it holds too much.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith((".yml", ".yaml"))]
            if sum(entry.file_size for entry in entries) > MAX_BULK_BYTES:
                raise ApiError(413, f"The archive holds more than {MAX_BULK_BYTES} bytes.")
            entries.sort(key=lambda entry: entry.filename)
            return [_text(entry.filename, archive.read(entry)) for entry in entries]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise bad_request(f"The archive cannot be read: {error}") from None


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise bad_request(f"The file `{name}` is no UTF-8 text.") from None
