"""Folders below a base folder, reached one name at a time and never through a symbolic link.

Each name is opened relative to the folder before it and with O_NOFOLLOW. Checking a path first
and opening it afterwards would leave a moment in which a link can be planted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "SymbolicLinkError",
    "open_file",
    "open_folder",
    "prune_empty",
    "refuse_link",
    "remove_tree",
    "walk_files",
]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a planted FIFO would hang the thread.
_FILE_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER_MODE = 0o750


class SymbolicLinkError(OSError):
    """A name on the way is a symbolic link."""


@contextlib.contextmanager
def open_folder(base: Path, names: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
    """Open the folder `names` below `base`, making what is missing if asked; gives its descriptor.

    Raises:
        SymbolicLinkError: one of the names is a symbolic link.
        NotADirectoryError: one of the names is a file.
        FileNotFoundError: the folder is missing and `create` is false.
    """
    folder = os.open(base, _FOLDER_FLAGS)
    try:
        for name in names:
            child = _open_child(folder, name, create)
            os.close(folder)
            folder = child
        yield folder
    finally:
        os.close(folder)


def open_file(folder: int, name: str) -> int:
    """Open a regular file of a folder for reading; gives its descriptor.

    Raises:
        SymbolicLinkError: it is a symbolic link.
        FileNotFoundError: there is no such name, or it is not a file.
    """
    try:
        file = os.open(name, _FILE_FLAGS, dir_fd=folder)
    except OSError:
        refuse_link(folder, name)
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(f"{name} is not a file")
    return file


def refuse_link(folder: int, name: str) -> None:
    """Raise SymbolicLinkError if the name is a symbolic link."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise SymbolicLinkError(f"{name} is a symbolic link")


def walk_files(folder: int) -> Iterator[tuple[tuple[str, ...], os.stat_result]]:
    """Every regular file below a folder: its names from there, and its metadata."""
    for top, _, names, descriptor in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        above = tuple(part for part in top.split("/") if part != ".")
        for name in names:
            try:
                metadata = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(metadata.st_mode):
                yield (*above, name), metadata


def remove_tree(folder: int, name: str) -> int:
    """Remove a folder of a folder with all it holds; return how many files went.

    Links are removed, never followed. A file written meanwhile keeps its folder.
    """
    removed = 0
    for _, folders, names, descriptor in os.fwalk(
        name, topdown=False, onerror=_raise, dir_fd=folder, follow_symlinks=False
    ):
        for file in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file, dir_fd=descriptor)
                removed += 1
        for child in folders:
            _remove_folder(descriptor, child)
    _remove_folder(folder, name)
    return removed


def prune_empty(base: Path, names: tuple[str, ...], keep: int) -> None:
    """Remove the folder `names` below `base` and those above it while they are empty.

    The first `keep` of them stay.
    """
    for depth in range(len(names), keep, -1):
        try:
            with open_folder(base, names[: depth - 1]) as parent:
                os.rmdir(names[depth - 1], dir_fd=parent)
        except OSError:
            # Not empty, or already gone: tidying is over either way.
            return


def _open_child(folder: int, name: str, create: bool) -> int:
    flags = _FOLDER_FLAGS | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    except OSError:
        refuse_link(folder, name)
        raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, _FOLDER_MODE, dir_fd=folder)
        os.fsync(folder)
    return os.open(name, flags, dir_fd=folder)


def _remove_folder(parent: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=parent)
    except NotADirectoryError:
        # os.fwalk counts a link to a folder among the folders.
        os.unlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
            raise


def _raise(error: OSError) -> None:
    raise error
