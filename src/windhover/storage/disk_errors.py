"""What the operating system reports, said so that an operator can act on it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from windhover.storage.errors import StorageError, StorageFileNotFoundError
from windhover.storage.folders import SymbolicLinkError

__all__ = ["disk_errors"]


@contextlib.contextmanager
def disk_errors(uri: str, base: Path, *, writing: bool = False) -> Iterator[None]:
    """Turn an OSError of the enclosed file work into a StorageError naming the URI and the cause."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if not writing and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise StorageFileNotFoundError(f"{uri}: no such file in the internal storage") from error
        raise StorageError(f"{uri}: {_cause(error, base)}") from error


def _cause(error: OSError, base: Path) -> str:
    if isinstance(error, SymbolicLinkError):
        return f"{error}, and the storage at {base} follows none"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"no space left on the disk holding {base}"
        case errno.EFBIG:
            return f"the file is larger than the disk holding {base} or the process's limit allows"
        case errno.EACCES | errno.EPERM:
            return f"permission denied in {base}"
        case errno.EROFS:
            return f"the disk holding {base} is read-only"
        case errno.ENOTDIR:
            return "a part of the path before its last name is a file"
        case errno.EISDIR:
            return "there is a folder of this name"
        case errno.EMFILE | errno.ENFILE:
            return "too many open files"
        case _:
            return f"{error.strerror or error} (in {base})"
