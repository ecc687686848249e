"""``io.kestra.plugin.core.debug.Return``"""

import time

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.task import Output, RunnableTask


class ReturnOutput(Output):
    """What a Return task gives."""

    value: str | None = None


class Return(RunnableTask[ReturnOutput]):
    """Give back a text with its expressions evaluated, to look at it or to hand it on."""

    type_name = "io.kestra.plugin.core.debug.Return"
    aliases = ("io.kestra.core.tasks.debugs.Return",)
    examples = (
        Example(
            title="Look at an expression",
            code="""
format: "{{ flow.id }} ran at {{ execution.startDate }}"
""",
        ),
    )
    reported_metrics = (
        MetricDescription("length", "counter", "Characters of the value."),
        MetricDescription("duration", "timer", "Time that the task took."),
    )

    format: str | None = None

    async def run(self, ctx: RunContext) -> ReturnOutput:
        began = time.perf_counter()
        if self.format is not None:
            ctx.logger.debug(self.format)
            ctx.metric("counter", "length", len(self.format))
        ctx.metric("timer", "duration", (time.perf_counter() - began) * 1000)
        return ReturnOutput(value=self.format)
