"""``io.kestra.plugin.kestra.flows.Export``"""

from typing import Annotated

from pydantic import Field

from windhover.core.flow_archive import FlowArchive, archived
from windhover.core.kestra.server_task import ServerTask
from windhover.plugin.context import RunContext


class Export(ServerTask[FlowArchive]):
    """Put flows into a ZIP archive, a YAML file for each."""

    type_name = "io.kestra.plugin.kestra.flows.Export"

    namespace: Annotated[
        str | None, Field(description="Only flows in this namespace and below it; all if not set.")
    ] = None
    labels: Annotated[dict[str, str] | None, Field(description="Only flows with all these labels.")] = None

    async def act(self, ctx: RunContext) -> FlowArchive:
        return await archived(ctx, await ctx.server.flows.find(namespace=self.namespace, labels=self.labels))
