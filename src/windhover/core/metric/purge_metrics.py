"""``io.kestra.plugin.core.metric.PurgeMetrics``"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.types import DateTime


class PurgeMetricsOutput(Output):
    """What a PurgeMetrics task gives: how many values it deleted."""

    count: int


class PurgeMetrics(RunnableTask[PurgeMetricsOutput]):
    """Delete metrics for good."""

    type_name = "io.kestra.plugin.core.metric.PurgeMetrics"
    examples = (
        Example(
            title="Keep the metrics of a year",
            code="""
endDate: "{{ now() | dateAdd(-1, 'YEARS') }}"
""",
        ),
    )

    namespace: Annotated[
        str | None, Field(description="Without `flowId`, those below it, too. All if not set.")
    ] = None
    flow_id: Annotated[str | None, Field(description="A flow of `namespace`.")] = None
    start_date: Annotated[DateTime | None, Field(description="Only values reported then or later.")] = None
    end_date: Annotated[DateTime, Field(description="Only values reported before that.")]

    @model_validator(mode="after")
    def _flow_has_namespace(self) -> Self:
        if self.flow_id is not None and self.namespace is None:
            raise ValueError("`flowId` needs a `namespace`")
        return self

    async def run(self, ctx: RunContext) -> PurgeMetricsOutput:
        count = await ctx.server.metrics.purge(
            namespace=self.namespace, flow_id=self.flow_id, since=self.start_date, until=self.end_date
        )
        return PurgeMetricsOutput(count=count)
