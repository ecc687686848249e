"""``io.kestra.plugin.core.execution.Fail``"""

from windhover.expression import to_text, truthy
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask, Static, TaskFailure


class Fail(RunnableTask[None]):
    """Fail the execution: always, or if a condition holds."""

    type_name = "io.kestra.plugin.core.execution.Fail"
    aliases = ("io.kestra.core.tasks.executions.Fail",)
    examples = (
        Example(
            title="Fail always",
            code="""
errorMessage: This branch must not be reached.
""",
        ),
        Example(
            title="Fail if there are no rows",
            code="""
condition: "{{ outputs.count.vars.rows == 0 }}"
errorMessage: There are no rows.
""",
        ),
    )

    condition: str | None = None
    # Rendered when it is needed: it may speak of outputs that are there only when the condition holds.
    error_message: Static[str] = "Task failure"

    def run(self, ctx: RunContext) -> None:
        if self.condition is None:
            raise TaskFailure(to_text(ctx.render(self.error_message)))
        if truthy(self.condition):
            ctx.logger.error(to_text(ctx.render(self.error_message)))
            raise TaskFailure("Fail on a condition")
