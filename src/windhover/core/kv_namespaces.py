"""Which namespace a task about stored values works on."""

from __future__ import annotations

from windhover.model.kv import NamespaceMissing
from windhover.plugin.context import RunContext


async def accessible_namespace(ctx: RunContext, namespace: str | None) -> str:
    """The namespace that a task names, or that of its flow.

    Raises:
        NamespaceMissing: it is another one, and nothing is known of it. A misspelt name is better refused
            than made.
    """
    own = ctx.identity.namespace
    if namespace is None or namespace == own or own.startswith(f"{namespace}."):
        return namespace or own
    if not await ctx.server.kv.has_namespace(namespace):
        raise NamespaceMissing(namespace)
    return namespace
