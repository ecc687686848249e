"""``io.kestra.plugin.core.storage.Split``"""

import asyncio
from pathlib import Path
from typing import Annotated

from pydantic import Field

from windhover.core.part_files import PartFiles
from windhover.core.record_files import file_extension, lines, local_copy
from windhover.core.row_parts import Division, by_count, by_group, by_size, in_turn
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure


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
    bytes: Annotated[
        str | None,
        Field(description="The size, such as `10MB`, at which a part is full; lines stay whole."),
    ] = None
    partitions: Annotated[int | None, Field(ge=1, description="Number of parts, filled in turn.")] = None
    rows: Annotated[int | None, Field(description="Lines of a part; 1 if it is less.")] = None
    regex_pattern: Annotated[
        str | None,
        Field(description="A part for each text of the first group; lines that do not match are left out."),
    ] = None
    separator: Annotated[
        str, Field(description="What ends the lines of the parts, whatever ended them before.")
    ] = "\n"

    async def run(self, ctx: RunContext) -> SplitOutput:
        separator = self.separator.encode()
        division = self._division()
        source = await local_copy(ctx, self.from_)
        folder = ctx.working_directory / f"{source.name}.parts"
        folder.mkdir()
        parts = await asyncio.to_thread(_split, ctx, source, folder, separator, division)
        return SplitOutput(uris=[await ctx.files.put(path, path.name) for path in parts])

    def _division(self) -> Division:
        try:
            if self.regex_pattern is not None:
                return by_group(self.regex_pattern)
            if self.bytes is not None:
                return by_size(self.bytes, self.separator.encode())
        except ValueError as error:
            raise TaskFailure(str(error)) from error
        if self.partitions is not None:
            return in_turn(self.partitions)
        if self.rows is not None:
            return by_count(self.rows)
        raise TaskFailure("Invalid configuration with no size, count, rows, nor regexPattern")


def _split(ctx: RunContext, source: Path, folder: Path, separator: bytes, division: Division) -> list[Path]:
    with PartFiles(folder, file_extension(source.name)) as parts:
        for line in lines(ctx, source):
            try:
                part = division.choose(line)
            except ValueError as error:
                raise TaskFailure(str(error)) from error
            if part is not None:
                parts.write(part, line + separator)
        return parts.paths
