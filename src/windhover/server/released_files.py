"""Deletes the files of executions that are gone, once no other execution needs them.

Documentation page: ``docs/storage.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.released_files import ReleasedFileRepository, ReleasedFolder
from windhover.storage import Storage, StorageError, execution_prefix

logger = logging.getLogger(__name__)

_FOLDERS_AT_ONCE = 500
#: Folders that are deleted at the same time.
_AT_ONCE = 8


class ReleasedFiles:
    """Removes folders of the storage that are noted as released; the note goes last.

    Whoever deletes an execution asks for its files by :meth:`remove`. What a crash or a fault of the storage
    has left over, the sweep removes: it runs at the start of a server, and then every ``interval``.
    """

    def __init__(
        self, repository: ReleasedFileRepository, storage: Storage, interval: timedelta = timedelta(hours=1)
    ) -> None:
        self._repository = repository
        self._storage = storage
        self._interval = interval
        self._sweeping: asyncio.Task[None] | None = None
        self._asked: dict[str, None] = {}
        self._removing = asyncio.Lock()

    async def release(self, execution_ids: Sequence[str]) -> None:
        """Note that the files of ended executions may go, though the executions stay."""
        await self._repository.release(execution_ids)

    async def remove(self, execution_ids: Sequence[str]) -> int:
        """Delete the files of executions that have released them, and of those that these borrowed from.

        Returns how many files went. Those that another execution still borrows stay until that is deleted,
        and those that the storage cannot delete now until the next sweep.
        """
        count = 0
        waiting = list(execution_ids)
        while waiting:
            folders = await self._repository.deletable(waiting)
            gone: list[str] = []
            for start in range(0, len(folders), _AT_ONCE):
                together = folders[start : start + _AT_ONCE]
                removed = await asyncio.gather(*map(self._remove, together))
                count += sum(files for files in removed if files is not None)
                gone += [
                    f.execution_id for f, files in zip(together, removed, strict=True) if files is not None
                ]
            waiting = await self._repository.deleted(gone) if gone else []
        return count

    async def remove_together(self, execution_ids: Sequence[str]) -> None:
        """As :meth:`remove`, in one go with what others ask for meanwhile: for deletions one by one."""
        self._asked.update(dict.fromkeys(execution_ids))
        async with self._removing:
            # Whoever had the lock before may have done it.
            asked, self._asked = self._asked, {}
            if asked:
                await self.remove(list(asked))

    async def sweep(self) -> int:
        """Delete all that has been released and is needed no more; how many files there were."""
        count, after = 0, ""
        while folders := await self._repository.all_deletable(after, _FOLDERS_AT_ONCE):
            count += await self.remove([folder.execution_id for folder in folders])
            after = folders[-1].execution_id
        return count

    def start(self) -> None:
        """Begin to sweep now and then."""
        self._sweeping = asyncio.create_task(self._run(), name="released-files")

    async def stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def _remove(self, folder: ReleasedFolder) -> int | None:
        """Delete one folder; None when the storage cannot."""
        uri = execution_prefix(folder.namespace, folder.flow_id, folder.execution_id)
        try:
            return await self._storage.for_tenant(folder.tenant_id).delete_prefix(uri)
        except StorageError as error:
            logger.warning("Files of a deleted execution stay until the next sweep: %s", error)
            return None

    async def _run(self) -> None:
        while True:
            try:
                removed = await self.sweep()
                if removed:
                    logger.info("Deleted %d files of executions that are gone.", removed)
            except (RepositoryUnavailable, RepositoryError) as error:
                logger.warning("Files of deleted executions cannot be swept now: %s", error)
            await asyncio.sleep(self._interval.total_seconds())
