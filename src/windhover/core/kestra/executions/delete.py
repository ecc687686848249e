"""``io.kestra.plugin.kestra.executions.Delete``"""

from windhover.core.kestra.server_task import ServerTask
from windhover.plugin.context import ExecutionPurge, RunContext
from windhover.plugin.task import TaskFailure


class Delete(ServerTask[None]):
    """Delete another execution that has ended, for good."""

    type_name = "io.kestra.plugin.kestra.executions.Delete"

    execution_id: str
    delete_logs: bool = True
    delete_metrics: bool = True
    delete_storage: bool = True

    async def act(self, ctx: RunContext) -> None:
        purged = await ctx.server.executions.purge(
            ExecutionPurge(
                until=ctx.now(),
                execution_id=self.execution_id,
                logs=self.delete_logs,
                metrics=self.delete_metrics,
                files=self.delete_storage,
            )
        )
        if not purged.executions:
            raise TaskFailure(f"There is no execution '{self.execution_id}' that has ended")
        ctx.logger.info(f"Deleted execution {self.execution_id}")
