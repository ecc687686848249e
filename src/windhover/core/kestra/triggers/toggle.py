"""``io.kestra.plugin.kestra.triggers.Toggle``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kestra.server_task import ServerTask
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output, TaskFailure


class ToggleOutput(Output):
    """What a Toggle task gives: how many triggers it has switched."""

    count: int


class Toggle(ServerTask[ToggleOutput]):
    """Disable a trigger of a flow, or enable it."""

    type_name = "io.kestra.plugin.kestra.triggers.Toggle"

    trigger: Annotated[str, Field(description="The id of the trigger.")]
    flow_id: Annotated[str | None, Field(description="The id of its flow; this one if there is none.")] = None
    namespace: Annotated[
        str | None, Field(description="The namespace of its flow; that of this one if there is none.")
    ] = None
    enabled: Annotated[bool, Field(description="Enable it instead of disabling it.")] = False

    async def act(self, ctx: RunContext) -> ToggleOutput:
        namespace = self.namespace or ctx.identity.namespace
        flow_id = self.flow_id or ctx.identity.flow_id
        try:
            await ctx.server.triggers.set_enabled(namespace, flow_id, self.trigger, self.enabled)
        except LookupError as error:
            raise TaskFailure(str(error.args[0])) from None
        return ToggleOutput(count=1)
