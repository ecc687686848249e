"""``io.kestra.plugin.core.storage.Size``"""

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class SizeOutput(Output):
    """What a Size task gives: the size in bytes."""

    size: int


class Size(RunnableTask[SizeOutput]):
    """Tell the size of a file of the internal storage."""

    type_name = "io.kestra.plugin.core.storage.Size"
    aliases = ("io.kestra.core.tasks.storages.Size",)
    examples = (Example(title="Size of an output", code='uri: "{{ outputs.download.uri }}"'),)

    uri: str

    async def run(self, ctx: RunContext) -> SizeOutput:
        return SizeOutput(size=await ctx.files.size(self.uri))
