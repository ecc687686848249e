"""``io.kestra.plugin.kestra.logs.Fetch``"""

from windhover.core.kestra.server_task import ServerTask
from windhover.core.log_files import LogFile, LogSelection
from windhover.plugin.context import RunContext


class Fetch(LogSelection, ServerTask[LogFile]):
    """Write log lines into a file, an Ion struct a line: those of this execution, or of another."""

    type_name = "io.kestra.plugin.kestra.logs.Fetch"

    async def act(self, ctx: RunContext) -> LogFile:
        return await self.fetch(ctx)
