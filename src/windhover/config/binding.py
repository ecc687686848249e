"""Bind a configuration tree to the typed settings, naming every value that does not fit."""

from collections.abc import Mapping
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from windhover.config.masking import is_secret
from windhover.config.problems import ConfigProblem
from windhover.config.sections import Section, keys_of, nested_section
from windhover.config.settings import Settings
from windhover.config.tree import ListNode, MapNode, Node, ScalarNode, find, plain
from windhover.config.values import ValueKind
from windhover.config.vocabulary import CANONICAL_ROOT, PRODUCT_ROOT

Location = tuple[int | str, ...]


class Binding:
    """One binding of a tree; ``places`` tells afterwards where each setting's value was written."""

    def __init__(self, root: MapNode) -> None:
        self._root = root
        self.places: dict[Location, tuple[str, Node | None, FieldInfo]] = {}

    def bind(self) -> tuple[Settings | None, list[ConfigProblem]]:
        """The settings, or None with every value that does not fit."""
        values = self._gather(Settings, (), None)
        try:
            return Settings.model_validate(values), []
        except ValidationError as error:
            return None, [self._problem(details) for details in error.errors(include_url=False)]

    def place_of(self, key: str) -> str | None:
        """Where the value of ``key`` was written, or None when its default holds."""
        node = find(self._root, canonical(key))
        return None if node is None else str(node.origin)

    def _gather(self, kind: type[Section], location: Location, name: str | None) -> dict[str, object]:
        values: dict[str, object] = {}
        for field_name, field in kind.model_fields.items():
            here = (*location, field_name)
            nested = nested_section(field)
            keys = keys_of(field)
            if nested is not None and not keys:
                values[field_name] = self._gather(nested, here, name)
            elif keys and keys[0].endswith(".*"):
                values[field_name] = self._gather_named(keys[0], field, here)
            else:
                self._gather_value(keys, field, here, name, values)
        return values

    def _gather_named(self, key: str, field: FieldInfo, location: Location) -> dict[str, object]:
        kind = get_args(field.annotation)[1]
        node = find(self._root, canonical(key.removesuffix(".*")))
        names = list(node.entries) if isinstance(node, MapNode) else []
        return {name: self._gather(kind, (*location, name), name) for name in names}

    def _gather_value(
        self,
        keys: list[str],
        field: FieldInfo,
        location: Location,
        name: str | None,
        values: dict[str, object],
    ) -> None:
        if name is not None:
            keys = [key.replace("*", name) for key in keys]
        for key in keys:
            node = self._find(key, name)
            if node is None or (isinstance(node, ScalarNode) and node.is_null):
                continue
            self.places[location] = (key, node, field)
            if isinstance(node, ScalarNode) and not node.text.strip() and not _takes_blank(field):
                continue
            values[str(location[-1])] = node.text if isinstance(node, ScalarNode) else plain(node)
            return

    def _find(self, key: str, name: str | None) -> Node | None:
        if name is None or "." not in name:
            return find(self._root, canonical(key))
        # A name of the user's may hold dots, which a path cannot carry: it is stepped into by itself.
        head, _, tail = key.partition(f".{name}.")
        parent = find(self._root, canonical(head))
        inner = parent.entries.get(name) if isinstance(parent, MapNode) else None
        return None if inner is None else find(inner, tail)

    def _problem(self, details: Mapping[str, Any]) -> ConfigProblem:
        location: Location = details["loc"]
        for length in range(len(location), 0, -1):
            place = self.places.get(location[:length])
            if place is not None:
                key, node, field = place
                return _describe(key, node, field, location[length:], details)
        return ConfigProblem(".".join(map(str, location)), "configuration", str(details["msg"]))


def canonical(key: str) -> str:
    """The path under which a declared key stands in the conformed tree."""
    if key.startswith(f"{PRODUCT_ROOT}."):
        return CANONICAL_ROOT + key[len(PRODUCT_ROOT) :]
    return key


def _describe(
    key: str, node: Node | None, field: FieldInfo, rest: Location, details: Mapping[str, Any]
) -> ConfigProblem:
    for step in rest:
        if isinstance(node, ListNode) and isinstance(step, int):
            key, node = f"{key}[{step}]", node.items[step]
        elif isinstance(node, MapNode) and isinstance(step, str):
            key = f"{key}.{step}"
            node = node.entries.get(step, node)
        else:
            continue
    source = str(node.origin) if node is not None else "configuration"
    return ConfigProblem(key, source, _message(key, node, field, bool(rest), details))


def _message(key: str, node: Node | None, field: FieldInfo, inside: bool, details: Mapping[str, Any]) -> str:
    kind, context = str(details["type"]), details.get("ctx", {})
    if kind == "missing":
        return "a value is required"
    if kind == "value_error":
        message = str(context["error"])
    elif kind.startswith(("greater_than", "less_than")):
        message = str(details["msg"]).replace("Input should be", "expected a value")
    elif inside:
        message = str(details["msg"]).replace("Input should be", "expected").replace("valid ", "")
    else:
        message = f"expected {expected_of(field)}"
    may_be_quoted = not is_secret(key) and not key.endswith("url")  # a URL may carry credentials
    if isinstance(node, ScalarNode) and may_be_quoted:
        return f"{message}, got {node.text!r}"
    if isinstance(node, MapNode | ListNode) and not inside:
        return f"{message}, got a {'mapping' if isinstance(node, MapNode) else 'list'}"
    return message


def expected_of(field: FieldInfo) -> str:
    """What a setting accepts, in words for an error message."""
    marks = [mark for mark in field.metadata if isinstance(mark, ValueKind)]
    return marks[0].expected if marks else _words(field.annotation)[1]


def type_name(field: FieldInfo) -> str:
    """What a setting holds, in a word or two for the documentation page."""
    marks = [mark for mark in field.metadata if isinstance(mark, ValueKind)]
    return marks[0].name if marks else _words(field.annotation)[0]


def _words(kind: Any) -> tuple[str, str]:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _words(next(part for part in get_args(kind) if part is not type(None)))
    marks = [mark for mark in getattr(kind, "__metadata__", ()) if isinstance(mark, ValueKind)]
    if marks:
        return marks[0].name, marks[0].expected
    if hasattr(kind, "__metadata__"):
        return _words(kind.__origin__)
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = ", ".join(str(member.value) for member in kind)
        return f"one of {choices}", f"one of {choices}"
    if origin is tuple:
        return "list", "a list of mappings"
    if origin is not None and issubclass(origin, Mapping):
        return "map", "a mapping"
    return _SIMPLE_WORDS.get(kind, ("text", "text"))


_SIMPLE_WORDS: dict[object, tuple[str, str]] = {
    bool: ("boolean", "true or false"),
    int: ("integer", "a whole number"),
    float: ("number", "a number"),
    str: ("text", "text"),
    SecretStr: ("secret", "text"),
}


def _takes_blank(field: FieldInfo) -> bool:
    """Whether an empty value is a value; elsewhere it means the default, as ``${VARIABLE:}`` is used."""
    return field.annotation is str and not any(isinstance(mark, ValueKind) for mark in field.metadata)
