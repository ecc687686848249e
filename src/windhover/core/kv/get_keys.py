"""``io.kestra.plugin.core.kv.GetKeys``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kv_namespaces import accessible_namespace
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class GetKeysOutput(Output):
    """What a GetKeys task gives: the keys, sorted."""

    keys: list[str]


class GetKeys(RunnableTask[GetKeysOutput]):
    """List keys of the key-value store."""

    type_name = "io.kestra.plugin.core.kv.GetKeys"
    examples = (Example(title="List keys that begin alike", code="prefix: customer."),)

    prefix: Annotated[str | None, Field(description="What the keys begin with.")] = None
    namespace: Annotated[str | None, Field(description="By default that of the flow.")] = None

    async def run(self, ctx: RunContext) -> GetKeysOutput:
        namespace = await accessible_namespace(ctx, self.namespace)
        return GetKeysOutput(keys=list(await ctx.server.kv.keys(namespace, self.prefix or "")))
