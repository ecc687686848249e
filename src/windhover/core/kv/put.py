"""``io.kestra.plugin.core.kv.Put``"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from windhover.core.kv_namespaces import accessible_namespace
from windhover.model.execution import JsonValue
from windhover.model.kv import kv_value, missing_entry
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import RunnableTask, TaskFailure
from windhover.plugin.types import Typed


class Put(RunnableTask[None]):
    """Create an entry of the key-value store, or merge into the map that is there.

    Description and expiry of an entry stay as they are.
    """

    type_name = "io.kestra.plugin.core.kv.Put"
    examples = (
        Example(
            title="Set single members of a stored map",
            code="""
key: settings
value:
  - key: limits.rows
    value: 1000
""",
        ),
    )

    key: str
    value: Annotated[
        Typed[JsonValue | None],
        Field(
            description="A map is merged deeply into a stored map; a list of `key` and `value` sets the "
            "members that the dotted keys name; anything else replaces what is there."
        ),
    ]
    namespace: Annotated[str | None, Field(description="By default that of the flow.")] = None
    error_on_missing: bool = False

    async def run(self, ctx: RunContext) -> None:
        namespace = await accessible_namespace(ctx, self.namespace)
        store = ctx.server.kv
        entry = await store.get(namespace, self.key)
        if entry is None and self.error_on_missing:
            raise TaskFailure(missing_entry(namespace, self.key))
        stored = None if entry is None else entry.content.value
        await store.put(
            namespace,
            self.key,
            kv_value(_merged(stored, self.value, self.key)),
            description=None if entry is None else entry.description,
            expires=None if entry is None else entry.expires,
        )


def _merged(stored: JsonValue, value: JsonValue, key: str) -> JsonValue:
    if isinstance(value, Mapping):
        return _deeply(stored, value) if isinstance(stored, Mapping) else value
    if not _is_patch(value):
        return value
    for change in value:
        if "key" not in change:
            stored = change["value"]
        elif isinstance(stored, Mapping | None):
            stored = _with_member(stored or {}, change["key"].split("."), change["value"])
        else:
            raise TaskFailure(f"The value of key '{key}' is no map, so `{change['key']}` cannot be set in it")
    return stored


def _is_patch(value: JsonValue) -> bool:
    """Whether a list says which members to set."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) > 0
        and all(
            isinstance(item, Mapping)
            and "value" in item
            and (set(item) == {"value"} or (set(item) == {"key", "value"} and isinstance(item["key"], str)))
            for item in value
        )
    )


def _deeply(stored: Mapping[str, JsonValue], value: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    merged = dict(stored)
    for name, new in value.items():
        old = merged.get(name)
        merged[name] = _deeply(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else new
    return merged


def _with_member(
    stored: Mapping[str, JsonValue], path: Sequence[str], value: JsonValue
) -> dict[str, JsonValue]:
    first, *rest = path
    inner = stored.get(first)
    changed = _with_member(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value
    return {**stored, first: changed}
