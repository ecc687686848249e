"""``io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles``"""

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class PurgeCurrentExecutionFilesOutput(Output):
    """What a PurgeCurrentExecutionFiles task gives: the URIs of the files that are gone."""

    uris: list[str]


class PurgeCurrentExecutionFiles(RunnableTask[PurgeCurrentExecutionFilesOutput]):
    """Delete all files of the execution: its inputs and what its tasks have written so far.

    While another execution, such as a replay of this one, may need them, they stay until both are deleted.
    """

    type_name = "io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles"
    aliases = (
        "io.kestra.core.tasks.storages.PurgeExecution",
        "io.kestra.plugin.core.storage.PurgeExecution",
    )
    examples = (Example(title="Delete the files of the execution", code=""),)

    async def run(self, ctx: RunContext) -> PurgeCurrentExecutionFilesOutput:
        return PurgeCurrentExecutionFilesOutput(uris=list(await ctx.files.delete_all()))
