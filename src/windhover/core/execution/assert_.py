"""``io.kestra.plugin.core.execution.Assert``"""

from windhover.expression import ExpressionError, to_text, truthy
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.task import RunnableTask, Static, TaskFailure


class Assert(RunnableTask[None]):
    """Fail unless all conditions hold; those that do not are named in the log."""

    type_name = "io.kestra.plugin.core.execution.Assert"
    examples = (
        Example(
            title="Check two conditions",
            code="""
conditions:
  - "{{ inputs.rows > 0 }}"
  - "{{ outputs.load.exitCode == 0 }}"
errorMessage: The load is not to be trusted.
""",
        ),
    )
    reported_metrics = (
        MetricDescription("success", "counter", "Conditions that hold."),
        MetricDescription("failed", "counter", "Conditions that do not hold, or cannot be evaluated."),
    )

    # Rendered one by one here: one that cannot be must not keep the others from being looked at.
    conditions: Static[list[str]]
    # Rendered when it is needed: it may speak of outputs that are there only when something went wrong.
    error_message: Static[str | None] = None

    def run(self, ctx: RunContext) -> None:
        failed = sum(not self._holds(ctx, condition) for condition in self.conditions)
        ctx.metric("counter", "success", len(self.conditions) - failed)
        ctx.metric("counter", "failed", failed)
        if failed:
            message = "1 assertion failed!" if failed == 1 else f"{failed} assertions failed!"
            if self.error_message is not None:
                message = f"{message}\n{to_text(ctx.render(self.error_message))}"
            raise TaskFailure(message)

    def _holds(self, ctx: RunContext, condition: str) -> bool:
        try:
            if truthy(ctx.render(condition)):
                return True
        except ExpressionError as error:
            ctx.logger.error(f"Assertion `{condition}` failed, failed to render `{error}`")
            return False
        ctx.logger.error(f"Assertion `{condition}` failed!")
        return False
