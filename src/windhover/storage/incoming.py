"""A file on its way into a local storage: written aside, then put in its place at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import BinaryIO

from windhover.storage.backend import CHUNK_BYTES, ObjectKey, StoredFile
from windhover.storage.disk_errors import disk_errors
from windhover.storage.errors import StorageError, StorageLimitError
from windhover.storage.folders import open_folder, refuse_link
from windhover.storage.local_stream import describe
from windhover.util.ids import new_id

__all__ = ["INCOMING_FOLDER", "IncomingFile", "sweep_incoming"]

INCOMING_FOLDER = ".incoming"
"""Where files are written before they are whole; no tenant's name starts with a dot."""

_FILE_MODE = 0o640
_PUBLISH_ATTEMPTS = 5


class IncomingFile:
    """One file being written, invisible until `publish`, gone after `discard`.

    The methods block and are meant for a thread. They exclude each other, so `discard` may be
    called while an abandoned `write` is still running in another thread.
    """

    def __init__(self, base: Path, key: ObjectKey, size_limit: int | None) -> None:
        self._base = base
        self._key = key
        self._size_limit = size_limit
        self._name = new_id()
        self._size = 0
        self._file: int | None = None
        self._closed = False
        self._lock = threading.Lock()

    def write(self, *chunks: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            StorageLimitError: they go beyond the limit; nothing of them is written.
            StorageError: the disk refuses them.
        """
        with self._lock, self._errors():
            file = self._opened()
            for chunk in chunks:
                rest = memoryview(chunk).cast("B")
                self._size += len(rest)
                if self._size_limit is not None and self._size > self._size_limit:
                    raise StorageLimitError(
                        f"{self._key.uri}: the file is larger than the limit of {self._size_limit} bytes"
                    )
                while rest:
                    rest = rest[os.write(file, rest) :]

    def write_whole(self, content: bytes | bytearray | memoryview) -> StoredFile:
        """Append all of the content and publish the file."""
        self.write(content)
        return self.publish()

    def copy(self, source: Path | BinaryIO) -> None:
        """Append the content of a local file, or the rest of an open one."""
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            while chunk := stream.read(CHUNK_BYTES):
                self.write(chunk)

    def publish(self) -> StoredFile:
        """Make the file durable and visible under its key."""
        with self._lock, self._errors():
            file = self._opened()
            os.fsync(file)
            metadata = os.fstat(file)
            self._move_into_place()
            # Closing also drops the lock by which `sweep_incoming` knows that a writer is alive.
            os.close(file)
            self._closed = True
        return describe(self._key, metadata)

    def discard(self) -> None:
        """Remove what was written, unless it was published."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._file is None:
                return
            try:
                with (
                    self._errors(),
                    open_folder(self._base, (INCOMING_FOLDER,)) as incoming,
                    # Missing when publishing failed after the file had moved.
                    contextlib.suppress(FileNotFoundError),
                ):
                    os.unlink(self._name, dir_fd=incoming)
            finally:
                os.close(self._file)

    def _opened(self) -> int:
        if self._closed:
            raise StorageError(f"{self._key.uri}: the write was abandoned")
        if self._file is None:
            with open_folder(self._base, (INCOMING_FOLDER,), create=True) as incoming:
                self._file = self._create(incoming)
        return self._file

    def _create(self, incoming: int) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            file = os.open(self._name, flags, _FILE_MODE, dir_fd=incoming)
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:
                return file
            # A sweep took the file between its making and its locking.
            os.close(file)

    def _move_into_place(self) -> None:
        *folders, name = self._key.segments
        for attempts_left in reversed(range(_PUBLISH_ATTEMPTS)):
            try:
                with (
                    open_folder(self._base, (INCOMING_FOLDER,)) as incoming,
                    open_folder(self._base, tuple(folders), create=True) as folder,
                ):
                    refuse_link(folder, name)
                    os.rename(self._name, name, src_dir_fd=incoming, dst_dir_fd=folder)
                    os.fsync(folder)
                return
            except FileNotFoundError:
                # A deletion next door removed the folder while it was still empty.
                if not attempts_left:
                    raise

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return disk_errors(self._key.uri, self._base, writing=True)


def sweep_incoming(base: Path) -> int:
    """Remove the unfinished files whose writer is gone; return how many there were.

    A living writer holds a lock on its file, in this process or another.
    """
    removed = 0
    with contextlib.suppress(FileNotFoundError), open_folder(base, (INCOMING_FOLDER,)) as incoming:
        for name in os.listdir(incoming):
            removed += _sweep_one(incoming, name)
    return removed


def _sweep_one(incoming: int, name: str) -> bool:
    try:
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=incoming)
    except OSError:
        # Published or swept by another process meanwhile, or nothing that a writer made.
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=incoming)
    except (BlockingIOError, FileNotFoundError, IsADirectoryError):
        return False
    finally:
        os.close(file)
    return True
