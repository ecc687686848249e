"""The internal storage as far as one task run may reach."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from windhover.engine.messages import Job
from windhover.engine.spill import stored_value
from windhover.engine.variables import with_all_outputs
from windhover.model.execution import JsonValue
from windhover.plugin.context import NamespaceFileStore
from windhover.storage import (
    StoragePath,
    TenantStorage,
    execution_prefix,
    flow_prefix,
    is_within,
    parse_prefix,
    storable_name,
    task_run_uri,
)
from windhover.util.ids import new_id
from windhover.worker.readable_files import ReadableFiles

#: The variables that may hold values which are kept in the storage.
_VALUES = frozenset({"inputs", "outputs", "trigger"})

#: The folder of a flow for what its tasks keep for later executions.
_CACHES = "_caches"


class TaskFiles:
    """Files of a task run; see ``FileStore``. What it may read, ``ReadableFiles`` says."""

    def __init__(
        self,
        storage: TenantStorage,
        job: Job,
        namespace_files: NamespaceFileStore,
        files_lent: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._storage = storage
        self._files_lent = files_lent
        self._job = job
        self._readable = ReadableFiles(job.identity, with_all_outputs(job.variables), namespace_files)

    async def put(
        self,
        source: bytes | Path | BinaryIO | AsyncIterator[bytes],
        name: str,
        *,
        folder: str | None = None,
    ) -> str:
        identity = self._job.identity
        # Each file has a folder of its own: two of one name, or of two attempts, never meet.
        uri = task_run_uri(
            identity.namespace,
            identity.flow_id,
            identity.execution_id,
            identity.task_id,
            identity.task_run_id,
            f"{folder or new_id()}/{name}",
        )
        return (await self._storage.put(uri, source)).uri

    async def put_cached(self, source: Path, name: str) -> None:
        await self._storage.put(self._cached(name), source)

    async def download_cached(self, name: str, target: Path, written_after: datetime | None) -> bool:
        place = self._cached(name)
        try:
            if written_after is not None and (await self._storage.stat(place)).modified < written_after:
                return False
            await self._storage.download(place, target)
        except FileNotFoundError:
            return False
        return True

    def _cached(self, name: str) -> StoragePath:
        identity = self._job.identity
        flow = parse_prefix(flow_prefix(identity.namespace, identity.flow_id))
        return flow.child(_CACHES, identity.task_id, storable_name(name))

    async def open(self, uri: str) -> AsyncIterator[bytes]:
        async with await self._storage.open(await self._readable.locate(uri)) as stream:
            async for chunk in stream:
                yield chunk

    async def read_stored(self, uri: str, maximum: int) -> bytes:
        """Read a value that was put away by an execution of this flow, or by one that has triggered this one.

        The marker that names it may be forged by the outputs of a script: neither size nor place is believed.

        Raises:
            PermissionError: the file is none of this flow's, and did not come with the trigger.
            StorageError: it is gone, or has more than ``maximum`` bytes.
        """
        identity = self._job.identity
        if not is_within(uri, flow_prefix(identity.namespace, identity.flow_id)):
            self._readable.require_of_trigger(uri)
        return await self._storage.read(uri, maximum)

    async def size(self, uri: str) -> int:
        return (await self._storage.stat(await self._readable.locate(uri))).size

    async def exists(self, uri: str) -> bool:
        try:
            return await self._storage.exists(await self._readable.locate(uri))
        except FileNotFoundError:
            return False

    async def download(self, uri: str, target: Path) -> None:
        await self._storage.download(await self._readable.locate(uri), target)

    async def delete(self, uri: str) -> bool:
        identity = self._job.identity
        own = execution_prefix(identity.namespace, identity.flow_id, identity.execution_id)
        if not is_within(uri, own):
            raise PermissionError(f"{uri} is no file of this execution and cannot be deleted by it")
        return await self._storage.delete(uri)

    async def delete_all(self) -> Sequence[str]:
        identity = self._job.identity
        if await self._files_lent(identity.execution_id):
            return []
        own = execution_prefix(identity.namespace, identity.flow_id, identity.execution_id)
        variables = with_all_outputs(self._job.variables)
        kept = set(_stored_uris({name: variables[name] for name in variables if name in _VALUES}))
        uris = [file.uri for file in await self._storage.list_files(own) if file.uri not in kept]
        if not kept:
            await self._storage.delete_prefix(own)
        else:
            for uri in uris:
                await self._storage.delete(uri)
        return uris


def _stored_uris(value: JsonValue) -> Iterator[str]:
    """The files of values that are too large for a record: to whoever wrote the flow they are no files."""
    stored = stored_value(value)
    if stored is not None:
        yield stored.uri
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _stored_uris(item)
