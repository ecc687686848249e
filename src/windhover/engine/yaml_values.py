"""YAML as a value: what a YAML input holds.

Plain scalars are read as the original reads them: ``yes`` and ``off`` are booleans, ``0x10`` and
``010`` numbers, while ``12:30`` and ``2024-01-01`` stay text. Keys become text, unknown tags are
passed over, and of several documents the first counts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from windhover.model.execution import JsonValue

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_NODES = 200_000
MAX_DEPTH = 100

_BARE, _TEXT = "bare", "text"
_BOOLEAN = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})


def read_yaml(text: str) -> JsonValue:
    """Read the first YAML document of a text.

    Raises:
        ValueError: not YAML, empty, a key written twice, or too large once aliases are followed.
    """
    import yaml

    try:
        loader = _loader_type()(text)
        try:
            if not loader.check_node():
                raise ValueError("No content to map due to end-of-input")
            return _Reader().value(loader.get_node(), 0)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("the YAML is nested too deeply") from None


@lru_cache(maxsize=1)
def _loader_type() -> type[Any]:
    """A loader that marks bare scalars, so that they can be told from quoted and tagged ones."""
    import yaml
    from yaml.nodes import ScalarNode

    base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        def resolve(self, kind: type[Node], value: str, implicit: tuple[bool, bool]) -> str:
            if kind is ScalarNode:
                return _BARE if implicit[0] else _TEXT
            return str(super().resolve(kind, value, implicit))

    return Loader


class _Reader:
    """Turns composed nodes into values and counts them, aliases followed."""

    def __init__(self) -> None:
        self._nodes = 0

    def value(self, node: Node, depth: int) -> JsonValue:
        from yaml.nodes import MappingNode, ScalarNode, SequenceNode

        self._nodes += 1
        if depth > MAX_DEPTH:
            raise ValueError("the YAML is nested too deeply")
        if self._nodes > MAX_NODES:
            raise ValueError(f"the YAML has more than {MAX_NODES} values")
        if isinstance(node, ScalarNode):
            return _bare_scalar(node.value) if node.tag == _BARE else node.value
        if isinstance(node, SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, MappingNode):
            return self._map(node, depth)
        raise TypeError(f"{type(node).__name__} is no node of a YAML document")

    def _map(self, node: Node, depth: int) -> JsonValue:
        from yaml.nodes import ScalarNode

        found: dict[str, JsonValue] = {}
        for key, item in node.value:
            if not isinstance(key, ScalarNode):
                raise ValueError("Expected a field name (Scalar value in YAML)")
            if key.value in found:
                line = key.start_mark.line + 1
                raise ValueError(f"Duplicate field '{key.value}' (line {line})")
            found[key.value] = self.value(item, depth + 1)
        return found


def _bare_scalar(text: str) -> JsonValue:
    if text in _NULL:
        return None
    if text.lower() in _BOOLEAN and text in (text.lower(), text.upper(), text.capitalize()):
        return _BOOLEAN[text.lower()]
    if _INTEGER.fullmatch(text):
        return _integer(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return _float(text.replace("_", ""))
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    sign = -1 if text.startswith("-") else 1
    for prefix, base in (("0x", 16), ("0b", 2), ("0", 8)):
        if digits.startswith(prefix) and len(digits) > len(prefix):
            return sign * int(digits.removeprefix(prefix), base)
    return sign * int(digits)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"Malformed numeric value '{text}'")
    return value
