"""``io.kestra.plugin.core.debug.Echo``"""

from windhover.model.log import LogLevel
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask
from windhover.plugin.types import Level


class Echo(RunnableTask[None]):
    """Write a line into the log. Use ``io.kestra.plugin.core.log.Log`` instead."""

    type_name = "io.kestra.plugin.core.debug.Echo"
    aliases = ("io.kestra.core.tasks.debugs.Echo",)
    deprecated = True

    format: str | None = None
    level: Level = LogLevel.INFO

    async def run(self, ctx: RunContext) -> None:
        ctx.logger.log(self.level, self.format or "")
