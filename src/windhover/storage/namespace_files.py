"""Files of namespaces: their bytes in the storage, their index in the database.

The bytes of a version are written once, under a name of their own, and only then does the index name them:
readers see the old version or the new one, whole. ``kestra:///<namespace>/_files/<path>`` stands for the
latest version of a file, with ``.v<number>`` after it for one of its versions.

Documentation page: ``docs/files.md``.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from windhover.model.namespace_file import (
    InvalidPath,
    NamespaceFile,
    NamespaceFileExists,
    NamespaceFileMissing,
    directory_path,
    file_path,
)
from windhover.model.purge import KeptVersion, VersionPurge
from windhover.storage.backend import FileStream, Source
from windhover.storage.errors import StorageError
from windhover.storage.storage import TenantStorage
from windhover.storage.uri import StoragePath, namespace_prefix, parse_prefix, parse_uri
from windhover.util.ids import new_id

__all__ = ["FILES", "TenantNamespaceFiles", "namespace_file_uri"]

#: The folder that URIs of namespace files name.
FILES = "_files"
#: The folder in which their versions lie.
_VERSIONS = "_file_versions"

_VERSIONED = re.compile(r"(?P<path>.+)\.v(?P<version>[1-9]\d{0,8})")


def namespace_file_uri(namespace: str, path: str, version: int | None = None) -> str:
    """The URI of a file of a namespace, or of one version of it.

    Raises:
        InvalidPath: the path leads out of the namespace.
    """
    suffix = f".v{version}" if version is not None else ""
    return _folder(namespace, FILES).child(*f"{file_path(path)}{suffix}".split("/")).uri


class NamespaceFileIndex(Protocol):
    """What is known of the files; the repository of namespace files is one."""

    async def find(
        self, tenant_id: str, namespace: str, path: str, version: int | None = None
    ) -> NamespaceFile | None: ...
    async def versions(self, tenant_id: str, namespace: str, path: str) -> Sequence[NamespaceFile]: ...
    async def list(self, tenant_id: str, namespace: str, directory: str = "") -> Sequence[NamespaceFile]: ...
    async def namespaces(self, tenant_id: str) -> Sequence[str]: ...
    async def add(self, file: NamespaceFile, *, overwrite: bool = True) -> NamespaceFile: ...
    async def add_directory(self, tenant_id: str, namespace: str, path: str, now: datetime) -> None: ...
    async def delete(self, files: Sequence[NamespaceFile], now: datetime) -> None: ...
    async def history(
        self, tenant_id: str, namespace: str, directory: str = ""
    ) -> Sequence[tuple[NamespaceFile, bool]]: ...
    async def forget(self, versions: Sequence[NamespaceFile]) -> None: ...
    async def rename(
        self, versions: Sequence[NamespaceFile], source: str, target: str, now: datetime
    ) -> None: ...


class TenantNamespaceFiles(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.NamespaceFileStore`."""

    index: NamespaceFileIndex
    storage: TenantStorage
    clock: Callable[[], datetime]

    async def find(self, namespace: str, path: str, version: int | None = None) -> NamespaceFile | None:
        """A file; the root has none. A path with a slash at its end is that of a directory."""
        wanted = directory_path(path) if path.endswith("/") else file_path(path)
        return await self.index.find(self.storage.tenant, namespace, wanted, version)

    async def get(self, namespace: str, path: str, version: int | None = None) -> NamespaceFile:
        """As :meth:`find`, for a file that must be there.

        Raises:
            NamespaceFileMissing: it is not, or not in this version.
        """
        found = await self.find(namespace, path, version)
        if found is None and version is not None and await self.find(namespace, path) is None:
            raise NamespaceFileMissing(namespace, path.strip("/"))
        if found is None or found.content is None:
            raise NamespaceFileMissing(namespace, path.strip("/"), version)
        return found

    async def list(self, namespace: str, directory: str = "") -> Sequence[NamespaceFile]:
        """What lies below a directory, at any depth, sorted by path."""
        return await self.index.list(self.storage.tenant, namespace, directory_path(directory))

    async def versions(self, namespace: str, path: str) -> Sequence[NamespaceFile]:
        """The versions of a file that are kept, the oldest first.

        Raises:
            NamespaceFileMissing: there is no such file.
        """
        await self.get(namespace, path)
        return await self.index.versions(self.storage.tenant, namespace, file_path(path))

    async def namespaces(self) -> Sequence[str]:
        """The namespaces that have files."""
        return await self.index.namespaces(self.storage.tenant)

    async def resolve(self, uri: str) -> NamespaceFile:
        """The file that a URI with ``_files`` in it names.

        Raises:
            NamespaceFileMissing: there is none.
            InvalidPath: the URI is of another form.
        """
        segments = parse_uri(uri).segments
        if FILES not in segments:
            raise InvalidPath(f"{uri}: is no file of a namespace")
        at = segments.index(FILES)
        namespace, path = ".".join(segments[:at]), "/".join(segments[at + 1 :])
        found = await self.find(namespace, path)
        if found is None and (versioned := _VERSIONED.fullmatch(path)):
            found = await self.find(namespace, versioned["path"], int(versioned["version"]))
        if found is None or found.is_directory:
            raise NamespaceFileMissing(namespace, path)
        return found

    async def open(self, file: NamespaceFile) -> FileStream:
        """The bytes of one version."""
        return await self.storage.open(_content(file))

    async def stream(self, file: NamespaceFile) -> AsyncIterator[bytes]:
        async with await self.open(file) as stream:
            async for chunk in stream:
                yield chunk

    async def read(self, file: NamespaceFile, limit: int) -> bytes:
        """The bytes of a small file.

        Raises:
            StorageLimitError: it has more than ``limit`` bytes.
        """
        return await self.storage.read(_content(file), limit)

    async def download(self, file: NamespaceFile, target: Path) -> None:
        await self.storage.download(_content(file), target)

    async def put(
        self, namespace: str, path: str, source: Source, *, overwrite: bool = True, limit: int | None = None
    ) -> NamespaceFile:
        """Store the next version of a file.

        Raises:
            InvalidPath: the path leads out of the namespace.
            NamespaceFileExists: there is one, and ``overwrite`` is False, or a directory is in the way.
            StorageLimitError: the content has more than ``limit`` bytes.
        """
        wanted = file_path(path)
        if not overwrite and await self.find(namespace, wanted) is not None:
            raise NamespaceFileExists(namespace, wanted)
        place = _folder(namespace, _VERSIONS).child(*wanted.split("/"), new_id())
        stored = await self.storage.put(place, source, size_limit=limit)
        now = self.clock()
        file = NamespaceFile(self.storage.tenant, namespace, wanted, 0, stored.size, now, now, stored.uri)
        try:
            return await self.index.add(file, overwrite=overwrite)
        except NamespaceFileExists:
            await self.storage.delete(place)
            raise
        # After any other error the index may name it all the same: what it does not is swept later.

    async def create_directory(self, namespace: str, path: str) -> None:
        """Make a directory and those around it; one that is there stays."""
        if wanted := directory_path(path):
            await self.index.add_directory(self.storage.tenant, namespace, wanted, self.clock())

    async def delete(self, namespace: str, path: str) -> Sequence[NamespaceFile]:
        """Delete a file, or a directory with all it holds; returns what is gone.

        The versions of a file are kept until they are purged.
        """
        gone: list[NamespaceFile] = []
        if not path.endswith("/") and (file := await self.find(namespace, path)):
            gone = [file]
        elif directory := await self.find(namespace, f"{path.strip('/')}/"):
            gone = [directory, *await self.list(namespace, path)]
        await self.index.delete(gone, self.clock())
        return gone

    async def move(self, namespace: str, source: str, target: str) -> None:
        """Give a file, or a directory with all it holds, another path; its versions go with it.

        Raises:
            NamespaceFileMissing: there is nothing to move.
            NamespaceFileExists: there is something at the target.
        """
        old, new = file_path(source), file_path(target)
        found = await self.find(namespace, old)
        if found is None:
            old, new = f"{old}/", f"{new}/"
            found = await self.find(namespace, old)
        if found is None:
            raise NamespaceFileMissing(namespace, source.strip("/"))
        if new == old:
            return
        if found.is_directory and new.startswith(old):
            raise InvalidPath(f"`{source}` cannot be moved into itself.")
        plain = new.rstrip("/")
        if await self.find(namespace, plain) or await self.find(namespace, f"{plain}/"):
            raise NamespaceFileExists(namespace, plain)
        # What is left at the target of a file that was deleted makes place.
        await self._forget(await self._all_versions(namespace, new))
        await self.index.rename(await self._all_versions(namespace, old), old, new, self.clock())

    async def purge(
        self, namespaces: Collection[str], selected: Callable[[str], bool], what: VersionPurge
    ) -> int:
        """Delete old versions of the files that ``selected`` takes, for good; how many there were."""
        count = 0
        for namespace in namespaces:
            history = await self.index.history(self.storage.tenant, namespace)
            doomed = [
                file
                for file, version in _ranked(history)
                if not file.is_directory and selected(file.path) and what.picks(version)
            ]
            await self._forget(doomed)
            count += len(doomed)
        return count

    async def sweep(self, before: datetime) -> int:
        """Remove what was stored ``before`` and is named by no index: a crash or a lost connection left it.

        Returns how many files there were. Whatever is being stored now must be younger than ``before``.
        """
        count = 0
        for namespace in await self.namespaces():
            history = await self.index.history(self.storage.tenant, namespace)
            named = {file.content for file, _ in history}
            for stored in await self.storage.list_files(_folder(namespace, _VERSIONS)):
                if stored.modified < before and stored.uri not in named:
                    await self.storage.delete(stored.uri)
                    count += 1
        return count

    async def _all_versions(self, namespace: str, path: str) -> Sequence[NamespaceFile]:
        """The versions of a file, or of all files of a directory; of deleted ones too."""
        history = await self.index.history(self.storage.tenant, namespace, path)
        return [file for file, _ in history if path.endswith("/") or file.path == path]

    async def _forget(self, versions: Sequence[NamespaceFile]) -> None:
        await self.index.forget(versions)
        for version in versions:
            if version.content is not None:
                await self.storage.delete(version.content)


def _folder(namespace: str, name: str) -> StoragePath:
    return parse_prefix(namespace_prefix(namespace)).child(name)


def _content(file: NamespaceFile) -> str:
    if file.content is None:
        raise StorageError(f"/{file.path} is a directory of namespace {file.namespace}, and no file")
    return file.content


def _ranked(history: Sequence[tuple[NamespaceFile, bool]]) -> list[tuple[NamespaceFile, KeptVersion]]:
    ranked: list[tuple[NamespaceFile, KeptVersion]] = []
    for file, deleted in history:
        rank, gone = 0, deleted
        if ranked and ranked[-1][0].path == file.path:
            last = ranked[-1][1]
            rank, gone = last.rank + 1, last.deleted
        ranked.append((file, KeptVersion(file.path, file.version, rank, gone, file.updated)))
    return ranked
