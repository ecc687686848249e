"""Puts plugin defaults into a flow, as it was written, before its tasks and triggers are read.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from windhover.model.definition import Definition, property_names
from windhover.model.execution import JsonValue
from windhover.model.plugin_default import PluginDefault
from windhover.model.task import Task
from windhover.model.trigger import Condition, Trigger
from windhover.plugin.kind import PluginKind
from windhover.plugin.registry import PluginType, Registry
from windhover.plugin.type_names import find_type

#: The properties of a flow in which defaults are declared; nothing is put into these.
DECLARED_IN = ("pluginDefaults", "taskDefaults")


#: Bounds on what defaults may make of a flow.
_MOST_VALUES = 400_000
_DEEPEST = 120


def known_properties(plugin: PluginType) -> frozenset[str]:
    """All properties that a plugin may be given in a flow."""
    return property_names(plugin.cls) | property_names(_common_base(plugin.kind))


def apply_plugin_defaults(
    raw: dict[str, JsonValue], levels: Sequence[Sequence[PluginDefault]], registry: Registry
) -> dict[str, JsonValue]:
    """Return the flow with defaults merged into every map that has a ``type``; ``raw`` stays as it is.

    An entry applies to types that equal its own or begin with it; an entry under an alias also to the
    type it stands for. Maps are merged deeply and lists joined. What the author wrote wins over an inner
    level, and that over an outer one; with ``forced`` entries it is the other way round. Within a level
    the most specific type wins, and the first of several entries for one type.

    Properties that the type does not have are left out: an entry for many types need not fit them all.

    Args:
        raw: the map of the flow.
        levels: the declared defaults, from the innermost (the flow's own) to the outermost (the server's).
        registry: resolves aliases.

    Raises:
        PluginDefaultsTooLarge: defaults within defaults grow beyond all reason.
    """
    if not any(levels):
        return raw
    defaults = _Defaults(levels, registry)
    return {key: value if key in DECLARED_IN else defaults.put_into(value) for key, value in raw.items()}


class PluginDefaultsTooLarge(ValueError):
    """Defaults that are put into one another grow beyond all reason."""


class _Defaults:
    """Puts entries into maps. An entry is not put into its own values, however these are nested."""

    def __init__(self, levels: Sequence[Sequence[PluginDefault]], registry: Registry) -> None:
        self._levels = [
            sorted(
                ((entry, _canonical(entry, registry)) for entry in level),
                key=lambda pair: -len(pair[0].type),
            )
            for level in levels
        ]
        self._registry = registry
        self._matching: dict[str, list[list[PluginDefault]]] = {}
        self._count = 0

    def put_into(self, value: JsonValue, within: tuple[int, ...] = (), depth: int = 0) -> JsonValue:
        """The value with defaults at every depth; ``within`` are the entries whose values it is part of."""
        self._count += 1
        if self._count > _MOST_VALUES or depth > _DEEPEST:
            raise PluginDefaultsTooLarge("Plugin defaults are nested too deeply, or are too many")
        if isinstance(value, dict):
            members = {key: self.put_into(member, within, depth + 1) for key, member in value.items()}
            type_name = value.get("type")
            return self._merged(members, type_name, within, depth) if isinstance(type_name, str) else members
        if isinstance(value, list):
            return [self.put_into(item, within, depth + 1) for item in value]
        return value

    def _merged(
        self, members: dict[str, JsonValue], type_name: str, within: tuple[int, ...], depth: int
    ) -> dict[str, JsonValue]:
        levels = [[entry for entry in level if id(entry) not in within] for level in self._of_type(type_name)]
        result = members
        for level in levels:
            for entry in level:
                if not entry.forced:
                    result = _merge(self._values(entry, type_name, within, depth), result)
        for level in levels:
            for entry in reversed(level):
                if entry.forced:
                    result = _merge(result, self._values(entry, type_name, within, depth))
        return result

    def _values(
        self, entry: PluginDefault, type_name: str, within: tuple[int, ...], depth: int
    ) -> dict[str, JsonValue]:
        inside = (*within, id(entry))
        plugin = find_type(self._registry, type_name)
        known = entry.values.keys() if plugin is None else known_properties(plugin)
        return {
            key: self.put_into(value, inside, depth + 1)
            for key, value in entry.values.items()
            if key in known
        }

    def _of_type(self, type_name: str) -> list[list[PluginDefault]]:
        found = self._matching.get(type_name)
        if found is None:
            found = [
                [
                    entry
                    for entry, canonical in level
                    if type_name.startswith(entry.type) or type_name == canonical
                ]
                for level in self._levels
            ]
            self._matching[type_name] = found
        return found


def _canonical(entry: PluginDefault, registry: Registry) -> str | None:
    plugin = find_type(registry, entry.type)
    return plugin.type_name if plugin is not None else None


def _common_base(kind: PluginKind) -> type[Definition]:
    if kind is PluginKind.TRIGGER:
        return Trigger
    return Task if kind.is_task else Condition


def _merge(under: Mapping[str, JsonValue], over: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Both maps, ``over`` winning. Null is no value."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merge(below, value)
        elif isinstance(below, list) and isinstance(value, list):
            merged[key] = [*below, *value]
        elif value is not None or below is None:
            merged[key] = value
    return merged
