"""``io.kestra.plugin.core.flow.Sleep``"""

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask
from windhover.plugin.types import Duration
from windhover.util.durations import format_duration


class Sleep(RunnableTask[None]):
    """Wait for a time, holding a slot of the worker. For waits of minutes and more, use Pause."""

    type_name = "io.kestra.plugin.core.flow.Sleep"
    examples = (
        Example(
            title="Wait half a minute",
            code="""
duration: PT30S
""",
        ),
    )

    duration: Duration

    async def run(self, ctx: RunContext) -> None:
        ctx.logger.info(f"Waiting for {format_duration(self.duration)}")
        left = (ctx.began + self.duration - ctx.now()).total_seconds()
        if left > 0:
            await ctx.sleep(left)
