"""``io.kestra.plugin.core.flow.If``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.expression import truthy
from windhover.model.execution import JsonValue
from windhover.plugin.flowable import Body, Branch, BranchKind, FlowableContext, FlowableTask, Lane
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output


class IfOutput(Output):
    """What an If task gives."""

    evaluation_result: Annotated[bool, Field(description="Whether the condition was true.")]


class If(FlowableTask):
    """Run one list of tasks or another, depending on a condition.

    False are an empty text, `false`, `0`, `-0` and null; everything else is true.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.If"
    output: ClassVar[type[Output] | None] = IfOutput
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.If",)

    condition: Annotated[
        str | bool | int | float | None, Field(description="The condition; usually an expression.")
    ] = None
    then: Annotated[TaskList, Field(min_length=1)]
    else_: Annotated[TaskList, Field(alias="else")] = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        return truthy(ctx.render(self.condition))

    def body(self, resolved: JsonValue) -> Body:
        return Body([Lane(self.then if resolved else self.else_)])

    def branches(self) -> Iterator[Branch]:
        yield Branch(self.then, BranchKind.CHOICE, "true")
        yield Branch(self.else_, BranchKind.CHOICE, "false")

    def outputs(self, resolved: JsonValue) -> dict[str, JsonValue]:
        return {"evaluationResult": resolved}
