"""``io.kestra.plugin.core.storage.Concat``"""

from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from windhover.core.record_files import written_extension
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class ConcatOutput(Output):
    """What a Concat task gives: the URI of the file."""

    uri: str


class Concat(RunnableTask[ConcatOutput]):
    """Put files of the internal storage one after the other into one file."""

    type_name = "io.kestra.plugin.core.storage.Concat"
    aliases = ("io.kestra.core.tasks.storages.Concat",)
    examples = (
        Example(
            title="Concatenate two outputs",
            code="""
files:
  - "{{ outputs.header.uri }}"
  - "{{ outputs.rows.uri }}"
extension: .csv
""",
        ),
    )

    files: list[str]
    separator: Annotated[str | None, Field(description="Written after each file.")] = None
    extension: Annotated[str, Field(description="How the name of the file ends.")] = ".tmp"

    async def run(self, ctx: RunContext) -> ConcatOutput:
        name = f"concatenated{written_extension(self.extension)}"
        return ConcatOutput(uri=await ctx.files.put(self._content(ctx), name))

    async def _content(self, ctx: RunContext) -> AsyncIterator[bytes]:
        separator = (self.separator or "").encode()
        for uri in self.files:
            async for chunk in ctx.files.open(uri):
                yield chunk
            if separator:
                yield separator
