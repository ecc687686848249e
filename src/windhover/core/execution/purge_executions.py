"""``io.kestra.plugin.core.execution.PurgeExecutions``"""

from typing import Annotated

from pydantic import Field

from windhover.model.state import StateType
from windhover.plugin.context import ExecutionPurge, RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import DateTime


class PurgeExecutionsOutput(Output):
    """What a PurgeExecutions task gives: how many executions, log lines, files and metrics it deleted."""

    executions_count: int
    logs_count: int
    storages_count: int
    metrics_count: int


class PurgeExecutions(RunnableTask[PurgeExecutionsOutput]):
    """Delete executions that have ended, with their logs, metrics and files, for good."""

    type_name = "io.kestra.plugin.core.execution.PurgeExecutions"
    aliases = ("io.kestra.core.tasks.storages.Purge", "io.kestra.plugin.core.storage.Purge")
    examples = (
        Example(
            title="Delete what succeeded a month ago and earlier",
            code="""
namespace: company
endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
states: [SUCCESS]
""",
        ),
    )

    namespace: Annotated[
        str | None, Field(description="Without `flowId`, those below it, too. All if not set.")
    ] = None
    flow_id: str | None = None
    start_date: Annotated[DateTime | None, Field(description="Only executions started then or later.")] = None
    end_date: Annotated[DateTime, Field(description="Only executions started before that.")]
    states: Annotated[
        list[StateType] | None, Field(description="End states; executions in any of them if not set.")
    ] = None
    purge_execution: bool = True
    purge_log: bool = True
    purge_metric: bool = True
    purge_storage: bool = True
    batch_size: Annotated[int, Field(ge=1, description="How many are deleted at a time.")] = 100

    async def run(self, ctx: RunContext) -> PurgeExecutionsOutput:
        purged = await ctx.server.executions.purge(
            ExecutionPurge(
                namespace=self.namespace,
                flow_id=self.flow_id,
                since=self.start_date,
                until=self.end_date,
                states=None if self.states is None else tuple(self.states),
                executions=self.purge_execution,
                logs=self.purge_log,
                metrics=self.purge_metric,
                files=self.purge_storage,
                batch_size=self.batch_size,
            )
        )
        return PurgeExecutionsOutput(
            executions_count=purged.executions,
            logs_count=purged.logs,
            storages_count=purged.files,
            metrics_count=purged.metrics,
        )
