"""Where in the text each property stands."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from windhover.model.execution import JsonValue

#: A property path: names of properties and indexes of lists.
PropertyPath = tuple[str | int, ...]


class Position(NamedTuple):
    """A place in the text; line and column count from 1."""

    line: int
    column: int


class Place(msgspec.Struct):
    """Where one value stands; ``key`` is the place of its property name, for members of a map."""

    value: Position
    key: Position | None = None
    children: dict[str | int, Place] | None = None


class Positions:
    """The places of all values of a document, looked up by property path."""

    def __init__(self, root: Place) -> None:
        self._root = root

    def value(self, path: PropertyPath) -> Position:
        """The place of a value, or of the innermost value around it when it is not written."""
        return self._find(path)[0].value

    def key(self, path: PropertyPath) -> Position:
        """The place of a property's name (of a list item's value)."""
        place, exact = self._find(path)
        return place.key if exact and place.key is not None else place.value

    def is_written(self, path: PropertyPath) -> bool:
        """The path stands in the text itself, rather than being missing or put in later."""
        return self._find(path)[1]

    def _find(self, path: PropertyPath) -> tuple[Place, bool]:
        place = self._root
        for part in path:
            child = place.children.get(part) if place.children else None
            if child is None:
                return place, False
            place = child
        return place, True


def has_member(value: JsonValue, part: str | int) -> bool:
    """``value[part]`` is there: a property of a map, an item of a list."""
    if isinstance(value, dict):
        return part in value
    return isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value)


def format_path(path: PropertyPath) -> str:
    """Write a path as ``tasks[0].message``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
