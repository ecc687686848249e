"""``io.kestra.plugin.core.kv.Set``"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from windhover.core.kv_namespaces import accessible_namespace
from windhover.model.execution import JsonValue
from windhover.model.kv import KvType, kv_value
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask, TaskFailure
from windhover.plugin.types import Duration, TypedText


class Set(RunnableTask[None]):
    """Create or change an entry of the key-value store."""

    type_name = "io.kestra.plugin.core.kv.Set"
    examples = (
        Example(
            title="Remember how far a flow has come, for a week",
            code="""
key: cursor
value: "{{ outputs.query.row.id }}"
ttl: P7D
""",
        ),
        Example(
            title="Create an entry that must not be there yet",
            code="""
key: lock
value: "{{ execution.id }}"
overwrite: false
""",
        ),
    )

    key: Annotated[str, Field(description="Letters, digits, `.`, `_` and `-`.")]
    value: Annotated[
        TypedText[JsonValue | None],
        Field(
            description="Text that is one expression keeps the type of its value: a map stays a map. What is "
            "written out is text: a map is its JSON."
        ),
    ]
    kv_description: str | None = None
    namespace: Annotated[str | None, Field(description="By default that of the flow.")] = None
    overwrite: Annotated[
        bool, Field(description="When false, an entry that exists already fails the task.")
    ] = True
    ttl: Annotated[Duration | None, Field(description="After this time the entry counts as missing.")] = None
    kv_type: Annotated[
        KvType | None, Field(description="How to read a value that is text; by itself it stays text.")
    ] = None

    async def run(self, ctx: RunContext) -> None:
        if self.ttl is not None and self.ttl < timedelta():
            raise TaskFailure("`ttl` cannot be negative")
        namespace = await accessible_namespace(ctx, self.namespace)
        await ctx.server.kv.put(
            namespace,
            self.key,
            kv_value(self.value, self.kv_type),
            description=self.kv_description,
            expires=None if self.ttl is None else ctx.now() + self.ttl,
            overwrite=self.overwrite,
        )
