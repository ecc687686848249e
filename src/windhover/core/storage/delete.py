"""``io.kestra.plugin.core.storage.Delete``"""

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure


class DeleteOutput(Output):
    """What a Delete task gives: the URI, and whether there was a file."""

    uri: str
    deleted: bool


class Delete(RunnableTask[DeleteOutput]):
    """Delete a file of the execution."""

    type_name = "io.kestra.plugin.core.storage.Delete"
    aliases = ("io.kestra.core.tasks.storages.Delete",)
    examples = (Example(title="Delete an output", code='uri: "{{ outputs.download.uri }}"'),)

    uri: str
    error_on_missing: bool = False

    async def run(self, ctx: RunContext) -> DeleteOutput:
        deleted = await ctx.files.delete(self.uri)
        if not deleted and self.error_on_missing:
            raise TaskFailure(f"Unable to find file '{self.uri}'")
        return DeleteOutput(uri=self.uri, deleted=deleted)
