"""``io.kestra.plugin.core.execution.Count``"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from windhover.expression import to_text
from windhover.model.definition import Definition
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, Static
from windhover.plugin.types import DateTime


class CountedFlow(Definition):
    """A flow whose executions are counted."""

    namespace: str
    flow_id: str


class FlowCount(Output):
    """How many executions of a flow there were."""

    namespace: str
    flow_id: str
    count: int


class CountOutput(Output):
    """What a Count task gives: the flows whose count meets the condition, and the sum of all counts."""

    results: list[FlowCount]
    total: int


class Count(RunnableTask[CountOutput]):
    """Count executions by flow, and find the flows that had too few of them, or too many."""

    type_name = "io.kestra.plugin.core.execution.Count"
    aliases = ("io.kestra.core.tasks.executions.Counts",)
    deprecated = True
    examples = (
        Example(
            title="Find flows that did not succeed since yesterday",
            code="""
namespaces: [company.team]
states: [SUCCESS]
startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"
expression: "{{ count == 0 }}"
""",
        ),
    )

    flows: Annotated[list[CountedFlow] | None, Field(description="Flows to look at.")] = None
    namespaces: Annotated[
        list[str] | None, Field(description="Look at all flows in these and in those below them.")
    ] = None
    states: Annotated[list[StateType] | None, Field(description="Only these states; all if not set.")] = None
    start_date: Annotated[DateTime, Field(description="Only executions started then or later.")]
    end_date: Annotated[DateTime | None, Field(description="Only executions started before that.")] = None
    expression: Annotated[
        Static[str], Field(description="A condition over `count`, evaluated for each flow.")
    ]

    @model_validator(mode="after")
    def _something_is_counted(self) -> Self:
        if self.flows is None and self.namespaces is None:
            raise ValueError("You must provide a list of flows or namespaces: set `flows` or `namespaces`")
        return self

    async def run(self, ctx: RunContext) -> CountOutput:
        import asyncio

        counts = await ctx.server.executions.count(
            flows=[(flow.namespace, flow.flow_id) for flow in self.flows or ()],
            namespaces=self.namespaces or (),
            states=self.states or (),
            since=self.start_date,
            until=self.end_date,
        )
        found = [FlowCount(namespace=n, flow_id=f, count=count) for (n, f), count in counts.items()]
        results = await asyncio.to_thread(lambda: [each for each in found if self._meets(ctx, each.count)])
        ctx.logger.debug(f"{len(results)} of {len(found)} flows meet the condition")
        return CountOutput(results=results, total=sum(each.count for each in results))

    def _meets(self, ctx: RunContext, count: int) -> bool:
        return to_text(ctx.render(self.expression, {"count": count})) == "true"
