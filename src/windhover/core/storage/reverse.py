"""``io.kestra.plugin.core.storage.Reverse``"""

import asyncio
from pathlib import Path
from typing import Annotated

from pydantic import Field

from windhover.core.record_files import encoded, file_extension, local_copy, records_backwards
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class ReverseOutput(Output):
    """What a Reverse task gives: the URI of the file."""

    uri: str


class Reverse(RunnableTask[ReverseOutput]):
    """Put the lines of a file into the opposite order."""

    type_name = "io.kestra.plugin.core.storage.Reverse"
    aliases = ("io.kestra.core.tasks.storages.Reverse",)
    examples = (Example(title="The last line first", code='from: "{{ outputs.download.uri }}"'),)

    from_: Annotated[str, Field(alias="from", description="The file to read.")]
    separator: Annotated[str, Field(description="Written after each line.")] = "\n"
    charset: str = "UTF-8"

    async def run(self, ctx: RunContext) -> ReverseOutput:
        separator = encoded(self.separator, self.charset)
        ends = encoded("\n", self.charset), encoded("\r", self.charset)
        source = await local_copy(ctx, self.from_)
        target = source.with_name(f"reversed{file_extension(self.from_)}")
        await asyncio.to_thread(_reverse, ctx, source, target, ends, separator)
        return ReverseOutput(uri=await ctx.files.put(target, target.name))


def _reverse(
    ctx: RunContext, source: Path, target: Path, ends: tuple[bytes, bytes], separator: bytes
) -> None:
    line_feed, carriage_return = ends
    with target.open("wb") as out:
        for line in records_backwards(ctx, source, line_feed):
            out.write(line.removesuffix(carriage_return) + separator)
