"""``io.kestra.plugin.core.storage.Write``"""

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class WriteOutput(Output):
    """What a Write task gives: the URI of the file."""

    uri: str


class Write(RunnableTask[WriteOutput]):
    """Write a text into a file of the internal storage."""

    type_name = "io.kestra.plugin.core.storage.Write"
    examples = (
        Example(
            title="Write a file",
            code="""
content: |
  id,name
  1,Ada
extension: .csv
""",
        ),
    )

    content: str
    extension: Annotated[str | None, Field(description="How the name of the file ends.")] = None

    async def run(self, ctx: RunContext) -> WriteOutput:
        extension = self.extension or ""
        dot = "." if extension and not extension.startswith(".") else ""
        return WriteOutput(uri=await ctx.files.put(self.content.encode(), f"content{dot}{extension}"))
