"""Puts plugin defaults into a flow, as it was written, before its tasks and triggers are read.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from windhover.model.execution import JsonValue
from windhover.model.plugin_default import PluginDefault

#: The properties of a flow in which defaults are declared; nothing is put into these.
DECLARED_IN = ("pluginDefaults", "taskDefaults")


class _Named(Protocol):
    @property
    def type_name(self) -> str: ...


class TypeFinder(Protocol):
    """Finds the type that a name or an alias stands for."""

    def find(self, type_name: str, /) -> _Named | None: ...


def apply_plugin_defaults(
    raw: dict[str, JsonValue], levels: Sequence[Sequence[PluginDefault]], registry: TypeFinder
) -> dict[str, JsonValue]:
    """Return the flow with defaults merged into every map that has a ``type``; ``raw`` stays as it is.

    An entry applies to types that equal its own or begin with it; an entry under an alias also to the
    type it stands for. Maps are merged deeply and lists joined. What the author wrote wins over an inner
    level, and that over an outer one; with ``forced`` entries it is the other way round. Within a level
    the most specific type wins, and the first of several entries for one type.

    Args:
        raw: the map of the flow.
        levels: the declared defaults, from the innermost (the flow's own) to the outermost (the server's).
        registry: resolves aliases.
    """
    if not any(levels):
        return raw
    defaults = _Defaults(levels, registry)
    return {key: value if key in DECLARED_IN else defaults.put_into(value) for key, value in raw.items()}


class _Defaults:
    def __init__(self, levels: Sequence[Sequence[PluginDefault]], registry: TypeFinder) -> None:
        self._levels = [
            sorted(
                ((entry, _canonical(entry, registry)) for entry in level), key=lambda pair: -len(pair[0].type)
            )
            for level in levels
        ]
        self._matching: dict[str, list[list[PluginDefault]]] = {}

    def put_into(self, value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            type_name = value.get("type")
            merged = self._merged(value, type_name) if isinstance(type_name, str) else value
            return {key: self.put_into(member) for key, member in merged.items()}
        if isinstance(value, list):
            return [self.put_into(item) for item in value]
        return value

    def _merged(self, written: dict[str, JsonValue], type_name: str) -> dict[str, JsonValue]:
        levels = self._of_type(type_name)
        result = written
        for level in levels:
            for entry in level:
                if not entry.forced:
                    result = _merge(entry.values, result)
        for level in levels:
            for entry in reversed(level):
                if entry.forced:
                    result = _merge(result, entry.values)
        return result

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


def _canonical(entry: PluginDefault, registry: TypeFinder) -> str | None:
    plugin = registry.find(entry.type)
    return plugin.type_name if plugin is not None else None


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
