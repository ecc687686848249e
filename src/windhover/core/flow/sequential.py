"""``io.kestra.plugin.core.flow.Sequential``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from windhover.model.execution import JsonValue
from windhover.plugin.flowable import Body, Fault, FlowableTask, Lane
from windhover.plugin.nesting import TaskList


class Sequential(FlowableTask):
    """Run tasks one after the other, as a group.

    A failure stops the group; its own `errors` run first, then those of what is around it.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Sequential"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Sequential",)

    tasks: TaskList = ()

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.tasks)])

    def check(self) -> Iterator[Fault]:
        if not self.tasks:
            yield Fault("The 'tasks' property cannot be empty", "tasks")
