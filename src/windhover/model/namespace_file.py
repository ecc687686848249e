"""Files of a namespace, in versions.

Documentation page: ``docs/files.md``.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

#: In bytes: an index of the database holds the path.
_MAX_PATH_BYTES = 1500


class NamespaceFile(msgspec.Struct, frozen=True):
    """One version of a file, or a directory.

    ``path`` is relative to the root of the namespace, with ``/`` between its parts; that of a directory ends
    with one. ``size`` is in bytes, ``created`` when the first version came to be, ``updated`` this one.
    ``content`` is where its bytes lie in the internal storage, None for a directory.
    """

    tenant_id: str
    namespace: str
    path: str
    version: int
    size: int
    created: datetime
    updated: datetime
    content: str | None = None

    @property
    def is_directory(self) -> bool:
        return self.content is None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rpartition("/")[2]


class InvalidPath(ValueError):
    """A text that names no file of a namespace."""


class NamespaceFileMissing(FileNotFoundError):
    """There is no such file, or not in this version."""

    def __init__(self, namespace: str, path: str, version: int | None = None) -> None:
        file = f"file '/{path}'" if version is not None else f"File '/{path}'"
        what = f"Version {version} of {file}" if version is not None else file
        super().__init__(f"{what} was not found in namespace '{namespace}'.")


class NamespaceFileExists(Exception):
    """There is a file of this path already, and it may not be overwritten."""

    def __init__(self, namespace: str, path: str) -> None:
        super().__init__(f"File '/{path}' already exists in namespace '{namespace}'")


def file_path(text: str) -> str:
    """The path of a file, without the slash that may stand before it.

    Raises:
        InvalidPath: it is empty, too long, leads out of the namespace or holds what no path may hold.
    """
    path = text.strip("/")
    parts = path.split("/")
    if (
        not path
        or len(path.encode("utf-8", "replace")) > _MAX_PATH_BYTES
        or any(_is_bad(part) for part in parts)
    ):
        raise InvalidPath(f"`{text}` is no path of a file within a namespace.")
    return path


def directory_path(text: str) -> str:
    """The path of a directory, a slash at its end; the root is the empty text.

    Raises:
        InvalidPath: as for :func:`file_path`.
    """
    return f"{file_path(text)}/" if text.strip("/") else ""


def parent_directories(path: str) -> list[str]:
    """The directories around a file or directory, the outermost first."""
    parts = path.rstrip("/").split("/")[:-1]
    return ["/".join(parts[: depth + 1]) + "/" for depth in range(len(parts))]


def _is_bad(part: str) -> bool:
    return (
        part in ("", ".", "..")
        or len(part.encode("utf-8", "replace")) > 200
        or any(char == "\\" or ord(char) < 32 or ord(char) == 127 for char in part)
    )
