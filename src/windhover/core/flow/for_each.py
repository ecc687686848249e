"""``io.kestra.plugin.core.flow.ForEach``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.loop_values import LoopLanes, loop_values
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import Body, Fault, FlowableContext, FlowableTask
from windhover.plugin.nesting import TaskList


class ForEach(FlowableTask):
    """Run a group of tasks for each of a list of values.

    In the tasks, `taskrun.value` is the value (as text; a map is its JSON) and `taskrun.iteration`
    its index. The tasks of one value run one after the other.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.ForEach"
    repeats: ClassVar[bool] = True

    values: Annotated[
        str | list[JsonValue],
        Field(description="A list, or the JSON text of one; expressions are rendered."),
    ]
    concurrency_limit: Annotated[
        int, Field(ge=0, description="How many values are under way at once: 1 one by one, 0 all.")
    ] = 1
    tasks: TaskList = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        return loop_values(self.values, ctx)

    def body(self, resolved: JsonValue) -> Body:
        return Body(LoopLanes(self.tasks, resolved), limit=self.concurrency_limit)

    def check(self) -> Iterator[Fault]:
        if not self.tasks:
            yield Fault("The 'tasks' property cannot be empty", "tasks")
