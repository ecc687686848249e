"""``io.kestra.plugin.core.metric.Publish``"""

from typing import Annotated, Literal

from pydantic import Field

from windhover.model.definition import Definition
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask
from windhover.plugin.types import Duration


class NumberMetric(Definition):
    """A counter, whose values add up, or a gauge, whose last value counts."""

    type: Literal["counter", "gauge"]
    name: str
    value: float
    tags: dict[str, str] | None = None
    description: str | None = None


class TimerMetric(Definition):
    """How long something took."""

    type: Literal["timer"]
    name: str
    value: Annotated[Duration, Field(description="An ISO-8601 duration such as PT1.5S.")]
    tags: dict[str, str] | None = None
    description: str | None = None


PublishedMetric = Annotated[NumberMetric | TimerMetric, Field(discriminator="type")]


class Publish(RunnableTask[None]):
    """Report metrics of your own: they are shown with the execution and over time with the flow."""

    type_name = "io.kestra.plugin.core.metric.Publish"
    examples = (
        Example(
            title="Count rows by region, and say how long the load took",
            code="""
metrics:
  - type: counter
    name: rows
    value: "{{ outputs.load.rows }}"
    tags:
      region: west
  - type: timer
    name: load_time
    value: PT1M30S
""",
        ),
    )

    metrics: list[PublishedMetric] | None = None

    async def run(self, ctx: RunContext) -> None:
        for metric in self.metrics or ():
            if isinstance(metric, TimerMetric):
                value = metric.value.total_seconds() * 1000
            else:
                value = metric.value
            ctx.metric(metric.type, metric.name, value, metric.tags)
