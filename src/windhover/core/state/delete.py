"""``io.kestra.plugin.core.state.Delete``"""

from typing import Annotated

from pydantic import Field

from windhover.core.state_key import state_key
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure


class DeleteOutput(Output):
    """What a Delete task gives: whether there was a state."""

    deleted: bool


class Delete(RunnableTask[DeleteOutput]):
    """Delete a state. Use the key-value store instead."""

    type_name = "io.kestra.plugin.core.state.Delete"
    aliases = ("io.kestra.core.tasks.states.Delete",)
    deprecated = True
    examples = (Example(title="Delete the default state", code="name: default"),)

    name: str = "default"
    namespace: Annotated[bool, Field(description="Share the state with all flows of the namespace.")] = False
    taskrun_value: Annotated[bool, Field(description="In a loop, keep one for each value.")] = True
    error_on_missing: bool = False

    async def run(self, ctx: RunContext) -> DeleteOutput:
        key = state_key(ctx, self.name, shared=self.namespace, by_value=self.taskrun_value)
        deleted = await ctx.server.kv.delete(ctx.identity.namespace, key)
        if not deleted and self.error_on_missing:
            raise TaskFailure(f"Unable to find the state file '{self.name}'")
        return DeleteOutput(deleted=deleted)
