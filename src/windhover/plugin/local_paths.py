"""Paths of a working directory that flows name: none leads outside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from windhover.plugin.task import TaskFailure
from windhover.util.glob_pattern import compile_glob


def path_inside(directory: Path, name: str) -> Path:
    """The path of a file in a directory.

    Raises:
        TaskFailure: the name is empty or absolute, or leads out of the directory, through a link too.
    """
    relative = PurePosixPath(name)
    if not name.strip("/ .") or relative.is_absolute() or ".." in relative.parts or "\0" in name:
        raise TaskFailure(f"`{name}` is no path inside the working directory")
    target = directory / relative
    if not target.resolve().is_relative_to(directory.resolve()):
        raise TaskFailure(f"`{name}` leads out of the working directory")
    return target


def path_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern for paths within a directory: a glob, or with ``regex:`` before it a regular expression.

    Raises:
        TaskFailure: the regular expression cannot be read.
    """
    if not pattern.startswith("regex:"):
        return compile_glob(pattern.removeprefix("glob:").removeprefix("./"))
    try:
        return re.compile(pattern.removeprefix("regex:"))
    except re.error as error:
        raise TaskFailure(f"`{pattern}` is no regular expression: {error}") from None


def files_matching(directory: Path, patterns: Iterable[str]) -> dict[str, Path]:
    """The files of a directory that match a pattern, by their path within it, sorted.

    Links that lead out of it are left out.
    """
    wanted = [path_pattern(pattern) for pattern in patterns]
    if not wanted:
        return {}
    root = directory.resolve()
    found: dict[str, Path] = {}
    for parent, _, names in os.walk(directory):
        for name in names:
            path = Path(parent, name)
            relative = path.relative_to(directory).as_posix()
            if any(pattern.fullmatch(relative) for pattern in wanted) and (
                path.is_file() and path.resolve().is_relative_to(root)
            ):
                found[relative] = path
    return dict(sorted(found.items()))
