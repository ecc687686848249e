"""What can go wrong with a file of the internal storage."""

from __future__ import annotations

__all__ = [
    "InvalidStorageUriError",
    "StorageError",
    "StorageFileNotFoundError",
    "StorageLimitError",
]


class StorageError(Exception):
    """The internal storage could not do what was asked; the message names the URI and the cause."""


class InvalidStorageUriError(StorageError, ValueError):
    """The text is no URI of the internal storage, or names something outside it."""


class StorageFileNotFoundError(StorageError, FileNotFoundError):
    """The internal storage holds no file under this URI."""


class StorageLimitError(StorageError):
    """A file is larger than the caller allows."""
