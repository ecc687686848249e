"""Reading a file of a local storage without blocking the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from windhover.storage.backend import CHUNK_BYTES, FileStream, ObjectKey, StoredFile
from windhover.storage.disk_errors import disk_errors

__all__ = ["LocalFileStream", "StorageThreads", "describe"]

_Result = TypeVar("_Result")
_THREADS = 8


class StorageThreads:
    """The threads of a local storage.

    Not the event loop's own, which tasks with blocking code may fill for hours.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")

    def run(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Do blocking work in a thread."""
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def close(self) -> None:
        """End the threads, after what they are doing."""
        await asyncio.to_thread(self._pool.shutdown)


def describe(key: ObjectKey, metadata: os.stat_result) -> StoredFile:
    """What the file system knows of a file, as the storage tells it."""
    return StoredFile(key.uri, metadata.st_size, datetime.fromtimestamp(metadata.st_mtime, UTC))


class LocalFileStream(FileStream):
    """Reads an open file from a thread, a chunk at a time."""

    def __init__(
        self, threads: StorageThreads, base: Path, file: int, described: StoredFile, start: int, end: int
    ) -> None:
        super().__init__(described, start, end)
        self._threads = threads
        self._base = base
        self._file: int | None = file
        self._position = start
        # Without it an abandoned read could go on in its thread with a number that, once
        # closed, the system gives to another file.
        self._lock = threading.Lock()

    async def __anext__(self) -> bytes:
        if self._file is None:
            raise StopAsyncIteration
        try:
            chunk = await self._threads.run(self._read)
        except BaseException:
            await self.aclose()
            raise
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        if self._file is not None:
            await asyncio.shield(self._threads.run(self._close))

    def __del__(self) -> None:
        self._close()

    def _read(self) -> bytes:
        with self._lock, disk_errors(self.file.uri, self._base):
            if self._file is None:
                return b""
            chunk = os.pread(self._file, min(CHUNK_BYTES, self.end - self._position), self._position)
            self._position += len(chunk)
            if not chunk or self._position == self.end:
                # At once: closing later would cost a small file another switch of threads.
                self._close_now()
            return chunk

    def _close(self) -> None:
        with self._lock:
            self._close_now()

    def _close_now(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
