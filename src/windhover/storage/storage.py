"""The internal storage: the files of inputs, outputs, namespaces and key-value pairs."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from windhover.storage.backend import FileStream, ObjectKey, Source, StorageBackend, StoredFile
from windhover.storage.errors import (
    InvalidStorageUriError,
    StorageError,
    StorageFileNotFoundError,
    StorageLimitError,
)
from windhover.storage.uri import StoragePath, parse_prefix, parse_uri
from windhover.util.ids import new_id

__all__ = ["DEFAULT_READ_LIMIT", "Storage", "TenantStorage"]

DEFAULT_READ_LIMIT = 10 * 1024 * 1024
"""The largest file, in bytes, that `TenantStorage.read` takes into memory unless told otherwise."""

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Storage:
    """The internal storage of an installation; files are reached through `for_tenant`."""

    def __init__(self, backend: StorageBackend) -> None:
        self._backend = backend

    @classmethod
    def local(cls, base_path: Path) -> Storage:
        """Keep files in a folder of this host, which is made if it is missing.

        Raises:
            StorageError: the folder cannot be made or written to.
        """
        from windhover.storage.local import LocalBackend

        return cls(LocalBackend(base_path))

    def for_tenant(self, tenant: str) -> TenantStorage:
        """The files of one tenant, as `kestra:///` URIs name them.

        Raises:
            StorageError: the tenant's name is not made of letters, digits, `-` and `_`.
        """
        if not _TENANT.fullmatch(tenant):
            raise StorageError(f"{tenant!r} cannot name a tenant: use letters, digits, '-' and '_'")
        return TenantStorage(self._backend, tenant)

    async def sweep(self) -> int:
        """Remove what a crash left half-written; return how many files there were.

        Safe at any time, also while other processes write to the same storage.
        """
        return await self._backend.sweep()

    async def close(self) -> None:
        """Let go of threads and connections."""
        await self._backend.close()


class TenantStorage:
    """The files of one tenant.

    Every method takes a `kestra:///` URI (or a `StoragePath`) and raises `InvalidStorageUriError`
    for anything else, `StorageError` when the storage fails; the message names the URI.
    """

    def __init__(self, backend: StorageBackend, tenant: str) -> None:
        self._backend = backend
        self.tenant = tenant

    async def put(
        self, uri: str | StoragePath, source: Source, *, size_limit: int | None = None
    ) -> StoredFile:
        """Store a file, replacing the one of the same URI.

        The content is streamed, never held whole. The file appears whole or not at all, and once
        this returns it survives a power cut. An error of `source` itself comes through unchanged.

        Raises:
            StorageLimitError: the content has more than `size_limit` bytes; nothing is kept.
        """
        return await self._backend.put(self._file(uri), source, size_limit)

    async def open(self, uri: str | StoragePath, *, start: int = 0, end: int | None = None) -> FileStream:
        """Open a file for reading in chunks: `async for chunk in await storage.open(uri)`.

        `start` and `end` (not included) are byte offsets, cut to the size of the file.

        Raises:
            StorageFileNotFoundError: there is no such file.
        """
        if start < 0 or (end is not None and end < start):
            raise StorageError(f"{uri}: the range {start}-{end} is not one")
        return await self._backend.open(self._file(uri), start, end)

    async def read(self, uri: str | StoragePath, limit: int = DEFAULT_READ_LIMIT) -> bytes:
        """Take a small file into memory.

        Raises:
            StorageFileNotFoundError: there is no such file.
            StorageLimitError: it has more than `limit` bytes.
        """
        async with await self.open(uri) as stream:
            if stream.length > limit:
                raise StorageLimitError(
                    f"{uri}: the file has {stream.length} bytes, more than the limit of {limit} bytes"
                )
            return b"".join([chunk async for chunk in stream])

    def read_now(self, uri: str | StoragePath, limit: int = DEFAULT_READ_LIMIT) -> bytes:
        """Take a small file into memory from code that cannot await; blocks the thread meanwhile.

        Raises:
            StorageFileNotFoundError: there is no such file.
            StorageLimitError: it has more than `limit` bytes.
        """
        return self._backend.read_now(self._file(uri), limit)

    async def download(self, uri: str | StoragePath, target: Path) -> StoredFile:
        """Copy a file to a local path, replacing what is there; its folder must exist.

        Raises:
            StorageFileNotFoundError: there is no such file.
            OSError: the target cannot be written; nothing is left there.
        """
        partial = target.with_name(f".{new_id()}.part")
        async with await self.open(uri) as stream:
            file = await asyncio.to_thread(partial.open, "xb")
            try:
                with file:
                    async for chunk in stream:
                        await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(os.replace, partial, target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            return stream.file

    async def stat(self, uri: str | StoragePath) -> StoredFile:
        """Describe a file.

        Raises:
            StorageFileNotFoundError: there is no such file.
        """
        return await self._backend.stat(self._file(uri))

    async def exists(self, uri: str | StoragePath) -> bool:
        """Whether there is a file of this URI; a folder is none."""
        try:
            await self.stat(uri)
        except StorageFileNotFoundError:
            return False
        return True

    async def list_files(self, prefix: str | StoragePath) -> list[StoredFile]:
        """Describe every file in a folder and in the folders below, sorted by path.

        A folder that is not there is an empty one.
        """
        return await self._backend.list_files(self._folder(prefix))

    async def delete(self, uri: str | StoragePath) -> bool:
        """Remove a file; false if there was none."""
        return await self._backend.delete(self._file(uri))

    async def delete_prefix(self, prefix: str | StoragePath) -> int:
        """Remove a folder with all it holds, or a single file; return how many files went.

        The root is refused: a template that renders to nothing must not wipe a tenant.
        """
        folder = self._folder(prefix)
        if not folder.path.segments:
            raise InvalidStorageUriError(f"{prefix}: the root of the storage cannot be deleted")
        return await self._backend.delete_prefix(folder)

    async def move(self, source: str | StoragePath, target: str | StoragePath) -> StoredFile:
        """Give a file another URI, replacing what is there.

        Raises:
            StorageFileNotFoundError: there is no such file.
        """
        return await self._backend.move(self._file(source), self._file(target))

    def _file(self, uri: str | StoragePath) -> ObjectKey:
        return ObjectKey(self.tenant, parse_uri(uri))

    def _folder(self, prefix: str | StoragePath) -> ObjectKey:
        return ObjectKey(self.tenant, parse_prefix(prefix))
