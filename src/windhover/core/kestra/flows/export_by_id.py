"""``io.kestra.plugin.kestra.flows.ExportById``"""

from typing import Annotated

from pydantic import Field

from windhover.core.flow_archive import FlowArchive, archived
from windhover.core.kestra.server_task import ServerTask
from windhover.model.definition import Definition
from windhover.plugin.context import RunContext, StoredFlow
from windhover.plugin.task import TaskFailure


class FlowName(Definition):
    """A flow by its namespace and id."""

    namespace: str
    id: str


class ExportById(ServerTask[FlowArchive]):
    """Put the flows that are named into a ZIP archive, a YAML file for each."""

    type_name = "io.kestra.plugin.kestra.flows.ExportById"

    flows: Annotated[list[FlowName], Field(description="The flows, each with its `namespace` and `id`.")]

    async def act(self, ctx: RunContext) -> FlowArchive:
        found: list[StoredFlow] = []
        missing: list[str] = []
        for flow in self.flows:
            flows = await ctx.server.flows.find(namespace=flow.namespace, flow_id=flow.id)
            found += flows
            missing += [] if flows else [f"{flow.namespace}.{flow.id}"]
        if missing:
            raise TaskFailure(f"There is no flow {', '.join(missing)}")
        return await archived(ctx, found)
