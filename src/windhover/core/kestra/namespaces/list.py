"""``io.kestra.plugin.kestra.namespaces.List``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kestra.namespaces.namespaces_with_flows import NamespacesOutput
from windhover.core.kestra.server_task import ServerTask
from windhover.plugin.context import RunContext


class List(ServerTask[NamespacesOutput]):
    """List namespaces, sorted: those that hold flows, and those that were created by hand."""

    type_name = "io.kestra.plugin.kestra.namespaces.List"

    prefix: Annotated[str | None, Field(description="What the names begin with.")] = None
    page: Annotated[int | None, Field(ge=1, description="One page, counted from 1; all if not set.")] = None
    size: Annotated[int, Field(ge=1, description="How many namespaces a page has.")] = 10
    existing_only: Annotated[
        bool, Field(description="Only those that were created by hand, not those that only hold flows.")
    ] = False

    async def act(self, ctx: RunContext) -> NamespacesOutput:
        flows = ctx.server.flows
        names = set(await flows.declared_namespaces())
        if not self.existing_only:
            names.update(await flows.namespaces())
        found = sorted(name for name in names if name.startswith(self.prefix or ""))
        if self.page is not None:
            found = found[(self.page - 1) * self.size : self.page * self.size]
        return NamespacesOutput(namespaces=found)
