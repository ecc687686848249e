"""Multipart bodies, part by part as they arrive: a file is never held in memory.

reader = MultipartReader(content_type, request.stream())
async for part in reader.parts():
    if part.filename is None:
        text = await part.text(limit)
    else:
        await storage.put(uri, part)
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from windhover.webserver.errors import bad_request, too_large

# What is wrong with a body is told to whoever sent it; the server's log is not for its clients to fill.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

#: More parts than this are no form that somebody filled in.
MAX_PARTS = 10_000


class Part:
    """One part. Iterating gives its content in chunks, once; what is not read is skipped."""

    def __init__(
        self, reader: MultipartReader, name: str, filename: str | None, content_type: str | None = None
    ) -> None:
        self.name = name
        #: The name of the file; None for a plain value.
        self.filename = filename
        #: As the client says.
        self.content_type = content_type
        self._reader = reader
        self._ended = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        chunk = await self._reader.next_data()
        if chunk is None:
            self._ended = True
            raise StopAsyncIteration
        return chunk

    async def content(self, limit: int) -> bytes:
        """The whole content.

        Raises:
            ApiError: 413, it has more than ``limit`` bytes.
        """
        content = bytearray()
        async for chunk in self:
            content += chunk
            if len(content) > limit:
                raise too_large(f"The form field `{self.name}` is larger than the limit of {limit} bytes.")
        return bytes(content)

    async def text(self, limit: int) -> str:
        """The whole content as UTF-8 text.

        Raises:
            ApiError: 413, it has more than ``limit`` bytes; 400, it is no UTF-8.
        """
        content = await self.content(limit)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise bad_request(f"The form field `{self.name}` is no UTF-8 text.") from None

    async def skip(self) -> None:
        """Read to the end without keeping anything."""
        async for _ in self:
            pass


class _Data:
    """A piece of a part's content."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


class _End:
    """The end of a part."""


class MultipartReader:
    """Reads ``multipart/form-data`` from a stream of chunks.

    Raises:
        ApiError: 400, there is no boundary, or the body is none of this form or ends too early.
    """

    def __init__(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise bad_request("Bad multipart body: the Content-Type names no boundary.")
        self._chunks = chunks
        self._events: deque[Part | _Data | _End] = deque()
        self._complete = False
        self._header_name = b""
        self._header_value = b""
        self._disposition = self._content_type = b""
        self._count = 0
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise bad_request(f"Bad multipart body: {error}") from None

    async def parts(self) -> AsyncIterator[Part]:
        """The parts in the order in which they come. Each must be used before the next is asked for."""
        while (event := await self._next()) is not None:
            if isinstance(event, Part):
                yield event
                await event.skip()

    async def next_data(self) -> bytes | None:
        """The next piece of the present part; None at its end."""
        event = await self._next()
        if isinstance(event, _Data):
            return event.content
        return None

    async def _next(self) -> Part | _Data | _End | None:
        while not self._events:
            if not await self._feed():
                return None
        return self._events.popleft()

    async def _feed(self) -> bool:
        """Give the parser the next chunk; False at the end of a whole body."""
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            if not self._complete:
                raise bad_request("Bad multipart body: it ends before its last boundary.") from None
            return False
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise bad_request(f"Bad multipart body: {error}") from None
        return True

    # ---- called by the parser

    def _on_part_begin(self) -> None:
        self._disposition = self._content_type = b""
        self._count += 1
        if self._count > MAX_PARTS:
            raise too_large(f"The form has more than {MAX_PARTS} fields.")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        elif self._header_name.lower() == b"content-type":
            self._content_type = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if name is None:
            raise bad_request("Bad multipart body: a part has no name.")
        filename = options.get(b"filename")
        kind = _decoded(self._content_type) if self._content_type else None
        self._events.append(
            Part(self, _decoded(name), None if filename is None else _decoded(filename), kind)
        )

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(_Data(data[start:end]))

    def _on_part_end(self) -> None:
        self._events.append(_End())

    def _on_end(self) -> None:
        self._complete = True


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
