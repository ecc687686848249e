"""Records that tasks take in and give out: rows to load, messages to publish, messages that came.

Files of records hold one Ion value a line. What is written here is JSON, which is Ion as well.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import IO

import msgspec

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.task import TaskFailure
from windhover.util.ids import new_id

_AT_ONCE = 1_000
_BUFFER = 1024 * 1024


async def read_records(ctx: RunContext, source: JsonValue) -> AsyncIterator[JsonValue]:
    """The records that a property such as ``from`` names, in their order.

    ``source`` is one record, a list of records, JSON text of either, or the ``kestra://`` URI of a file of
    records, which is never held in memory as a whole. Any other text is one record.

    Raises:
        TaskFailure: the file cannot be read, or text that begins as JSON is none.
    """
    if isinstance(source, str):
        text = source.strip()
        if text.startswith("kestra://"):
            async for record in _records_of_file(ctx, text):
                yield record
            return
        if text.startswith(("{", "[")):
            source = _parsed(text)
    if isinstance(source, list | tuple):
        for record in source:
            yield record
    else:
        yield source


class RecordFile:
    """Collects records in the working directory, then stores them as one file."""

    def __init__(self, ctx: RunContext, name: str) -> None:
        """``name`` is how the stored file is called, with its extension."""
        self._ctx = ctx
        self._name = name
        self._path = ctx.working_directory / f"{new_id()}.ion"
        self._file: IO[bytes] | None = None
        #: How many records there are.
        self.count = 0

    def append(self, record: JsonValue) -> None:
        """Add a record."""
        if self._file is None:
            self._file = self._path.open("wb", buffering=_BUFFER)
        self._file.write(msgspec.json.encode(record) + b"\n")
        self.count += 1

    async def store(self) -> str:
        """Put the file into the internal storage and return its URI. Nothing can be added afterwards."""
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.close()
        try:
            return await self._ctx.files.put(self._path, self._name)
        finally:
            self._path.unlink()


def _parsed(text: str) -> JsonValue:
    try:
        value: JsonValue = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise TaskFailure(f"Text that begins with `{text[0]}` must be JSON: {error}") from None
    return value


async def _records_of_file(ctx: RunContext, uri: str) -> AsyncIterator[JsonValue]:
    path = ctx.working_directory / f"{new_id()}.ion"
    try:
        await ctx.files.download(uri, path)
    except (OSError, ValueError) as error:
        raise TaskFailure(f"Cannot get the file {uri}: {error}") from error
    try:
        with path.open("rb") as file:
            records = _ion_values(file, uri)
            while some := await asyncio.to_thread(list, islice(records, _AT_ONCE)):
                for record in some:
                    yield record
    finally:
        path.unlink()


def _ion_values(file: IO[bytes], uri: str) -> Iterator[JsonValue]:
    try:
        yield from ion_records(file)
    except ValueError as error:
        raise TaskFailure(f"The file {uri} holds no records (Ion or JSON, one a line): {error}") from None


def ion_records(file: IO[bytes]) -> Iterator[JsonValue]:
    """The values of a file in Ion, of which JSON is a part, in terms of JSON; read as they are asked for.

    Raises:
        ValueError: it holds something else.
    """
    from amazon.ion import simpleion
    from amazon.ion.exceptions import IonException

    try:
        for value in simpleion.load(file, single_value=False, parse_eagerly=False):
            yield _plain(value)
    except (IonException, RecursionError) as error:
        raise ValueError(str(error)) from None


def _plain(value: object) -> JsonValue:
    """An Ion value in terms of JSON: numbers as such, times as ISO text, bytes as base64."""
    from amazon.ion.simple_types import IonPyBool, IonPyNull, IonPySymbol

    if value is None or isinstance(value, IonPyNull):
        return None
    if isinstance(value, bool | IonPyBool):
        return bool(value)
    if isinstance(value, IonPySymbol):
        return value.text
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        import base64

        return base64.b64encode(value).decode()
    raise ValueError(f"a value of {type(value).__name__} is no record")
