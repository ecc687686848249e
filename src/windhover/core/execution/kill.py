"""``io.kestra.plugin.core.execution.Kill``"""

from typing import Annotated

from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask


class Kill(RunnableTask[None]):
    """Kill another execution. One that has ended already is left as it is."""

    type_name = "io.kestra.plugin.core.execution.Kill"
    examples = (
        Example(
            title="Stop an execution and what it has started",
            code="""
executionId: "{{ inputs.executionId }}"
""",
        ),
    )

    execution_id: str
    propagate_kill: Annotated[bool, Field(description="Kill the executions that it has started, too.")] = True

    async def run(self, ctx: RunContext) -> None:
        await ctx.server.executions.kill(self.execution_id, ctx.identity, cascade=self.propagate_kill)
        ctx.logger.info(f"Killed execution {self.execution_id}")
