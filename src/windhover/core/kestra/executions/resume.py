"""``io.kestra.plugin.kestra.executions.Resume``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kestra.server_task import ServerTask
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.task import TaskFailure


class Resume(ServerTask[None]):
    """Resume a paused execution: the one that is named, else the one that started this execution."""

    type_name = "io.kestra.plugin.kestra.executions.Resume"

    execution_id: str | None = None
    inputs: Annotated[
        dict[str, JsonValue] | None, Field(description="What the pause asks for, by input.")
    ] = None

    async def act(self, ctx: RunContext) -> None:
        execution_id = self.execution_id or _starter(ctx)
        if execution_id is None:
            raise TaskFailure("No `executionId`, and no execution has started this one")
        await ctx.server.executions.resume(execution_id, self.inputs or {}, ctx.identity)
        ctx.logger.info(f"Resumed execution {execution_id}")


def _starter(ctx: RunContext) -> str | None:
    trigger = ctx.variables.get("trigger")
    found = trigger.get("executionId") if isinstance(trigger, dict) else None
    return found if isinstance(found, str) else None
