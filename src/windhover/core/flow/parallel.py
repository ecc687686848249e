"""``io.kestra.plugin.core.flow.Parallel``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.concurrency import RenderedCount, whole_number
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import Body, Branch, BranchKind, FlowableContext, FlowableTask, Lane
from windhover.plugin.nesting import TaskList


class Parallel(FlowableTask):
    """Run tasks side by side.

    After a failure no further task is started; those under way are let finish.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Parallel"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Parallel",)

    concurrent: Annotated[
        RenderedCount, Field(description="How many tasks run at once; 0 for all. May be an expression.")
    ] = 0
    tasks: Annotated[TaskList, Field(min_length=1)]

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        return whole_number(ctx.render(self.concurrent), "concurrent")

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane((task,)) for task in self.tasks], limit=resolved)

    def branches(self) -> Iterator[Branch]:
        for task in self.tasks:
            yield Branch((task,), BranchKind.PARALLEL)
