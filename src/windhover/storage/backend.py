"""The seam between the internal storage and where its bytes lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Protocol, Self, TypeAlias

import msgspec

from windhover.storage.uri import StoragePath

__all__ = ["CHUNK_BYTES", "FileStream", "ObjectKey", "Source", "StorageBackend", "StoredFile"]

CHUNK_BYTES = 1024 * 1024
"""How much of a file is held in memory while it is copied."""

Source: TypeAlias = bytes | bytearray | memoryview | AsyncIterable[bytes] | Path | BinaryIO
"""Where the content of a file comes from: bytes, an asynchronous stream, a local file or an open one."""


class ObjectKey(NamedTuple):
    """The full address of a file: its tenant and its path there."""

    tenant: str
    path: StoragePath

    @property
    def uri(self) -> str:
        """The `kestra:///` URI, which does not name the tenant."""
        return self.path.uri

    @property
    def segments(self) -> tuple[str, ...]:
        """The names from the root of the backend down: the tenant, its folders, the file."""
        return (self.tenant, *self.path.segments)


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the internal storage: its URI, its size in bytes, when it was last written (UTC)."""

    uri: str
    size: int
    modified: datetime


class FileStream(ABC, AsyncIterator[bytes]):
    """The content of a file, chunk by chunk.

    It closes itself at its end; whoever may stop before that uses `async with` or `aclose`.
    """

    def __init__(self, file: StoredFile, start: int, end: int) -> None:
        self.file = file
        """The whole file."""
        self.start = start
        """The offset of the first byte that the stream gives."""
        self.end = end
        """The offset after the last byte that the stream gives."""

    @property
    def length(self) -> int:
        """How many bytes the stream gives in all."""
        return self.end - self.start

    @abstractmethod
    async def __anext__(self) -> bytes: ...

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the file. Closing twice does no harm."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class StorageBackend(Protocol):
    """Keeps files by key. Every error it raises of its own is a `StorageError` naming the URI."""

    async def put(self, key: ObjectKey, source: Source, size_limit: int | None) -> StoredFile:
        """Store a file, replacing the one under the same key, and return once it is durable.

        The file appears whole or not at all. An error of `source` itself comes through unchanged.

        Raises:
            StorageLimitError: the content has more than `size_limit` bytes.
        """

    async def open(self, key: ObjectKey, start: int, end: int | None) -> FileStream:
        """Open a file from the offset `start` up to `end` (not included); both are cut to its size.

        Raises:
            StorageFileNotFoundError: there is no such file.
        """

    def read_now(self, key: ObjectKey, limit: int) -> bytes:
        """Read a small file without leaving the thread, for a caller that cannot await.

        Raises:
            StorageFileNotFoundError: there is no such file.
            StorageLimitError: it has more than `limit` bytes.
        """

    async def stat(self, key: ObjectKey) -> StoredFile:
        """Describe a file.

        Raises:
            StorageFileNotFoundError: there is no such file.
        """

    async def list_files(self, prefix: ObjectKey) -> list[StoredFile]:
        """Describe every file in a folder and in the folders below, sorted by path."""

    async def delete(self, key: ObjectKey) -> bool:
        """Remove a file; false if there was none."""

    async def delete_prefix(self, prefix: ObjectKey) -> int:
        """Remove the file or the whole folder at a key; return how many files went."""

    async def move(self, source: ObjectKey, target: ObjectKey) -> StoredFile:
        """Give a file another key, replacing what is there.

        Raises:
            StorageFileNotFoundError: there is no such file.
        """

    async def sweep(self) -> int:
        """Remove what interrupted writes left behind; return how many there were."""

    async def close(self) -> None:
        """Let go of threads and connections."""
