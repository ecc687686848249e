"""``io.kestra.plugin.core.flow.EachParallel``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.concurrency import RenderedCount, whole_number
from windhover.core.loop_values import loop_values
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import Body, FlowableContext, FlowableTask, Lane
from windhover.plugin.nesting import TaskList


class EachParallel(FlowableTask):
    """Run all tasks for all of a list of values side by side.

    Use `ForEach` with `concurrencyLimit` instead.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.EachParallel"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.EachParallel",)
    repeats: ClassVar[bool] = True
    deprecated: ClassVar[bool] = True

    value: Annotated[
        str | list[JsonValue],
        Field(description="A list, or the JSON text of one; expressions are rendered."),
    ]
    concurrent: Annotated[
        RenderedCount, Field(description="How many tasks run at once; 0 for all. May be an expression.")
    ] = 0
    tasks: Annotated[TaskList, Field(min_length=1)]

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        return {
            "values": loop_values(self.value, ctx, "value"),
            "concurrent": whole_number(ctx.render(self.concurrent), "concurrent"),
        }

    def body(self, resolved: JsonValue) -> Body:
        return Body(_TaskLanes(self.tasks, resolved["values"]), limit=resolved["concurrent"])


class _TaskLanes(Sequence[Lane]):
    """One lane for each task of each value."""

    def __init__(self, tasks: TaskList, values: Sequence[str]) -> None:
        self._groups = [(task,) for task in tasks]
        self._values = values

    def __len__(self) -> int:
        return len(self._values) * len(self._groups)

    def __getitem__(self, index: int) -> Lane:  # type: ignore[override]
        iteration, task = divmod(index, len(self._groups))
        return Lane(self._groups[task], self._values[iteration], iteration)
