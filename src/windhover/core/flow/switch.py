"""``io.kestra.plugin.core.flow.Switch``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression import to_text
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import Body, Branch, BranchKind, Fault, FlowableContext, FlowableTask, Lane
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output


class SwitchOutput(Output):
    """What a Switch task gives."""

    value: Annotated[str, Field(description="The value, rendered.")]
    defaults: Annotated[bool, Field(description="Whether no case has it.")]


class Switch(FlowableTask):
    """Run the list of tasks whose case equals a value, else the default ones.

    A value without a case, where there are no defaults, fails the task.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Switch"
    output: ClassVar[type[Output] | None] = SwitchOutput
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.Switch",)

    value: Annotated[str | bool | int | float, Field(description="The value; usually an expression.")]
    cases: Annotated[
        Mapping[str | int | float | bool, TaskList],
        Field(default_factory=dict, description="Lists of tasks by value."),
    ]
    defaults: TaskList = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        return to_text(ctx.render(self.value))

    def body(self, resolved: JsonValue) -> Body:
        tasks = self._case(resolved)
        if tasks is None:
            missing = (
                None if self.defaults else f"the value `{resolved}` has no case, and there are no `defaults`"
            )
            return Body([Lane(self.defaults)], missing=missing)
        return Body([Lane(tasks)])

    def branches(self) -> Iterator[Branch]:
        for key, tasks in self.cases.items():
            yield Branch(tasks, BranchKind.CHOICE, to_text(key))
        yield Branch(self.defaults, BranchKind.CHOICE, "defaults")

    def outputs(self, resolved: JsonValue) -> dict[str, JsonValue]:
        return {"value": resolved, "defaults": self._case(resolved) is None}

    def check(self) -> Iterator[Fault]:
        if not self.defaults and not self.cases:
            yield Fault("No task defined, neither cases or default have any tasks")

    def _case(self, value: str) -> TaskList | None:
        return next((tasks for key, tasks in self.cases.items() if to_text(key) == value), None)
