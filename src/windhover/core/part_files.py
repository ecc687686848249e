"""Writing many files at once with few of them open."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

_MAX_OPEN = 64


class PartFiles:
    """Files in a folder, one for each name, that grow record by record. Closed as a context manager."""

    def __init__(self, folder: Path, extension: str) -> None:
        self._folder = folder
        self._extension = extension
        self._open: OrderedDict[str, BinaryIO] = OrderedDict()
        self._paths: dict[str, Path] = {}

    @property
    def paths(self) -> list[Path]:
        """The files, in the order in which they were begun."""
        return list(self._paths.values())

    def __enter__(self) -> PartFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def write(self, part: str, content: bytes) -> None:
        """Add to a part; a new name begins a new file."""
        file = self._open.get(part)
        if file is None:
            file = self._reopen(part)
        else:
            self._open.move_to_end(part)
        file.write(content)

    def _reopen(self, part: str) -> BinaryIO:
        if len(self._open) >= _MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        path = self._paths.setdefault(part, self._folder / f"part-{len(self._paths) + 1}{self._extension}")
        file = self._open[part] = path.open("ab")
        return file
