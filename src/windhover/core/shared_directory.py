"""What a worker does in the directory of a WorkingDirectory task, before its tasks and after them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.namespace_files import NamespaceFiles, place_namespace_files
from windhover.plugin.task import Output, RunnableTask, Static
from windhover.plugin.types import Duration
from windhover.plugin.working_files import WorkingFiles

#: Quick to pack: what is cached are mostly libraries, read more often than written.
_COMPRESSION = 1


class DirectoryWork:
    """Makes a class a part of WorkingDirectory, and no type that flows can name."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.WorkingDirectory"


class PreparedDirectory(Output):
    """What the end of the directory has to know of its beginning: what was there from the cache."""

    restored: str | None = None


class PrepareDirectory(DirectoryWork, RunnableTask[PreparedDirectory]):
    """Fill a shared directory: from the cache, then with files of namespaces, then with input files."""

    input_files: dict[str, JsonValue] = Field(default_factory=dict)
    namespace_files: NamespaceFiles | None = None
    cache_patterns: list[str] | None = None
    cache_ttl: Duration | None = None

    async def run(self, ctx: RunContext) -> PreparedDirectory:
        files = WorkingFiles(ctx)
        restored = None
        if self.cache_patterns is not None:
            cache = DirectoryCache(ctx, files, self.cache_patterns)
            if await cache.restore(self.cache_ttl):
                restored = await cache.fingerprint()
        if self.namespace_files is not None:
            await place_namespace_files(ctx, self.namespace_files, files.directory)
        await files.add_inputs(self.input_files)
        return PreparedDirectory(restored=restored)


class CollectedDirectory(Output):
    """The files of ``outputFiles``, if there are any."""

    output_files: dict[str, str] | None = None


class CollectDirectory(DirectoryWork, RunnableTask[CollectedDirectory]):
    """Store what is to stay of a shared directory: output files, and what is cached."""

    output_files: list[str] = Field(default_factory=list)
    cache_patterns: list[str] | None = None
    restored: Static[str | None] = None

    async def run(self, ctx: RunContext) -> CollectedDirectory:
        files = WorkingFiles(ctx)
        found = await files.collect(self.output_files, None)
        if self.cache_patterns is not None:
            cache = DirectoryCache(ctx, files, self.cache_patterns)
            if await cache.fingerprint() != self.restored:
                await cache.store()
        return CollectedDirectory(output_files=found or None)


class DirectoryCache:
    """The files of a shared directory that are kept from one execution to the next.

    They are kept for each task of each flow; inside a loop, for each of its values.
    """

    def __init__(self, ctx: RunContext, files: WorkingFiles, patterns: list[str]) -> None:
        self._ctx = ctx
        self._files = files
        self._patterns = patterns
        self._name = _archive_name(ctx.variables.get("taskrun"))

    async def restore(self, ttl: timedelta | None) -> bool:
        """Unpack what was kept, unless it is older than ``ttl``; False when there is nothing."""
        written_after = None if ttl is None else self._ctx.now() - ttl
        with tempfile.TemporaryDirectory(prefix="windhover-cache-") as folder:
            archive = Path(folder, self._name)
            if not await self._ctx.files.download_cached(self._name, archive, written_after):
                self._ctx.logger.debug("Cache: nothing to restore")
                return False
            await asyncio.to_thread(_unpack, archive, self._files.directory)
        self._ctx.logger.debug("Cache: restored")
        return True

    async def fingerprint(self) -> str | None:
        """Tells whether the files have changed; None when there are none."""
        return await asyncio.to_thread(self._fingerprint)

    async def store(self) -> None:
        """Keep the files as they are now."""
        with tempfile.TemporaryDirectory(prefix="windhover-cache-") as folder:
            archive = Path(folder, self._name)
            await asyncio.to_thread(self._pack, archive)
            await self._ctx.files.put_cached(archive, self._name)
        self._ctx.logger.debug("Cache: stored")

    def _found(self) -> Iterator[tuple[str, Path]]:
        """Files and links: a link is kept as it is, wherever it leads."""
        wanted = self._files.compiled(self._patterns)
        root = self._files.directory
        for parent, folders, names in os.walk(root):
            folders.sort()
            links = [name for name in folders if Path(parent, name).is_symlink()]
            for entry in sorted([*names, *links]):
                path = Path(parent, entry)
                name = path.relative_to(root).as_posix()
                if any(pattern.fullmatch(name) for pattern in wanted) and _can_be_kept(path):
                    yield name, path

    def _fingerprint(self) -> str | None:
        digest = hashlib.sha256()
        empty = True
        for name, path in self._found():
            stat = path.lstat()
            digest.update(f"{name}\0{stat.st_size}\0{int(stat.st_mtime)}\0".encode())
            empty = False
        return None if empty else digest.hexdigest()

    def _pack(self, archive: Path) -> None:
        with tarfile.open(archive, "w:gz", compresslevel=_COMPRESSION) as packed:
            for name, path in self._found():
                packed.add(path, name, recursive=False)


def _can_be_kept(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _unpack(archive: Path, directory: Path) -> None:
    with tarfile.open(archive, "r:gz") as packed:
        # Links may lead anywhere, as those in a virtual environment do; files stay inside all the same.
        packed.extractall(directory, filter="tar")


def _archive_name(task_run: JsonValue) -> str:
    value = task_run.get("value") if isinstance(task_run, Mapping) else None
    key = "cache" if value is None else hashlib.sha256(str(value).encode()).hexdigest()[:32]
    return f"{key}.tar.gz"
