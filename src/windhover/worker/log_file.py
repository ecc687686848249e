"""The log of a task with ``logToFile``: a file in the internal storage instead of rows in the database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from windhover.model.log import LogLevel
from windhover.plugin.context import FileStore


class LogFile:
    """Collects lines in a local file, then stores it. One line each: instant, level, message."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n")

    def write(self, at: datetime, level: LogLevel, message: str) -> None:
        self._file.write(f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {level.name} {message}\n")

    async def store(self, files: FileStore) -> str:
        """Put the file into the storage and return its URI."""
        self._file.close()
        return await files.put(self._path, "task.log")

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)
