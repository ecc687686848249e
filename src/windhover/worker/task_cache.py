"""The task cache: outputs of a task that are taken again where the task looks the same (``taskCache``).

Documentation page: ``docs/task-cache.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Self

import msgspec

from windhover.engine.messages import Job
from windhover.model.execution import JsonValue
from windhover.model.task import TaskCache
from windhover.storage import StorageFileNotFoundError, TenantStorage, flow_prefix
from windhover.util.durations import parse_duration


class _Kept(msgspec.Struct):
    at: datetime
    outputs: dict[str, JsonValue]


class CachedOutputs:
    """The place of one task, as its rendered properties make it, in the cache of its flow."""

    def __init__(self, storage: TenantStorage, uri: str, cache: TaskCache) -> None:
        self._storage = storage
        self._uri = uri
        self._ttl = parse_duration(cache.ttl) if cache.ttl is not None else None

    @classmethod
    def of(cls, job: Job, properties: Mapping[str, JsonValue], storage: TenantStorage) -> Self | None:
        """Where the outputs of a job are kept; None when they are not to be.

        Each value of a loop has a place of its own. A task in a shared directory is always run: what it
        leaves there is not among its outputs.
        """
        cache, identity = job.task.task_cache, job.identity
        if cache is None or not cache.enabled or job.directory is not None:
            return None
        looks = [job.task.type, job.task.id, properties, _loop_value(job)]
        key = hashlib.sha256(msgspec.json.encode(looks, order="deterministic")).hexdigest()
        folder = flow_prefix(identity.namespace, identity.flow_id)
        return cls(storage, f"{folder.rstrip('/')}/tasks/{job.task.id}/cache/{key}.json", cache)

    async def take(self, now: datetime) -> dict[str, JsonValue] | None:
        """The outputs that are kept; None when there are none, or they are too old.

        Raises:
            StorageError: the storage fails.
            msgspec.DecodeError: what is kept cannot be read.
        """
        try:
            kept = msgspec.json.decode(await self._storage.read(self._uri), type=_Kept)
        except StorageFileNotFoundError:
            return None
        return None if self._ttl is not None and kept.at + self._ttl <= now else kept.outputs

    async def keep(self, outputs: dict[str, JsonValue], now: datetime) -> None:
        """Keep outputs in the place of those that are kept.

        Raises:
            StorageError: the storage fails.
        """
        await self._storage.put(self._uri, msgspec.json.encode(_Kept(now, outputs)))


def _loop_value(job: Job) -> JsonValue:
    """The value of the loop that a task run is of, if it is of one."""
    task_run = job.variables.get("taskrun")
    return task_run.get("value") if isinstance(task_run, Mapping) else None
