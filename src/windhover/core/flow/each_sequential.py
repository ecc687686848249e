"""``io.kestra.plugin.core.flow.EachSequential``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.loop_values import LoopLanes, loop_values
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import Body, Fault, FlowableContext, FlowableTask
from windhover.plugin.nesting import TaskList


class EachSequential(FlowableTask):
    """Run a group of tasks for each of a list of values, one value after the other. Use `ForEach` instead."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.EachSequential"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.EachSequential",)
    repeats: ClassVar[bool] = True
    deprecated: ClassVar[bool] = True

    value: Annotated[
        str | list[JsonValue],
        Field(description="A list, or the JSON text of one; expressions are rendered."),
    ]
    tasks: TaskList = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        return loop_values(self.value, ctx, "value")

    def body(self, resolved: JsonValue) -> Body:
        return Body(LoopLanes(self.tasks, resolved))

    def check(self) -> Iterator[Fault]:
        if not self.tasks:
            yield Fault("The 'tasks' property cannot be empty", "tasks")
