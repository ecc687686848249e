"""``io.kestra.plugin.core.flow.Dag``."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.concurrency import RenderedCount, whole_number
from windhover.model.execution import JsonValue
from windhover.model.task import Definition, Task
from windhover.plugin.flowable import Body, Branch, BranchKind, Fault, FlowableContext, FlowableTask, Lane
from windhover.plugin.nesting import AnyTask


class DagTask(Definition):
    """A task and the tasks that must have ended before it starts."""

    task: AnyTask
    depends_on: tuple[str, ...] = ()


class Dag(FlowableTask):
    """Run tasks side by side, each as soon as those it depends on have ended.

    A task that is disabled counts as ended.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Dag"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Dag",)

    concurrent: Annotated[
        RenderedCount, Field(description="How many tasks run at once; 0 for all. May be an expression.")
    ] = 0
    tasks: Annotated[tuple[DagTask, ...], Field(min_length=1)]

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        return whole_number(ctx.render(self.concurrent), "concurrent")

    def body(self, resolved: JsonValue) -> Body:
        index = {entry.task.id: i for i, entry in enumerate(self.tasks)}
        after = {
            i: [index[other] for other in dict.fromkeys(entry.depends_on)]
            for i, entry in enumerate(self.tasks)
        }
        return Body([Lane((entry.task,)) for entry in self.tasks], limit=resolved, after=after)

    def branches(self) -> Iterator[Branch]:
        for entry in self.tasks:
            yield Branch((entry.task,), BranchKind.PARALLEL, after=entry.depends_on)

    def check(self) -> Iterator[Fault]:
        known = {entry.task.id for entry in self.tasks}
        unknown = [
            other
            for other in dict.fromkeys(o for entry in self.tasks for o in entry.depends_on)
            if other not in known
        ]
        if unknown:
            yield Fault(f"Not existing task id in dependency: {', '.join(unknown)}")
        graph = {entry.task.id: entry.depends_on for entry in self.tasks}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = set(error.args[1])
            names = [entry.task.id for entry in self.tasks if entry.task.id in cycle]
            yield Fault(f"Cyclic dependency detected: {', '.join(names)}")

    def nested(self) -> Iterator[Task]:
        for entry in self.tasks:
            yield entry.task
        yield from self.errors
        yield from self.finally_
