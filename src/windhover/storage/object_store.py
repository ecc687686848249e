"""The internal storage in an object store: S3 and its compatibles, Google Cloud Storage, Azure.

Objects lie under `<tenant>/<path>`. A put is atomic and durable by the contract of these
services; uploads that a crash interrupted are removed by a lifecycle rule of the bucket.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from windhover.storage.backend import CHUNK_BYTES, FileStream, ObjectKey, Source, StoredFile
from windhover.storage.errors import (
    InvalidStorageUriError,
    StorageError,
    StorageFileNotFoundError,
    StorageLimitError,
)
from windhover.storage.uri import StoragePath

if TYPE_CHECKING:
    from obstore import BytesStream, GetOptions, ObjectMeta
    from obstore.store import ObjectStore

__all__ = ["ObjectStoreBackend"]

# Multiplied with the part size (5 MiB) this bounds the memory that one upload takes.
_CONCURRENT_PARTS = 4
_LISTED_AT_ONCE = 1000


class ObjectStoreBackend:
    """Keeps files in a store of the `obstore` library; see `StorageBackend` for the contract."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, key: ObjectKey, source: Source, size_limit: int | None) -> StoredFile:
        """Upload a file, in parts when it is a stream."""
        import obstore

        with _store_errors(key.uri):
            await obstore.put_async(
                self._store,
                _name(key),
                _limited(_chunks(source), key, size_limit),
                max_concurrency=_CONCURRENT_PARTS,
            )
        return await self.stat(key)

    async def open(self, key: ObjectKey, start: int, end: int | None) -> FileStream:
        """Open a file, asking the store for no more than the range."""
        import obstore

        if start == 0 and end is None:
            with _missing_file(key.uri), _store_errors(key.uri):
                whole = await obstore.get_async(self._store, _name(key))
            described = _describe(whole.meta, key.path)
            return _ObjectStream(described, 0, described.size, whole.stream(CHUNK_BYTES))

        described = await self.stat(key)
        last = described.size if end is None else min(end, described.size)
        if start >= last:
            # Stores refuse to send nothing.
            return _ObjectStream(described, last, last, None)
        options: GetOptions = {"range": (start, last)}
        with _missing_file(key.uri), _store_errors(key.uri):
            part = await obstore.get_async(self._store, _name(key), options=options)
        return _ObjectStream(described, start, last, part.stream(CHUNK_BYTES))

    def read_now(self, key: ObjectKey, limit: int) -> bytes:
        """Read a small file in the calling thread."""
        import obstore

        with _missing_file(key.uri), _store_errors(key.uri):
            whole = obstore.get(self._store, _name(key))
            if whole.meta["size"] > limit:
                raise StorageLimitError(f"{key.uri}: the file has more than the limit of {limit} bytes")
            return bytes(whole.bytes())

    async def stat(self, key: ObjectKey) -> StoredFile:
        """Describe a file."""
        import obstore

        with _missing_file(key.uri), _store_errors(key.uri):
            return _describe(await obstore.head_async(self._store, _name(key)), key.path)

    async def list_files(self, prefix: ObjectKey) -> list[StoredFile]:
        """Describe the files below a folder, sorted by path."""
        found: list[tuple[StoragePath, ObjectMeta]] = []
        async for page in self._pages(prefix):
            for meta in page:
                # A name that no URI can say was put there by hand, and nobody can ask for it.
                with contextlib.suppress(InvalidStorageUriError):
                    found.append((StoragePath(tuple(meta["path"].split("/")[1:])), meta))
        found.sort(key=lambda entry: entry[0].segments)
        return [_describe(meta, path) for path, meta in found]

    async def delete(self, key: ObjectKey) -> bool:
        """Remove a file."""
        import obstore

        try:
            # Some stores call the deletion of nothing a success.
            await self.stat(key)
            with _missing_file(key.uri), _store_errors(key.uri):
                await obstore.delete_async(self._store, _name(key))
        except StorageFileNotFoundError:
            return False
        return True

    async def delete_prefix(self, prefix: ObjectKey) -> int:
        """Remove a file and everything below its key, in batches."""
        import obstore

        removed = int(await self.delete(prefix))
        async for page in self._pages(prefix):
            with _store_errors(prefix.uri):
                await obstore.delete_async(self._store, [meta["path"] for meta in page])
            removed += len(page)
        return removed

    async def move(self, source: ObjectKey, target: ObjectKey) -> StoredFile:
        """Copy a file within the store, then remove the original."""
        import obstore

        if source != target:
            with _missing_file(source.uri), _store_errors(source.uri):
                await obstore.rename_async(self._store, _name(source), _name(target))
        return await self.stat(target)

    async def sweep(self) -> int:
        """Nothing to do: unfinished uploads are invisible, and the bucket's rules remove them."""
        return 0

    async def close(self) -> None:
        """Nothing to do: the library closes its connections with the store."""

    async def _pages(self, prefix: ObjectKey) -> AsyncIterator[list[ObjectMeta]]:
        import obstore

        with _store_errors(prefix.uri):
            async for page in obstore.list(self._store, _name(prefix), chunk_size=_LISTED_AT_ONCE):
                yield list(page)


class _ObjectStream(FileStream):
    """Reads the answer of the store as it arrives."""

    def __init__(self, described: StoredFile, start: int, end: int, stream: BytesStream | None) -> None:
        super().__init__(described, start, end)
        self._stream = stream

    async def __anext__(self) -> bytes:
        if self._stream is None:
            raise StopAsyncIteration
        with _store_errors(self.file.uri):
            return bytes(await self._stream.__anext__())

    async def aclose(self) -> None:
        self._stream = None


def _name(key: ObjectKey) -> str:
    return "/".join(key.segments)


def _describe(meta: ObjectMeta, path: StoragePath) -> StoredFile:
    return StoredFile(path.uri, meta["size"], meta["last_modified"])


async def _chunks(source: Source) -> AsyncIterator[bytes | bytearray | memoryview]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield source
    elif isinstance(source, AsyncIterable):
        async for chunk in source:
            yield chunk
    elif isinstance(source, Path):
        with await asyncio.to_thread(source.open, "rb") as file:
            async for chunk in _read_chunks(file):
                yield chunk
    else:
        async for chunk in _read_chunks(source):
            yield chunk


async def _read_chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk


async def _limited(
    chunks: AsyncIterator[bytes | bytearray | memoryview], key: ObjectKey, size_limit: int | None
) -> AsyncIterator[bytes | bytearray | memoryview]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size_limit is not None and size > size_limit:
            raise StorageLimitError(f"{key.uri}: the file is larger than the limit of {size_limit} bytes")
        yield chunk


@contextlib.contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Turn an error of the object store into a StorageError naming the URI and the cause."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise StorageError(f"{uri}: {str(error).partition(chr(10))[0]}") from error


@contextlib.contextmanager
def _missing_file(uri: str) -> Iterator[None]:
    try:
        yield
    except StorageFileNotFoundError:
        raise
    except FileNotFoundError as error:
        raise StorageFileNotFoundError(f"{uri}: no such file in the internal storage") from error
