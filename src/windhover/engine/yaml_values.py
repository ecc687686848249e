"""YAML as a value: what a YAML input holds.

Plain scalars are read as the original reads them: ``yes`` and ``off`` are booleans, ``0x10`` and
``010`` numbers, while ``12:30`` and ``2024-01-01`` stay text. Keys become text, unknown tags are
passed over, and of several documents the first counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from windhover.model.execution import JsonValue
from windhover.model.yaml.scalars import resolve_plain

if TYPE_CHECKING:
    from yaml.events import AliasEvent, Event

MAX_NODES = 200_000
MAX_DEPTH = 100
MAX_DIGITS = 1000


def read_yaml(text: str) -> JsonValue:
    """Read the first YAML document of a text.

    Raises:
        ValueError: not YAML, empty, a key written twice, or too large once aliases are followed.
    """
    import yaml

    loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Reader(yaml.parse(text, Loader=loader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


class _Reader:
    """Turns parser events into values, and counts them with aliases followed.

    It works on events because composing nodes recurses without a bound, in C, where that is fatal.
    """

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchored: dict[str, tuple[JsonValue, int]] = {}
        self._nodes = 0

    def document(self) -> JsonValue:
        from yaml.events import DocumentStartEvent

        if not any(isinstance(event, DocumentStartEvent) for event in self._events):
            raise ValueError("No content to map due to end-of-input")
        return self._value(next(self._events), 0)

    def _value(self, event: Event, depth: int) -> JsonValue:
        from yaml.events import AliasEvent, MappingStartEvent, NodeEvent, ScalarEvent

        if depth > MAX_DEPTH:
            raise ValueError("the YAML is nested too deeply")
        if isinstance(event, AliasEvent):
            return self._alias(event)
        before = self._nodes
        self._count(1)
        value: JsonValue
        if isinstance(event, ScalarEvent):
            value = _bare_scalar(event.value) if event.implicit[0] else event.value
        elif isinstance(event, MappingStartEvent):
            value = self._map(depth)
        else:
            value = self._list(depth)
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self._anchored[event.anchor] = (value, self._nodes - before)
        return value

    def _alias(self, event: AliasEvent) -> JsonValue:
        if event.anchor not in self._anchored:
            raise ValueError(f"found undefined alias '{event.anchor}'{_line(event)}")
        value, size = self._anchored[event.anchor]
        self._count(size)
        return value

    def _list(self, depth: int) -> JsonValue:
        from yaml.events import SequenceEndEvent

        found: list[JsonValue] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            found.append(self._value(event, depth + 1))
        return found

    def _map(self, depth: int) -> JsonValue:
        from yaml.events import MappingEndEvent, ScalarEvent

        found: dict[str, JsonValue] = {}
        while not isinstance(key := next(self._events), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                raise ValueError(f"Expected a field name (Scalar value in YAML){_line(key)}")
            if key.value in found:
                raise ValueError(f"Duplicate field '{key.value}'{_line(key)}")
            found[key.value] = self._value(next(self._events), depth + 1)
        return found

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise ValueError(f"the YAML has more than {MAX_NODES} values")


def _line(event: Event) -> str:
    return f" (line {event.start_mark.line + 1})" if event.start_mark is not None else ""


def _bare_scalar(text: str) -> JsonValue:
    """An unquoted scalar as null, boolean, number or text."""
    value = resolve_plain(text, MAX_DIGITS)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"Malformed numeric value '{text}'")
    return value
