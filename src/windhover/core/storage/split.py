"""``io.kestra.plugin.core.storage.Split``"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from windhover.core.part_files import PartFiles
from windhover.core.record_files import file_extension, local_copy, records, separator_bytes
from windhover.expression.java_regex import compile_java
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B", re.IGNORECASE)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}

#: Gives the part that a record belongs to; None drops it.
ChoosePart = Callable[[bytes], str | None]


class SplitOutput(Output):
    """What a Split task gives: the URIs of the parts, in order."""

    uris: list[str]


class Split(RunnableTask[SplitOutput]):
    """Divide the lines of a file among several files.

    The first of `regexPattern`, `bytes`, `partitions` and `rows` that is given counts.
    """

    type_name = "io.kestra.plugin.core.storage.Split"
    aliases = ("io.kestra.core.tasks.storages.Split",)
    examples = (
        Example(
            title="Files of a hundred lines",
            code="""
from: "{{ outputs.download.uri }}"
rows: 100
""",
        ),
        Example(
            title="A file for each value of a column",
            code="""
from: "{{ outputs.download.uri }}"
regexPattern: "^([^,]+),"
""",
        ),
    )

    from_: Annotated[str, Field(alias="from", description="The file to divide.")]
    bytes: Annotated[str | None, Field(description="Size of a part, such as `10MB`; lines stay whole.")] = (
        None
    )
    partitions: Annotated[int | None, Field(ge=1, description="Number of parts, filled in turn.")] = None
    rows: Annotated[int | None, Field(ge=1, description="Lines of a part.")] = None
    regex_pattern: Annotated[
        str | None,
        Field(description="A part for each text of the first group; lines that do not match are left out."),
    ] = None
    separator: Annotated[str, Field(description="What ends a line.")] = "\n"

    async def run(self, ctx: RunContext) -> SplitOutput:
        separator = separator_bytes(self.separator)
        choose = self._choose_part(len(separator))
        source = await local_copy(ctx, self.from_)
        folder = ctx.working_directory / f"{source.name}.parts"
        folder.mkdir()
        parts = await asyncio.to_thread(_split, ctx, source, folder, separator, choose)
        return SplitOutput(uris=[await ctx.files.put(path, path.name) for path in parts])

    def _choose_part(self, separator_size: int) -> ChoosePart:
        if self.regex_pattern is not None:
            return _by_group(self.regex_pattern)
        if self.bytes is not None:
            return _by_size(_read_size(self.bytes), separator_size)
        if self.partitions is not None:
            return _in_turn(self.partitions)
        if self.rows is not None:
            return _by_count(self.rows)
        raise TaskFailure("Invalid configuration with no size, count, rows, nor regexPattern")


def _split(ctx: RunContext, source: Path, folder: Path, separator: bytes, choose: ChoosePart) -> list[Path]:
    with PartFiles(folder, file_extension(source.name)) as parts:
        for record in records(ctx, source, separator):
            part = choose(record)
            if part is not None:
                parts.write(part, record + separator)
        return parts.paths


def _by_group(pattern: str) -> ChoosePart:
    compiled = compile_java(pattern)
    if not compiled.groups:
        raise TaskFailure(f"The pattern `{pattern}` has no group")

    def choose(record: bytes) -> str | None:
        found = compiled.search(record.decode(errors="replace"))
        return None if found is None else found[1]

    return choose


def _by_size(size: int, separator_size: int) -> ChoosePart:
    part, filled = 0, 0

    def choose(record: bytes) -> str:
        nonlocal part, filled
        length = len(record) + separator_size
        if filled and filled + length > size:
            part, filled = part + 1, 0
        filled += length
        return str(part)

    return choose


def _in_turn(partitions: int) -> ChoosePart:
    number = -1

    def choose(record: bytes) -> str:
        nonlocal number
        number = (number + 1) % partitions
        return str(number)

    return choose


def _by_count(rows: int) -> ChoosePart:
    count = -1

    def choose(record: bytes) -> str:
        nonlocal count
        count += 1
        return str(count // rows)

    return choose


def _read_size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise TaskFailure(f"Invalid size with value '{text}'; write it as 500KB or 10MB")
    return max(1, int(float(found[1]) * _UNITS[found[2].upper()]))
