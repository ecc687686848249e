"""``io.kestra.plugin.core.flow.PurgeFlows``"""

from typing import Annotated

from pydantic import Field

from windhover.core.purge_scope import VersionBehavior, name_filter, purged_namespaces
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class PurgeFlowsOutput(Output):
    """What a PurgeFlows task gives: how many revisions it deleted."""

    size: int


class PurgeFlows(RunnableTask[PurgeFlowsOutput]):
    """Delete old revisions of flows for good. The latest revision always stays."""

    type_name = "io.kestra.plugin.core.flow.PurgeFlows"
    examples = (
        Example(
            title="Keep ten revisions of each flow",
            code="""
namespaces: [company]
behavior:
  type: version
  keepAmount: 10
""",
        ),
    )

    flow_pattern: Annotated[str | None, Field(description="Ids to look at, such as `daily-*`.")] = None
    namespaces: list[str] | None = None
    namespace_pattern: Annotated[str | None, Field(description="Namespaces, such as `company.*`.")] = None
    include_child_namespaces: bool = True
    behavior: VersionBehavior = VersionBehavior(keep_amount=1)

    async def run(self, ctx: RunContext) -> PurgeFlowsOutput:
        flows = ctx.server.flows
        namespaces = purged_namespaces(
            await flows.namespaces(),
            self.namespaces,
            self.namespace_pattern,
            children=self.include_child_namespaces,
        )
        ctx.logger.info(f"purging {len(namespaces)} namespaces: [{', '.join(namespaces)}]")
        size = await flows.purge(namespaces, name_filter(self.flow_pattern), self.behavior.purge())
        ctx.logger.info(f"purged {size} revisions")
        return PurgeFlowsOutput(size=size)
