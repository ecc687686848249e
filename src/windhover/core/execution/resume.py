"""``io.kestra.plugin.core.execution.Resume``"""

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask, TaskFailure


class Resume(RunnableTask[None]):
    """Resume a paused execution: the one that is named, else the one that started this execution.

    With `namespace` and `flowId` it must be an execution of that flow.
    """

    type_name = "io.kestra.plugin.core.execution.Resume"
    deprecated = True
    examples = (
        Example(
            title="Resume an execution and answer what its pause asks for",
            code="""
executionId: "{{ inputs.executionId }}"
inputs:
  approved: true
""",
        ),
    )

    execution_id: str | None = None
    namespace: str | None = None
    flow_id: str | None = None
    inputs: dict[str, JsonValue] | None = None

    async def run(self, ctx: RunContext) -> None:
        execution_id = self.execution_id or _starter(ctx)
        if execution_id is None:
            raise TaskFailure("No `executionId`, and no execution has started this one")
        await ctx.server.executions.resume(
            execution_id, self.inputs or {}, ctx.identity, namespace=self.namespace, flow_id=self.flow_id
        )
        ctx.logger.info(f"Resumed execution {execution_id}")


def _starter(ctx: RunContext) -> str | None:
    trigger = ctx.variables.get("trigger")
    found = trigger.get("executionId") if isinstance(trigger, dict) else None
    return found if isinstance(found, str) else None
