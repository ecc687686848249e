"""``io.kestra.plugin.core.output.OutputValues``"""

from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class OutputValuesOutput(Output):
    """What an OutputValues task gives."""

    values: dict[str, JsonValue] | None = None


class OutputValues(RunnableTask[OutputValuesOutput]):
    """Make outputs of values, with the expressions in them evaluated at any depth."""

    type_name = "io.kestra.plugin.core.output.OutputValues"
    examples = (
        Example(
            title="Make two outputs",
            code="""
values:
  day: "{{ trigger.date | date('yyyy-MM-dd') }}"
  limits:
    rows: 1000
""",
        ),
    )

    values: dict[str, JsonValue] | None = None

    async def run(self, ctx: RunContext) -> OutputValuesOutput:
        return OutputValuesOutput(values=self.values or {})
