"""``io.kestra.plugin.core.log.PurgeLogs``"""

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import DateTime, Level


class PurgeLogsOutput(Output):
    """What a PurgeLogs task gives: how many lines it deleted."""

    count: int


class PurgeLogs(RunnableTask[PurgeLogsOutput]):
    """Delete log lines for good."""

    type_name = "io.kestra.plugin.core.log.PurgeLogs"
    examples = (
        Example(
            title="Delete what is only of use for a week",
            code="""
endDate: "{{ now() | dateAdd(-7, 'DAYS') }}"
logLevels: [TRACE, DEBUG]
""",
        ),
    )

    namespace: Annotated[
        str | None, Field(description="Without `flowId`, those below it, too. All if not set.")
    ] = None
    flow_id: str | None = None
    execution_id: str | None = None
    log_levels: Annotated[list[Level] | None, Field(description="Only these levels; all if not set.")] = None
    start_date: Annotated[DateTime | None, Field(description="Only lines written then or later.")] = None
    end_date: Annotated[DateTime, Field(description="Only lines written before that.")]

    async def run(self, ctx: RunContext) -> PurgeLogsOutput:
        count = await ctx.server.logs.purge(
            namespace=self.namespace,
            flow_id=self.flow_id,
            execution_id=self.execution_id,
            levels=self.log_levels or (),
            since=self.start_date,
            until=self.end_date,
        )
        return PurgeLogsOutput(count=count)
