"""``io.kestra.plugin.kestra.namespaces.NamespacesWithFlows``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kestra.server_task import ServerTask
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output


class NamespacesOutput(Output):
    """What a task on namespaces gives."""

    namespaces: list[str]


class NamespacesWithFlows(ServerTask[NamespacesOutput]):
    """List the namespaces that hold flows."""

    type_name = "io.kestra.plugin.kestra.namespaces.NamespacesWithFlows"

    prefix: Annotated[str | None, Field(description="What the names begin with.")] = None

    async def act(self, ctx: RunContext) -> NamespacesOutput:
        names = await ctx.server.flows.namespaces()
        return NamespacesOutput(namespaces=[name for name in names if name.startswith(self.prefix or "")])
