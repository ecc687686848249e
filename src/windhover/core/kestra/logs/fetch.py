"""``io.kestra.plugin.kestra.logs.Fetch``"""

from windhover.core.kestra.server_task import ServerTask
from windhover.core.log_files import LogFile, write_logs
from windhover.model.log import LogLevel
from windhover.plugin.context import RunContext
from windhover.plugin.types import Level


class Fetch(ServerTask[LogFile]):
    """Write log lines into a file, an Ion struct a line: those of this execution, or of another."""

    type_name = "io.kestra.plugin.kestra.logs.Fetch"

    namespace: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    tasks_id: list[str] | None = None
    level: Level = LogLevel.INFO

    async def act(self, ctx: RunContext) -> LogFile:
        identity = ctx.identity
        other = self.execution_id is not None
        entries = await ctx.server.logs.fetch(
            namespace=self.namespace if other else identity.namespace,
            flow_id=self.flow_id if other else identity.flow_id,
            execution_id=self.execution_id or identity.execution_id,
            task_ids=self.tasks_id,
            minimum=self.level,
        )
        return await write_logs(ctx, entries)
