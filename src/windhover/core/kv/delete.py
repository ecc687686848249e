"""``io.kestra.plugin.core.kv.Delete``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kv_namespaces import accessible_namespace
from windhover.model.kv import check_key, missing_entry
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure


class DeleteOutput(Output):
    """What a Delete task gives: whether there was an entry."""

    deleted: bool


class Delete(RunnableTask[DeleteOutput]):
    """Delete an entry of the key-value store."""

    type_name = "io.kestra.plugin.core.kv.Delete"
    examples = (Example(title="Delete an entry", code="key: cursor"),)

    key: str
    namespace: Annotated[str | None, Field(description="By default that of the flow.")] = None
    error_on_missing: Annotated[bool, Field(description="Fail when there is no such entry.")] = False

    async def run(self, ctx: RunContext) -> DeleteOutput:
        check_key(self.key)
        namespace = await accessible_namespace(ctx, self.namespace)
        deleted = await ctx.server.kv.delete(namespace, self.key)
        if not deleted and self.error_on_missing:
            raise TaskFailure(missing_entry(namespace, self.key))
        return DeleteOutput(deleted=deleted)
