"""``io.kestra.plugin.core.execution.Count``"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    """How many executions of a flow there were, or of all flows of a namespace."""

    namespace: str
    flow_id: str | None = None
    count: int


class CountOutput(Output):
    """What a Count task gives: the counts that meet the condition, and their sum."""

    results: list[FlowCount]
    total: int


class Count(RunnableTask[CountOutput]):
    """Count executions of flows or namespaces, and find those that had too few of them, or too many."""

    type_name = "io.kestra.plugin.core.execution.Count"
    aliases = ("io.kestra.core.tasks.executions.Counts",)
    deprecated = True
    examples = (
        Example(
            title="Find flows that did not succeed since yesterday",
            code="""
flows:
  - namespace: company.team
    flowId: load
  - namespace: company.team
    flowId: report
states: [SUCCESS]
startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"
expression: "{{ count == 0 }}"
""",
        ),
    )

    flows: Annotated[list[CountedFlow] | None, Field(description="Flows to look at.")] = None
    namespaces: Annotated[
        list[str] | None,
        Field(description="Look at all flows of each of these together; those below it do not count."),
    ] = None
    states: Annotated[list[StateType] | None, Field(description="Only these states; all if not set.")] = None
    start_date: Annotated[DateTime, Field(description="Only executions started then or later.")]
    end_date: Annotated[DateTime | None, Field(description="Only executions started before that.")] = None
    expression: Annotated[
        Static[str],
        Field(description="A condition over `count`, evaluated for each flow and each namespace."),
    ]

    @model_validator(mode="after")
    def _something_is_counted(self) -> Self:
        if self.flows is None and self.namespaces is None:
            raise ValueError("You must provide a list of flows or namespaces: set `flows` or `namespaces`")
        return self

    async def run(self, ctx: RunContext) -> CountOutput:
        import asyncio

        found = [*await self._of_flows(ctx), *await self._of_namespaces(ctx)]
        results = await asyncio.to_thread(lambda: [each for each in found if self._meets(ctx, each.count)])
        ctx.logger.debug(f"{len(results)} of {len(found)} counts meet the condition")
        return CountOutput(results=results, total=sum(each.count for each in results))

    async def _of_flows(self, ctx: RunContext) -> list[FlowCount]:
        flows = [(flow.namespace, flow.flow_id) for flow in self.flows or ()]
        counts = await self._counts(ctx, flows, ())
        return [FlowCount(namespace=key[0], flow_id=key[1], count=counts[key]) for key in flows]

    async def _of_namespaces(self, ctx: RunContext) -> list[FlowCount]:
        """How many executions there were in each namespace; one without any has no count."""
        namespaces = self.namespaces or ()
        totals = dict.fromkeys(namespaces, 0)
        for (namespace, _), count in (await self._counts(ctx, (), namespaces)).items():
            if namespace in totals:
                totals[namespace] += count
        return [FlowCount(namespace=name, count=count) for name, count in totals.items() if count]

    async def _counts(
        self, ctx: RunContext, flows: Collection[tuple[str, str]], namespaces: Collection[str]
    ) -> Mapping[tuple[str, str], int]:
        return await ctx.server.executions.count(
            flows=flows,
            namespaces=namespaces,
            states=self.states or (),
            since=self.start_date,
            until=self.end_date,
        )

    def _meets(self, ctx: RunContext, count: int) -> bool:
        return to_text(ctx.render(self.expression, {"count": count})) == "true"
