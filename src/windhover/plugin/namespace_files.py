"""Files of namespaces in the working directory of a task: the property ``namespaceFiles``.

Documentation page: ``docs/files.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

from windhover.model.definition import Definition
from windhover.plugin.context import RunContext
from windhover.plugin.local_paths import path_inside, path_pattern
from windhover.plugin.task import TaskFailure
from windhover.util.glob_pattern import compile_glob

PathFilter = Callable[[str], bool]


class FileExists(StrEnum):
    """What to do about a file that is in the working directory already."""

    OVERWRITE = "OVERWRITE"
    FAIL = "FAIL"
    WARN = "WARN"
    IGNORE = "IGNORE"


class NamespaceFiles(Definition):
    """Which files of namespaces to put into the working directory.

    ``include`` and ``exclude`` are patterns as :func:`path_filter` reads them. ``if_exists`` counts between
    several namespaces, too: with OVERWRITE the last one that has a file prevails, with IGNORE the first.
    """

    enabled: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    if_exists: FileExists = FileExists.OVERWRITE
    folder_per_namespace: bool = False


async def place_namespace_files(ctx: RunContext, wanted: NamespaceFiles, directory: Path) -> list[Path]:
    """Download the files that are wanted into a directory; returns where they are.

    Raises:
        TaskFailure: a file is there already, and ``ifExists`` is FAIL; or the path is taken by a directory.
    """
    if not wanted.enabled:
        return []
    included = path_filter(wanted.include) if wanted.include else lambda path: True
    excluded = path_filter(wanted.exclude)
    store = ctx.server.namespace_files
    present = {path for path in directory.rglob("*") if path.is_file()}
    placed: dict[Path, None] = {}
    for namespace in wanted.namespaces or (ctx.identity.namespace,):
        root = directory / namespace if wanted.folder_per_namespace else directory
        for file in await store.list(namespace):
            if file.is_directory or not included(file.path) or excluded(file.path):
                continue
            target = path_inside(directory, (root / file.path).relative_to(directory).as_posix())
            if target in present and not _replaces(ctx, wanted.if_exists, file.path):
                continue
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                await store.download(file, target)
            except (FileExistsError, IsADirectoryError, NotADirectoryError):
                raise TaskFailure(
                    f"The file '/{file.path}' of namespace '{namespace}' cannot be put into the working "
                    "directory: its path is taken"
                ) from None
            placed[target] = None
            present.add(target)
    return list(placed)


def path_filter(patterns: Iterable[str]) -> PathFilter:
    """Whether a path within a namespace matches one of the patterns.

    ``*.sql`` matches in every directory, ``/a.sql`` at the root alone; ``glob:`` says so explicitly, and
    ``regex:`` gives a regular expression instead.

    Raises:
        TaskFailure: a regular expression cannot be read.
    """
    compiled = [_compile(pattern) for pattern in patterns]

    def matches(path: str) -> bool:
        return any(pattern.fullmatch(path) or pattern.fullmatch(f"/{path}") for pattern in compiled)

    return matches


def _compile(pattern: str) -> re.Pattern[str]:
    if pattern.startswith(("regex:", "glob:")):
        return path_pattern(pattern)
    return compile_glob(pattern.lstrip("/") if pattern.startswith("/") else f"**/{pattern}")


def _replaces(ctx: RunContext, if_exists: FileExists, path: str) -> bool:
    match if_exists:
        case FileExists.OVERWRITE:
            ctx.logger.debug(f"The namespace file '/{path}' overwrites the one in the working directory")
            return True
        case FileExists.WARN:
            ctx.logger.warn(f"The namespace file '/{path}' is in the working directory already; it stays")
            return False
        case FileExists.IGNORE:
            return False
        case FileExists.FAIL:
            raise TaskFailure(f"The namespace file '/{path}' is in the working directory already")
