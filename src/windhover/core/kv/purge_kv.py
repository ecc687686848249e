"""``io.kestra.plugin.core.kv.PurgeKV``"""

from typing import Annotated, Literal

from pydantic import Field

from windhover.core.kv_namespaces import accessible_namespace
from windhover.core.purge_scope import VersionBehavior, name_filter, purged_namespaces
from windhover.model.definition import Definition
from windhover.model.purge import KeyPurge, VersionPurge
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask


class KeyBehavior(Definition):
    """Delete keys with all their versions: those that have expired, or all."""

    type: Literal["key"] = "key"
    expired_only: bool = True


class PurgeKVOutput(Output):
    """What a PurgeKV task gives: how many keys, or versions of keys, it deleted."""

    size: int


class PurgeKV(RunnableTask[PurgeKVOutput]):
    """Delete entries of the key-value store for good: expired keys, or old versions."""

    type_name = "io.kestra.plugin.core.kv.PurgeKV"
    examples = (
        Example(
            title="Keep three versions of each key of a namespace and those below it",
            code="""
namespaces: [company]
behavior:
  type: version
  keepAmount: 3
""",
        ),
    )

    key_pattern: Annotated[str | None, Field(description="Keys to look at, such as `*_tmp`.")] = None
    namespaces: list[str] | None = None
    namespace_pattern: Annotated[str | None, Field(description="Namespaces, such as `company.*`.")] = None
    behavior: KeyBehavior | VersionBehavior = KeyBehavior()
    include_child_namespaces: bool = True
    expired_only: Annotated[
        bool | None,
        Field(description="Use `behavior`.", json_schema_extra={"deprecated": True}),
    ] = None

    async def run(self, ctx: RunContext) -> PurgeKVOutput:
        for name in self.namespaces or ():
            await accessible_namespace(ctx, name)
        namespaces = purged_namespaces(
            await ctx.server.kv.namespaces(),
            self.namespaces,
            self.namespace_pattern,
            children=self.include_child_namespaces,
        )
        ctx.logger.info(f"purging {len(namespaces)} namespaces: [{', '.join(namespaces)}]")
        size = await ctx.server.kv.purge(namespaces, name_filter(self.key_pattern), self._purge(ctx))
        ctx.logger.info(f"purged {size} keys")
        return PurgeKVOutput(size=size)

    def _purge(self, ctx: RunContext) -> KeyPurge | VersionPurge:
        if self.expired_only is not None:
            return KeyPurge(ctx.now(), self.expired_only)
        if isinstance(self.behavior, VersionBehavior):
            return self.behavior.purge()
        return KeyPurge(ctx.now(), self.behavior.expired_only)
