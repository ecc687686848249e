"""Outputs that are too large for a row: the marker that stands for them, and reading through it.

A large output value is kept as a JSON file in the internal storage. Where the value was, a marker names
the file: ``{"type": "io.windhover.datatype:stored", "uri": "kestra:///…", "size": 1234}``. Expressions
never see it: :func:`resolving` gives a view of outputs that loads a value when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from windhover.model.execution import JsonValue

STORED_TYPE = "io.windhover.datatype:stored"

_MARKER_KEYS = frozenset({"type", "uri", "size"})


class StoredValue(msgspec.Struct, frozen=True):
    """A value kept in the storage; ``size`` is that of its JSON, in bytes."""

    uri: str
    size: int

    def marker(self) -> dict[str, JsonValue]:
        """What stands in the outputs instead of the value."""
        return {"type": STORED_TYPE, "uri": self.uri, "size": self.size}


def stored_value(value: JsonValue) -> StoredValue | None:
    """The stored value that a marker names, or None when ``value`` is no marker."""
    if type(value) is dict and value.get("type") == STORED_TYPE and value.keys() == _MARKER_KEYS:
        uri, size = value["uri"], value["size"]
        if isinstance(uri, str) and isinstance(size, int):
            return StoredValue(uri, size)
    return None


def too_large(sizes: Mapping[str, int], each: int, together: int) -> list[str]:
    """Which values to put away so that none left is above ``each`` and all left are within ``together``.

    ``sizes`` are those of their JSON by name; the largest are named first.
    """
    total = sum(sizes.values())
    chosen: list[str] = []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if sizes[name] <= each and total <= together:
            break
        chosen.append(name)
        total -= sizes[name]
    return chosen


def holds_stored_values(value: JsonValue) -> bool:
    """Whether a map of outputs has a marker in it, at any depth of maps."""
    if type(value) is not dict:
        return False
    if value.get("type") == STORED_TYPE and stored_value(value) is not None:
        return True
    return any(type(item) is dict and holds_stored_values(item) for item in value.values())


Load = Callable[[StoredValue], JsonValue]


def resolving(value: JsonValue, load: Load) -> JsonValue:
    """A value as expressions should see it: a marker loaded, a map with markers as a view, all else as is."""
    stored = stored_value(value)
    if stored is not None:
        return load(stored)
    is_view = isinstance(value, Mapping) and not isinstance(value, dict | ResolvingOutputs)
    if is_view or holds_stored_values(value):
        return ResolvingOutputs(value, load)
    return value


class ResolvingOutputs(Mapping[str, JsonValue]):
    """A map of outputs in which stored values are loaded at the first look, and then kept."""

    __slots__ = ("_load", "_loaded", "_values")

    def __init__(self, values: Mapping[str, JsonValue], load: Load) -> None:
        self._values = values
        self._load = load
        self._loaded: dict[str, JsonValue] = {}

    def __getitem__(self, name: str) -> JsonValue:
        if name in self._loaded:
            return self._loaded[name]
        value = self._values[name]
        resolved = resolving(value, self._load)
        if resolved is not value:
            self._loaded[name] = resolved
        return resolved

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
