"""The internal storage on a disk of this host.

Files lie at `<base>/<tenant>/<path>` under the names that their URIs decode to. The object-store
library's own local store is not used here: it syncs nothing to disk, so an acknowledged upload
could vanish in a power cut, and it follows symbolic links out of its folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterable, Iterator
from functools import partial
from pathlib import Path

from windhover.storage.backend import CHUNK_BYTES, FileStream, ObjectKey, Source, StoredFile
from windhover.storage.disk_errors import disk_errors
from windhover.storage.errors import InvalidStorageUriError, StorageError, StorageLimitError
from windhover.storage.folders import (
    open_file,
    open_folder,
    prune_empty,
    refuse_link,
    remove_tree,
    walk_files,
)
from windhover.storage.incoming import IncomingFile, sweep_incoming
from windhover.storage.local_stream import LocalFileStream, StorageThreads, describe

__all__ = ["LocalBackend"]

# The first name of a key is the tenant, whose folder stays when it is empty.
_TENANT_DEPTH = 1


class LocalBackend:
    """Keeps files in a folder; see `StorageBackend` for the contract."""

    def __init__(self, base_path: Path) -> None:
        try:
            base_path.mkdir(parents=True, exist_ok=True)
            self._base = base_path.resolve(strict=True)
        except OSError as error:
            raise StorageError(f"the storage folder {base_path} cannot be made: {error.strerror}") from error
        if not os.access(self._base, os.R_OK | os.W_OK | os.X_OK):
            raise StorageError(f"the storage folder {self._base} cannot be written to: permission denied")
        # Not the loop's own pool: tasks with blocking code fill that one for hours.
        self._threads = StorageThreads()

    async def put(self, key: ObjectKey, source: Source, size_limit: int | None) -> StoredFile:
        """Write the file aside and move it into its place once it is whole and on the disk."""
        incoming = IncomingFile(self._base, key, size_limit)
        try:
            if isinstance(source, (bytes, bytearray, memoryview)):
                return await self._threads.run(lambda: incoming.write_whole(source))
            if isinstance(source, AsyncIterable):
                await self._receive(source, incoming)
            else:
                await self._threads.run(lambda: incoming.copy(source))
            return await self._threads.run(incoming.publish)
        except BaseException:
            # A cancelled await leaves its thread running: discard waits for it there.
            await asyncio.shield(self._threads.run(incoming.discard))
            raise

    async def open(self, key: ObjectKey, start: int, end: int | None) -> FileStream:
        """Open a file; it stays readable to its end even if it is deleted meanwhile."""

        def opened() -> FileStream:
            with self._in_folder_of(key) as (folder, name):
                file = open_file(folder, name)
            described = describe(key, os.fstat(file))
            last = described.size if end is None else min(end, described.size)
            return LocalFileStream(self._threads, self._base, file, described, min(start, last), last)

        return await self._threads.run(opened)

    def read_now(self, key: ObjectKey, limit: int) -> bytes:
        """Read a small file in the calling thread."""
        with self._in_folder_of(key) as (folder, name), open(open_file(folder, name), "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise StorageLimitError(f"{key.uri}: the file has more than the limit of {limit} bytes")
        return content

    async def stat(self, key: ObjectKey) -> StoredFile:
        """Describe a file."""
        return await self._threads.run(lambda: self._stat(key))

    async def list_files(self, prefix: ObjectKey) -> list[StoredFile]:
        """Describe the files below a folder, sorted by path."""

        def listed() -> list[StoredFile]:
            with disk_errors(prefix.uri, self._base):
                try:
                    with open_folder(self._base, prefix.segments) as folder:
                        found = sorted(walk_files(folder), key=lambda entry: entry[0])
                except (FileNotFoundError, NotADirectoryError):
                    return []
            files = []
            for names, metadata in found:
                # A name that no URI can say was put there by hand, and nobody can ask for it.
                with contextlib.suppress(InvalidStorageUriError):
                    files.append(describe(ObjectKey(prefix.tenant, prefix.path.child(*names)), metadata))
            return files

        return await self._threads.run(listed)

    async def delete(self, key: ObjectKey) -> bool:
        """Remove a file and the folders that this leaves empty.

        A deletion is not synced: should a power cut undo it, it can be repeated.
        """

        def deleted() -> bool:
            try:
                with self._in_folder_of(key) as (folder, name):
                    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                        refuse_link(folder, name)
                        return False
                    os.unlink(name, dir_fd=folder)
            except FileNotFoundError:
                return False
            prune_empty(self._base, key.segments[:-1], keep=_TENANT_DEPTH)
            return True

        return await self._threads.run(deleted)

    async def delete_prefix(self, prefix: ObjectKey) -> int:
        """Remove a file or a folder, and the folders above that this leaves empty."""
        if await self.delete(prefix):
            return 1

        def deleted() -> int:
            try:
                with self._in_folder_of(prefix) as (folder, name):
                    removed = remove_tree(folder, name)
            except FileNotFoundError:
                return 0
            prune_empty(self._base, prefix.segments[:-1], keep=_TENANT_DEPTH)
            return removed

        return await self._threads.run(deleted)

    async def move(self, source: ObjectKey, target: ObjectKey) -> StoredFile:
        """Rename a file, and sync both folders."""

        def moved() -> StoredFile:
            self._stat(source)
            with (
                self._in_folder_of(source) as (old_folder, old_name),
                self._in_folder_of(target, writing=True) as (new_folder, new_name),
            ):
                refuse_link(new_folder, new_name)
                os.rename(old_name, new_name, src_dir_fd=old_folder, dst_dir_fd=new_folder)
                os.fsync(new_folder)
                os.fsync(old_folder)
            prune_empty(self._base, source.segments[:-1], keep=_TENANT_DEPTH)
            return self._stat(target)

        return await self._threads.run(moved)

    async def sweep(self) -> int:
        """Remove the unfinished files of writers that are gone."""

        def swept() -> int:
            with disk_errors("sweep", self._base):
                return sweep_incoming(self._base)

        return await self._threads.run(swept)

    async def close(self) -> None:
        """End the threads, after what they are doing."""
        await self._threads.close()

    async def _receive(self, source: AsyncIterable[bytes], incoming: IncomingFile) -> None:
        """Write a stream in pieces of about CHUNK_BYTES: a thread switch costs more than 64 KiB."""
        chunks: list[bytes] = []
        held = 0
        async for chunk in source:
            chunks.append(chunk)
            held += len(chunk)
            if held >= CHUNK_BYTES:
                await self._threads.run(partial(incoming.write, *chunks))
                chunks, held = [], 0
        await self._threads.run(partial(incoming.write, *chunks))

    def _stat(self, key: ObjectKey) -> StoredFile:
        with self._in_folder_of(key) as (folder, name):
            metadata = os.stat(name, dir_fd=folder, follow_symlinks=False)
            refuse_link(folder, name)
            if not stat.S_ISREG(metadata.st_mode):
                raise FileNotFoundError(f"{name} is not a file")
            return describe(key, metadata)

    @contextlib.contextmanager
    def _in_folder_of(self, key: ObjectKey, *, writing: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder of a file, with its name there; disk errors in the block name the URI."""
        *folders, name = key.segments
        with (
            disk_errors(key.uri, self._base, writing=writing),
            open_folder(self._base, tuple(folders), create=writing) as folder,
        ):
            yield folder, name
