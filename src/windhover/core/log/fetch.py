"""``io.kestra.plugin.core.log.Fetch``"""

from windhover.core.log_files import LogFile, LogSelection
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask


class Fetch(LogSelection, RunnableTask[LogFile]):
    """Write log lines into a file, an Ion struct a line: those of this execution, or of another."""

    type_name = "io.kestra.plugin.core.log.Fetch"
    aliases = ("io.kestra.core.tasks.log.Fetch",)
    deprecated = True

    async def run(self, ctx: RunContext) -> LogFile:
        return await self.fetch(ctx)
