"""A zip archive that is written while it is sent: no file of it is ever held in memory."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import IO, cast

_CHUNK = 256 * 1024


class _Pipe:
    """What a zip writer writes to: it cannot be read back or moved about in."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


class ZipStream:
    """Builds an archive file by file."""

    def __init__(self) -> None:
        self._pipe = _Pipe()
        self._archive = zipfile.ZipFile(cast("IO[bytes]", self._pipe), "w", zipfile.ZIP_DEFLATED)

    async def add(self, path: str, modified: datetime, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes of the archive for one file."""
        # The format knows no year before 1980.
        date = max(modified, modified.replace(year=1980)).timetuple()[:6]
        entry = zipfile.ZipInfo(path, date)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(entry, "w", force_zip64=True) as file:
            async for chunk in content:
                for start in range(0, len(chunk), _CHUNK):
                    file.write(chunk[start : start + _CHUNK])
                    yield self._pipe.take()
        yield self._pipe.take()

    def close(self) -> bytes:
        """The end of the archive."""
        self._archive.close()
        return self._pipe.take()
