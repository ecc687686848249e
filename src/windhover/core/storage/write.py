"""``io.kestra.plugin.core.storage.Write``"""

from typing import Annotated

from pydantic import Field

from windhover.core.record_files import written_extension
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
    extension: Annotated[str, Field(description="How the name of the file ends.")] = ".tmp"

    async def run(self, ctx: RunContext) -> WriteOutput:
        name = f"content{written_extension(self.extension)}"
        return WriteOutput(uri=await ctx.files.put(self.content.encode(), name))
