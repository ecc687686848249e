"""``io.kestra.plugin.core.state.Get``"""

from typing import Annotated

from pydantic import Field

from windhover.core.state_key import state_key
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure


class StateOutput(Output):
    """What a Get task gives: the data of the state, and how many members it has."""

    count: int = 0
    data: dict[str, JsonValue] = Field(default_factory=dict)


class Get(RunnableTask[StateOutput]):
    """Read a state. Use the key-value store instead."""

    type_name = "io.kestra.plugin.core.state.Get"
    aliases = ("io.kestra.core.tasks.states.Get",)
    deprecated = True
    examples = (Example(title="Read the default state", code="name: default"),)

    name: str = "default"
    namespace: Annotated[bool, Field(description="Share the state with all flows of the namespace.")] = False
    taskrun_value: Annotated[bool, Field(description="In a loop, keep one for each value.")] = True
    error_on_missing: bool = False

    async def run(self, ctx: RunContext) -> StateOutput:
        key = state_key(ctx, self.name, shared=self.namespace, by_value=self.taskrun_value)
        entry = await ctx.server.kv.get(ctx.identity.namespace, key)
        if entry is None:
            if self.error_on_missing:
                raise TaskFailure(f"State {key} not found")
            return StateOutput()
        data = entry.content.value
        return StateOutput(count=len(data), data=data)
