"""``io.kestra.plugin.kestra.executions.Kill``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kestra.server_task import ServerTask
from windhover.plugin.context import RunContext


class Kill(ServerTask[None]):
    """Kill another execution. One that has ended already is left as it is."""

    type_name = "io.kestra.plugin.kestra.executions.Kill"

    execution_id: str
    propagate_kill: Annotated[bool, Field(description="Kill the executions that it has started, too.")] = True

    async def act(self, ctx: RunContext) -> None:
        await ctx.server.executions.kill(self.execution_id, ctx.identity, cascade=self.propagate_kill)
        ctx.logger.info(f"Killed execution {self.execution_id}")
