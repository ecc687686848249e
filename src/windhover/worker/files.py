"""The internal storage as far as one task run may reach."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import BinaryIO

from windhover.engine.messages import Job
from windhover.model.execution import JsonValue
from windhover.storage import (
    TenantStorage,
    execution_prefix,
    flow_prefix,
    is_within,
    namespace_prefix,
    parse_uri,
    task_run_uri,
)
from windhover.util.ids import new_id

#: The variables in which a file of somebody else may have been handed to an execution.
_HANDED_OVER = ("inputs", "trigger", "outputs")

#: The folder of a namespace's own files.
_NAMESPACE_FILES = "_files"


class TaskFiles:
    """Files of a task run; see ``FileStore``.

    It may read the files of its own execution, those of its own namespace, and those of other executions
    whose URI it was given as an input, by the trigger, or as an output of a task.
    """

    def __init__(self, storage: TenantStorage, job: Job) -> None:
        self._storage = storage
        self._job = job

    async def put(self, source: bytes | Path | BinaryIO | AsyncIterator[bytes], name: str) -> str:
        identity = self._job.identity
        # Each file has a folder of its own: two of one name, or of two attempts, never meet.
        uri = task_run_uri(
            identity.namespace,
            identity.flow_id,
            identity.execution_id,
            identity.task_id,
            identity.task_run_id,
            f"{new_id()}/{name}",
        )
        return (await self._storage.put(uri, source)).uri

    async def open(self, uri: str) -> AsyncIterator[bytes]:
        async with await self._storage.open(self._permitted(uri)) as stream:
            async for chunk in stream:
                yield chunk

    async def read_stored(self, uri: str, maximum: int) -> bytes:
        """Read an output that was put away, by this execution or the one of the same flow it replays.

        The marker that names it may be forged by the outputs of a script: neither size nor place is believed.

        Raises:
            PermissionError: the file is none of this flow's.
            StorageError: it is gone, or has more than ``maximum`` bytes.
        """
        identity = self._job.identity
        if not is_within(uri, flow_prefix(identity.namespace, identity.flow_id)):
            raise PermissionError(f"{uri} is no output of this flow")
        return await self._storage.read(uri, maximum)

    async def size(self, uri: str) -> int:
        return (await self._storage.stat(self._permitted(uri))).size

    async def exists(self, uri: str) -> bool:
        return await self._storage.exists(self._permitted(uri))

    async def download(self, uri: str, target: Path) -> None:
        await self._storage.download(self._permitted(uri), target)

    async def delete(self, uri: str) -> bool:
        identity = self._job.identity
        own = execution_prefix(identity.namespace, identity.flow_id, identity.execution_id)
        if not is_within(uri, own):
            raise PermissionError(f"{uri} is no file of this execution and cannot be deleted by it")
        return await self._storage.delete(uri)

    def _permitted(self, uri: str) -> str:
        identity = self._job.identity
        if is_within(uri, execution_prefix(identity.namespace, identity.flow_id, identity.execution_id)):
            return uri
        path = parse_uri(uri)
        if path.is_within(parse_uri(f"{namespace_prefix(identity.namespace)}/{_NAMESPACE_FILES}")):
            return uri
        # Ids of executions cannot be guessed, so naming one is proof of having been given it.
        if "executions" in path.segments and any(
            _mentions(self._job.variables[name], uri) for name in _HANDED_OVER if name in self._job.variables
        ):
            return uri
        raise PermissionError(
            f"{uri} belongs to another execution, and was not given to this one as an input, by its trigger"
            " or by a task"
        )


def _mentions(value: JsonValue, uri: str) -> bool:
    if isinstance(value, str):
        return uri in value
    if isinstance(value, Mapping):
        return any(_mentions(item, uri) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(item, uri) for item in value)
    return False
