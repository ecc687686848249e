"""Lines out of a stream of bytes, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

#: Bytes of one line that are kept; what is beyond is left out.
MAX_LINE_BYTES = 16 * 1024 * 1024


class LineSplitter:
    """Cuts chunks of bytes into lines of text; what is no UTF-8 is replaced."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._begun = bytearray()

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The lines that this chunk completes."""
        first, *rest = chunk.split(b"\n")
        self._begin(first)
        if not rest:
            return
        yield self._complete()
        *complete, last = rest
        for line in complete:
            yield _text(line[: self._limit])
        self._begin(last)

    def end(self) -> Iterator[str]:
        """The last line, when it does not end in a newline."""
        if self._begun:
            yield self._complete()

    def _begin(self, piece: bytes) -> None:
        room = self._limit - len(self._begun)
        if piece and room > 0:
            self._begun += piece[:room]

    def _complete(self) -> str:
        line = _text(self._begun)
        self._begun.clear()
        return line


def _text(line: bytes | bytearray) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
