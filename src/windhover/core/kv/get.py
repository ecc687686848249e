"""``io.kestra.plugin.core.kv.Get``"""

from typing import Annotated

from pydantic import Field

from windhover.core.kv_namespaces import accessible_namespace
from windhover.model.execution import JsonValue
from windhover.model.kv import KvType, check_key, missing_entry
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover.util.durations import parse_duration


class GetOutput(Output):
    """What a Get task gives: the value, a duration as its seconds; nothing where there is no entry."""

    value: JsonValue = None


class Get(RunnableTask[GetOutput]):
    """Read an entry of the key-value store, of the flow's namespace or those around it."""

    type_name = "io.kestra.plugin.core.kv.Get"
    examples = (Example(title="Read an entry", code="key: cursor"),)

    key: str
    namespace: Annotated[
        str | None, Field(description="By default that of the flow, and then those around it.")
    ] = None
    error_on_missing: Annotated[bool, Field(description="Fail when there is no such entry.")] = False

    async def run(self, ctx: RunContext) -> GetOutput:
        check_key(self.key)
        namespace = await accessible_namespace(ctx, self.namespace)
        inherit = namespace == ctx.identity.namespace
        entry = await ctx.server.kv.get(namespace, self.key, inherit=inherit)
        if entry is None:
            if self.error_on_missing:
                raise TaskFailure(missing_entry(namespace, self.key))
            return GetOutput()
        value = entry.content.value
        if entry.content.type is KvType.DURATION and isinstance(value, str):
            value = parse_duration(value).total_seconds()
        return GetOutput(value=value)
