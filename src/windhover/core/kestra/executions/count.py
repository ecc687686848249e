"""``io.kestra.plugin.kestra.executions.Count``"""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from windhover.core.kestra.server_task import ServerTask
from windhover.expression import truthy
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, Static
from windhover.plugin.types import DateTime


class CountOutput(Output):
    """What a Count task gives."""

    count: int


class Count(ServerTask[CountOutput]):
    """Count executions."""

    type_name = "io.kestra.plugin.kestra.executions.Count"
    examples = (
        Example(
            title="How many executions of a flow failed today",
            code="""
namespaces: [company.team]
flowId: load
states: [FAILED]
startDate: "{{ now() | date('yyyy-MM-dd') }}T00:00:00Z"
""",
        ),
    )

    namespaces: Annotated[
        list[str] | None,
        Field(
            description="Of flows in these and below them, with `flowId` in these alone; by default its own."
        ),
    ] = None
    flow_id: Annotated[str | None, Field(description="Only executions of this flow.")] = None
    states: Annotated[list[StateType] | None, Field(description="Only these states; all if not set.")] = None
    start_date: Annotated[DateTime | None, Field(description="Only executions started then or later.")] = None
    end_date: Annotated[DateTime | None, Field(description="Only executions started before that.")] = None
    expression: Annotated[
        Static[str | None],
        Field(description="A condition over `count`; only flows for which it holds are counted."),
    ] = None

    async def act(self, ctx: RunContext) -> CountOutput:
        namespaces = self.namespaces or [ctx.identity.namespace]
        flow_id = self.flow_id
        counts = await ctx.server.executions.count(
            flows=[] if flow_id is None else [(namespace, flow_id) for namespace in namespaces],
            namespaces=namespaces if flow_id is None else (),
            states=self.states or (),
            since=self.start_date,
            until=self.end_date,
        )
        counted = await asyncio.to_thread(
            lambda: [count for count in counts.values() if self._meets(ctx, count)]
        )
        return CountOutput(count=sum(counted))

    def _meets(self, ctx: RunContext, count: int) -> bool:
        return self.expression is None or truthy(ctx.render(self.expression, {"count": count}))
