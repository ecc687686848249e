"""The few methods of Java's texts, lists and maps that templates call: ``name.length()``, ``items.size()``.

They are plain functions on data, found by name in the tables below; nothing else can be called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from windhover.expression import java_regex
from windhover.expression.errors import EvaluationError
from windhover.expression.library.collections import from_utf16, utf16
from windhover.expression.scope import Frame
from windhover.expression.values import Entry, equals, is_integer, is_list, is_map, is_number, to_string

Method = Callable[..., object]


def find_method(value: object, name: str) -> Method | None:
    """The method of that name of a value, which takes the frame, the value and the arguments; or None."""
    if isinstance(value, str):
        return TEXT_METHODS.get(name)
    if is_map(value):
        return MAP_METHODS.get(name)
    if is_list(value):
        return LIST_METHODS.get(name)
    if is_number(value):
        return NUMBER_METHODS.get(name)
    return None


def find_property(value: object, name: str) -> Callable[[object], object] | None:
    """What a value has under a name without being called: ``name.length``, ``items.size``; or None."""
    kinds = ((str, _TEXT_PROPERTIES), (bool, _BOOLEAN_PROPERTIES))
    for kind, properties in kinds:
        if isinstance(value, kind):
            return properties.get(name)
    if is_map(value):
        return _MAP_PROPERTIES.get(name)
    if is_list(value):
        return _LIST_PROPERTIES.get(name)
    return _NUMBER_PROPERTIES.get(name) if is_number(value) else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise EvaluationError(f"A text is expected, not {to_string(value)}")
    return value


def _index(value: object, length: int) -> int:
    if not is_integer(value) or not 0 <= value <= length:
        raise EvaluationError(f"Index {to_string(value)} is out of bounds for length {length}")
    return value


def _substring(frame: Frame, text: str, begin: object, end: object = None) -> str:
    units = utf16(text)
    stop = len(units) if end is None else _index(end, len(units))
    return from_utf16(units[_index(begin, stop) : stop])


def _character(frame: Frame, text: str, index: object) -> str:
    units = utf16(text)
    return from_utf16(units[_index(index, len(units) - 1)])


def _repeat(frame: Frame, text: str, count: object) -> str:
    if not is_integer(count) or count < 0:
        raise EvaluationError(f"A text cannot be repeated {to_string(count)} times")
    frame.budget.check_size(len(text) * count)
    return text * count


def _replace(frame: Frame, text: str, target: object, replacement: object) -> str:
    old, new = _text(target), _text(replacement)
    frame.budget.check_size(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def _seconds(frame: Frame) -> float:
    return max(0.001, min(frame.scope.limits.regex_seconds, frame.budget.remaining_seconds()))


def _replace_all(frame: Frame, text: str, pattern: object, replacement: object) -> str:
    most = frame.scope.limits.max_output
    return java_regex.replace_all(_text(pattern), _text(replacement), text, _seconds(frame), most)


def _matches(frame: Frame, text: str, pattern: object) -> bool:
    return java_regex.search(rf"\A(?:{_text(pattern)})\z", text, _seconds(frame)) is not None


def _split(frame: Frame, text: str, pattern: object, limit: object = 0) -> list[str]:
    if not is_integer(limit):
        raise EvaluationError("The limit of split() must be an integer")
    return java_regex.split(_text(pattern), text, limit, _seconds(frame))


def _element(frame: Frame, items: Sequence[object], index: object) -> object:
    return items[_index(index, len(items) - 1)]


def _position(frame: Frame, items: Sequence[object], wanted: object) -> int:
    return next((index for index, item in enumerate(items) if equals(item, wanted)), -1)


def _member(frame: Frame, entries: Mapping[object, object], key: object, default: object = None) -> object:
    return entries.get(key, default) if isinstance(key, str | int | float) or key is None else default


TEXT_METHODS: Mapping[str, Method] = {
    "length": lambda frame, text: len(utf16(text)),
    "isEmpty": lambda frame, text: text == "",
    "isBlank": lambda frame, text: not text.strip(),
    "toUpperCase": lambda frame, text: text.upper(),
    "toLowerCase": lambda frame, text: text.lower(),
    "trim": lambda frame, text: text.strip("".join(map(chr, range(33)))),
    "strip": lambda frame, text: text.strip(),
    "contains": lambda frame, text, part: _text(part) in text,
    "startsWith": lambda frame, text, part: text.startswith(_text(part)),
    "endsWith": lambda frame, text, part: text.endswith(_text(part)),
    "indexOf": lambda frame, text, part: utf16(text).find(utf16(_text(part))),
    "lastIndexOf": lambda frame, text, part: utf16(text).rfind(utf16(_text(part))),
    "concat": lambda frame, text, other: text + _text(other),
    "equals": lambda frame, text, other: equals(text, other),
    "equalsIgnoreCase": lambda frame, text, other: text.lower() == _text(other).lower(),
    "toString": lambda frame, text: str(text),
    "substring": _substring,
    "charAt": _character,
    "repeat": _repeat,
    "replace": _replace,
    "replaceAll": _replace_all,
    "matches": _matches,
    "split": _split,
}

LIST_METHODS: Mapping[str, Method] = {
    "size": lambda frame, items: len(items),
    "isEmpty": lambda frame, items: not items,
    "contains": lambda frame, items, wanted: _position(frame, items, wanted) >= 0,
    "toString": lambda frame, items: to_string(items),
    "get": _element,
    "indexOf": _position,
}

MAP_METHODS: Mapping[str, Method] = {
    "size": lambda frame, entries: len(entries),
    "isEmpty": lambda frame, entries: not entries,
    "containsKey": lambda frame, entries, key: key in list(entries),
    "containsValue": lambda frame, entries, value: any(equals(item, value) for item in entries.values()),
    "keySet": lambda frame, entries: list(entries),
    "values": lambda frame, entries: list(entries.values()),
    "entrySet": lambda frame, entries: [Entry(key=key, value=value) for key, value in entries.items()],
    "toString": lambda frame, entries: to_string(entries),
    "get": _member,
    "getOrDefault": _member,
}

NUMBER_METHODS: Mapping[str, Method] = {
    "intValue": lambda frame, number: int(number),
    "longValue": lambda frame, number: int(number),
    "doubleValue": lambda frame, number: float(number),
    "toString": lambda frame, number: to_string(number),
}

Property = Callable[[Any], object]

_TEXT_PROPERTIES: Mapping[str, Property] = {
    "length": lambda text: len(utf16(text)),
    "empty": lambda text: text == "",
    "isEmpty": lambda text: text == "",
    "blank": lambda text: not text.strip(),
    "isBlank": lambda text: not text.strip(),
    "toUpperCase": lambda text: text.upper(),
    "toLowerCase": lambda text: text.lower(),
    "trim": lambda text: text.strip("".join(map(chr, range(33)))),
    "strip": lambda text: text.strip(),
    "bytes": lambda text: text.encode(),
    "toString": str,
}

_LIST_PROPERTIES: Mapping[str, Property] = {
    "size": len,
    "empty": lambda items: not items,
    "isEmpty": lambda items: not items,
    "toString": to_string,
}

_MAP_PROPERTIES: Mapping[str, Property] = {
    "size": len,
    "empty": lambda entries: not entries,
    "isEmpty": lambda entries: not entries,
    "keySet": list,
    "values": lambda entries: list(entries.values()),
    "entrySet": lambda entries: [Entry(key=key, value=value) for key, value in entries.items()],
    "toString": to_string,
}

_NUMBER_PROPERTIES: Mapping[str, Property] = {
    "intValue": int,
    "longValue": int,
    "doubleValue": float,
    "toString": to_string,
}

_BOOLEAN_PROPERTIES: Mapping[str, Property] = {"booleanValue": bool, "toString": to_string}
