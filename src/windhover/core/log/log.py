"""``io.kestra.plugin.core.log.Log``"""

from windhover.model.log import LogLevel
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask
from windhover.plugin.types import Level


class Log(RunnableTask[None]):
    """Write one or more lines into the log of the execution."""

    type_name = "io.kestra.plugin.core.log.Log"
    aliases = ("io.kestra.core.tasks.log.Log",)
    examples = (
        Example(
            title="Write a line",
            code="""
message: "Hello, {{ inputs.name }}"
""",
        ),
        Example(
            title="Write several lines as warnings",
            code="""
level: WARN
message:
  - The source is empty.
  - "The last load was on {{ outputs.last.value }}."
""",
        ),
    )

    message: str | list[str]
    level: Level = LogLevel.INFO

    async def run(self, ctx: RunContext) -> None:
        for message in [self.message] if isinstance(self.message, str) else self.message:
            ctx.logger.log(self.level, message)
