"""``io.kestra.plugin.core.state.Set``"""

from typing import Annotated

from pydantic import Field

from windhover.core.merging import deeply_merged
from windhover.core.state_key import state_key
from windhover.model.execution import JsonValue
from windhover.model.kv import KvType, KvValue
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class SetOutput(Output):
    """What a Set task gives: how many members the state has, and the key under which it is kept."""

    count: int
    key: str


class Set(RunnableTask[SetOutput]):
    """Write a state: maps are merged deeply into what is there. Use the key-value store instead."""

    type_name = "io.kestra.plugin.core.state.Set"
    aliases = ("io.kestra.core.tasks.states.Set",)
    deprecated = True
    examples = (
        Example(
            title="Remember a number",
            code="""
data:
  last: "{{ outputs.query.row.id }}"
""",
        ),
    )

    name: str = "default"
    namespace: Annotated[bool, Field(description="Share the state with all flows of the namespace.")] = False
    taskrun_value: Annotated[bool, Field(description="In a loop, keep one for each value.")] = True
    data: dict[str, JsonValue] | None = None

    async def run(self, ctx: RunContext) -> SetOutput:
        key = state_key(ctx, self.name, shared=self.namespace, by_value=self.taskrun_value)
        entry = await ctx.server.kv.get(ctx.identity.namespace, key)
        data = deeply_merged({} if entry is None else entry.content.value, self.data or {})
        await ctx.server.kv.put(ctx.identity.namespace, key, KvValue(KvType.JSON, data))
        return SetOutput(count=len(data), key=key)
