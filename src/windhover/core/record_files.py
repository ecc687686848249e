"""Local copies of stored files, read record by record. No file is ever held in memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

from windhover.core.row_parts import LineSplitter
from windhover.plugin.context import RunContext
from windhover.plugin.task import TaskFailure
from windhover.util.ids import new_id

_CHUNK = 1024 * 1024
_NOT_IN_NAMES = re.compile(r"""[\s/\\"<>{}|^`\[\]\x00-\x1f]""")


async def local_copy(ctx: RunContext, uri: str) -> Path:
    """Download a stored file into the working directory.

    Raises:
        FileNotFoundError: nothing is stored there.
        PermissionError: this execution may not read it.
    """
    target = ctx.working_directory / f".{new_id()}{file_extension(uri)}"
    await ctx.files.download(uri, target)
    return target


def file_extension(uri: str) -> str:
    """The extension of a file with its dot; empty when it has none."""
    return Path(uri.rpartition("/")[2]).suffix


def written_extension(extension: str) -> str:
    """The end of the name of a new file, as a task says it: its dot may be left out.

    Raises:
        TaskFailure: it cannot be part of a URI.
    """
    if _NOT_IN_NAMES.search(extension):
        raise TaskFailure(f"`{extension}` cannot be the extension of a file")
    return extension if extension.startswith(".") or not extension else f".{extension}"


def records(ctx: RunContext, path: Path, separator: bytes) -> Iterator[bytes]:
    """The records of a file without what separates them; the last one need not be followed by a separator.

    For a thread: it stops with an error as soon as the run is killed or timed out.
    """
    rest = bytearray()
    searched = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            _stop_if_cancelled(ctx)
            rest += chunk
            begin = 0
            while (end := rest.find(separator, max(begin, searched))) >= 0:
                yield bytes(rest[begin:end])
                begin = searched = end + len(separator)
            del rest[:begin]
            # The separator may lie across two chunks.
            searched = max(0, len(rest) - len(separator) + 1)
    if rest:
        yield bytes(rest)


def lines(ctx: RunContext, path: Path) -> Iterator[bytes]:
    """The lines of a file without their ends, whichever these are.

    For a thread: it stops with an error as soon as the run is killed or timed out.
    """
    splitter = LineSplitter()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            _stop_if_cancelled(ctx)
            yield from splitter.feed(chunk)
    yield from splitter.finish()


def records_backwards(ctx: RunContext, path: Path, separator: bytes) -> Iterator[bytes]:
    """As :func:`records`, the last record first."""
    import mmap

    size = path.stat().st_size
    if size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = size - len(separator) if content[-len(separator) :] == separator else size
        while end >= 0:
            _stop_if_cancelled(ctx)
            found = content.rfind(separator, 0, end)
            begin = 0 if found < 0 else found + len(separator)
            yield content[begin:end]
            end = found


def encoded(text: str, charset: str) -> bytes:
    """The bytes of a text that stands in the midst of a file.

    Raises:
        TaskFailure: there is no such charset, it has no such character, or it leaves the order of bytes open.
    """
    try:
        if "".encode(charset):  # a byte order mark, which stands at the beginning of a file and nowhere else
            raise TaskFailure(f"`{charset}` leaves the order of bytes open: name {charset}BE or {charset}LE")
        return text.encode(charset)
    except (LookupError, UnicodeEncodeError) as error:
        raise TaskFailure(f"`{text}` cannot be written in the charset `{charset}`: {error}") from None


def _stop_if_cancelled(ctx: RunContext) -> None:
    if ctx.cancelled.is_set():
        raise asyncio.CancelledError
