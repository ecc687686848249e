"""Files of namespaces: listing, reading in any version, writing, moving, deleting and exporting them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from windhover.model.namespace_file import (
    InvalidPath,
    NamespaceFile,
    NamespaceFileExists,
    NamespaceFileMissing,
    directory_path,
)
from windhover.repository.namespace_files import NamespaceFileRepository
from windhover.storage.namespace_files import TenantNamespaceFiles
from windhover.webserver.errors import ApiError, bad_request, conflict, not_found
from windhover.webserver.multipart import MultipartReader, Part
from windhover.webserver.openapi import answers, answers_nothing, answers_with, takes
from windhover.webserver.parameters import Namespace, Revision, Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices
from windhover.webserver.zip_stream import ZipStream

router = APIRouter(prefix="/api/v1/{tenant}/namespaces/{namespace}/files", tags=["Files"])

FilePath = Annotated[str, Query(description="A path within the namespace.")]
OptionalPath = Annotated[
    str | None, Query(alias="path", description="A path within the namespace; its root by default.")
]

_UPLOAD = {
    "type": "object",
    "required": ["fileContent"],
    "properties": {"fileContent": {"type": "string", "format": "binary"}},
}


class FileAttributesJson(msgspec.Struct, rename="camel"):
    """A file or directory; times are milliseconds since 1970, the size is in bytes."""

    type: str
    size: int
    file_name: str
    last_modified_time: int
    creation_time: int
    metadata: dict[str, str] | None = None


class FileRevisionJson(msgspec.Struct):
    """One version of a file, counted from 1."""

    revision: int


@router.get("", responses=answers_with("application/octet-stream", "The file"), operation_id="getFileContent")
async def get_file(
    services: Services, tenant: Tenant, namespace: Namespace, path: FilePath, revision: Revision = None
) -> Response:
    """The content of a file, by default its latest revision."""
    files = _files(services, tenant)
    try:
        file = await files.get(namespace, path, revision)
    except (NamespaceFileMissing, InvalidPath) as error:
        raise _translated(error) from None
    headers = {
        "Content-Length": str(file.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        # What somebody has uploaded is never a page of this server.
        "X-Content-Type-Options": "nosniff",
    }
    stream = await files.open(file)

    async def chunks() -> AsyncIterator[bytes]:
        async with stream:
            async for chunk in stream:
                yield chunk

    return StreamingResponse(chunks(), headers=headers, media_type="application/octet-stream")


@router.post(
    "",
    responses=answers_nothing(200, "Stored"),
    operation_id="createNamespaceFile",
    openapi_extra=takes("multipart/form-data", _UPLOAD),
)
async def create_file(
    services: Services, tenant: Tenant, namespace: Namespace, path: FilePath, request: Request
) -> Response:
    """Store a file, as the next revision where there is one."""
    reader = MultipartReader(request.headers.get("content-type", ""), request.stream())
    files = _files(services, tenant)
    stored = False
    async for part in reader.parts():
        if part.name == "fileContent" and not stored:
            await _put(files, namespace, path, part)
            stored = True
    if not stored:
        raise bad_request("The form has no file in the field `fileContent`.")
    return Response(status_code=200)


@router.put("", responses=answers_nothing(200, "Moved"), operation_id="moveFileDirectory")
async def move_file(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    source: Annotated[str, Query(alias="from", description="The path it has.")],
    target: Annotated[str, Query(alias="to", description="The path it gets.")],
) -> Response:
    """Move a file with its revisions, or a directory with all it holds."""
    try:
        await _files(services, tenant).move(namespace, source, target)
    except (NamespaceFileMissing, NamespaceFileExists, InvalidPath) as error:
        raise _translated(error) from None
    return Response(status_code=200)


@router.delete("", responses=answers_nothing(200, "Deleted"), operation_id="deleteFileDirectory")
async def delete_file(services: Services, tenant: Tenant, namespace: Namespace, path: FilePath) -> Response:
    """Delete a file, or a directory with all it holds."""
    try:
        gone = await _files(services, tenant).delete(namespace, path)
    except InvalidPath as error:
        raise _translated(error) from None
    if not gone:
        raise not_found(f"'{path}' was not found in namespace '{namespace}'")
    return Response(status_code=200)


@router.get(
    "/directory",
    responses=answers(list[FileAttributesJson]),
    operation_id="listNamespaceDirectoryFiles",
)
async def list_directory(
    services: Services, tenant: Tenant, namespace: Namespace, path: OptionalPath = None
) -> Response:
    """What lies directly in a directory: its directories first, each kind by name."""
    files = _files(services, tenant)
    try:
        directory = directory_path(path or "")
        if directory and await files.find(namespace, directory) is None:
            raise NamespaceFileMissing(namespace, directory.rstrip("/"))
        found = await files.list(namespace, directory)
    except (NamespaceFileMissing, InvalidPath) as error:
        raise _translated(error) from None
    direct = [file for file in found if "/" not in file.path[len(directory) :].rstrip("/")]
    direct.sort(key=lambda file: (not file.is_directory, file.name))
    return JsonResponse([_attributes(file) for file in direct])


@router.post("/directory", responses=answers_nothing(200, "Made"), operation_id="createNamespaceDirectory")
async def create_directory(
    services: Services, tenant: Tenant, namespace: Namespace, path: OptionalPath = None
) -> Response:
    """Make a directory, and those around it."""
    try:
        await _files(services, tenant).create_directory(namespace, path or "")
    except (NamespaceFileExists, InvalidPath) as error:
        raise _translated(error) from None
    return Response(status_code=200)


@router.get(
    "/export",
    responses=answers_with("application/octet-stream", "A zip archive of all files"),
    operation_id="exportNamespaceFiles",
)
async def export_files(services: Services, tenant: Tenant, namespace: Namespace) -> Response:
    """All files of a namespace as a zip archive."""
    files = _files(services, tenant)
    listed = await files.list(namespace)

    async def archive() -> AsyncIterator[bytes]:
        zipped = ZipStream()
        for file in listed:
            if file.is_directory:
                continue
            async for chunk in zipped.add(file.path, file.updated, files.stream(file)):
                yield chunk
        yield zipped.close()

    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(namespace)}_files.zip"}
    return StreamingResponse(archive(), headers=headers, media_type="application/octet-stream")


@router.get("/revisions", responses=answers(list[FileRevisionJson]), operation_id="getFileRevisions")
async def list_revisions(
    services: Services, tenant: Tenant, namespace: Namespace, path: OptionalPath = None
) -> Response:
    """The revisions of a file that are kept, the oldest first."""
    try:
        found = await _files(services, tenant).versions(namespace, path or "")
    except (NamespaceFileMissing, InvalidPath) as error:
        raise _translated(error) from None
    return JsonResponse([FileRevisionJson(file.version) for file in found])


@router.get("/search", responses=answers(list[str]), operation_id="searchNamespaceFiles")
async def search_files(
    services: Services,
    tenant: Tenant,
    namespace: Namespace,
    q: Annotated[str, Query(description="Text that the path holds.")],
) -> Response:
    """The paths of the files that hold a text, in upper or lower case."""
    found = await _files(services, tenant).list(namespace)
    return JsonResponse([f"/{file.path}" for file in _holding(found, q)])


@router.get("/stats", responses=answers(FileAttributesJson), operation_id="getFileMetadatas")
async def file_stats(
    services: Services, tenant: Tenant, namespace: Namespace, path: OptionalPath = None
) -> Response:
    """What is known of a file or directory."""
    files = _files(services, tenant)
    name = path or ""
    try:
        found = await files.find(namespace, name) if name.strip("/") else None
        if found is None:
            found = await files.find(namespace, f"{name.strip('/')}/") if name.strip("/") else None
    except InvalidPath as error:
        raise _translated(error) from None
    if found is not None:
        return JsonResponse(_attributes(found))
    if name.strip("/"):
        raise _translated(NamespaceFileMissing(namespace, name.strip("/")))
    return JsonResponse(FileAttributesJson("Directory", 0, "", 0, 0))


async def _put(files: TenantNamespaceFiles, namespace: str, path: str, part: Part) -> None:
    try:
        await files.put(namespace, path, part)
    except (NamespaceFileExists, InvalidPath) as error:
        raise _translated(error) from None


def _files(services: WebServices, tenant: str) -> TenantNamespaceFiles:
    return TenantNamespaceFiles(
        NamespaceFileRepository(services.database), services.storage.for_tenant(tenant), services.clock
    )


def _holding(files: Sequence[NamespaceFile], text: str) -> list[NamespaceFile]:
    wanted = text.lower()
    return [file for file in files if not file.is_directory and wanted in file.path.lower()]


def _translated(error: Exception) -> ApiError:
    if isinstance(error, NamespaceFileMissing):
        return not_found(str(error))
    if isinstance(error, NamespaceFileExists):
        return conflict(str(error))
    return bad_request(str(error))


def _attributes(file: NamespaceFile) -> FileAttributesJson:
    return FileAttributesJson(
        "Directory" if file.is_directory else "File",
        file.size,
        file.name,
        int(file.updated.timestamp() * 1000),
        int(file.created.timestamp() * 1000),
    )
