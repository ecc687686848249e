"""One round of a Loop: its tasks one after the other, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from windhover.model.execution import JsonValue
from windhover.model.inputs import FlowOutput
from windhover.plugin.flowable import Body, FlowableTask, Lane
from windhover.plugin.nesting import TaskList


class LoopRound(FlowableTask):
    """The task runs of one value; no flow names it by itself."""

    isolates: ClassVar[bool] = True
    concludes: ClassVar[bool] = True

    tasks: TaskList = ()
    results: tuple[FlowOutput, ...] = ()

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.tasks)])

    def declared_outputs(self) -> Sequence[FlowOutput]:
        return self.results
