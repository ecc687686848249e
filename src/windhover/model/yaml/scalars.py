"""What a scalar means, as Kestra reads it: YAML 1.1, but for dates and numbers to the base of 60.

So ``yes``, ``no``, ``on`` and ``off`` are booleans and ``012`` is ten, while ``12:30`` and ``2024-01-01``
stay text, and so do ``y`` and ``n``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from windhover.model.execution import JsonValue

_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<binary>[01_]*[01][01_]*)|0x(?P<hexadecimal>[0-9a-fA-F_]*[0-9a-fA-F][0-9a-fA-F_]*)"
    r"|0(?P<octal>[0-7_]*)|(?P<decimal>[1-9][0-9_]*))"
)
_BASES = {"binary": 2, "octal": 8, "decimal": 10, "hexadecimal": 16}
_FLOAT = re.compile(
    r"[-+]?(?:(?:\.[0-9]+|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)"
)
_INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})
_WORDS: dict[str, JsonValue] = {
    "null": None,
    "true": True,
    "yes": True,
    "on": True,
    "false": False,
    "no": False,
    "off": False,
}
_CONSTANTS: dict[str, JsonValue] = {
    "": None,
    "~": None,
    **{
        spelling: value
        for word, value in _WORDS.items()
        for spelling in (word, word.capitalize(), word.upper())
    },
}
_STARTS_NUMBER = frozenset("0123456789+-.")

_TAG = "tag:yaml.org,2002:"


class ScalarError(ValueError):
    """The text of a scalar does not fit its tag, or the tag means nothing here."""


def resolve_plain(text: str, max_digits: int) -> JsonValue:
    """The value of an unquoted scalar.

    Raises:
        ScalarError: a whole number has more than ``max_digits`` digits.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _STARTS_NUMBER:
        return text
    return _number(text, max_digits)


def resolve_tagged(text: str, tag: str, max_digits: int) -> JsonValue:
    """The value of a scalar with an explicit tag such as ``!!str``.

    Raises:
        ScalarError: the text is no value of that tag, or the tag is none of YAML's own.
    """
    if tag == "!":
        return text
    convert = _CONVERSIONS.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
    if convert is None:
        raise ScalarError(f"unknown tag `{_shown(tag)}`")
    return convert(text, max_digits)


def is_collection_tag(tag: str, kind: str) -> bool:
    """``!!map`` on a map and ``!!seq`` on a list say nothing new."""
    return tag == "!" or tag == _TAG + kind


def _number(text: str, max_digits: int) -> JsonValue:
    if (whole := _INTEGER.fullmatch(text)) is not None:
        kind = whole.lastgroup or "decimal"
        value = _whole(whole[kind].replace("_", "") or "0", _BASES[kind], max_digits)
        return -value if whole["sign"] == "-" else value
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if infinity := _INFINITY.fullmatch(text):
        return float(f"{infinity[1]}inf")
    return float("nan") if text in _NOT_A_NUMBER else text


def _whole(digits: str, base: int, max_digits: int) -> int:
    if len(digits) > max_digits:
        raise ScalarError(
            f"a number of {len(digits)} digits; at most {max_digits} are allowed (quote it to make it text)"
        )
    return int(digits, base)


def _as_text(text: str, max_digits: int) -> JsonValue:
    return text


def _as_null(text: str, max_digits: int) -> JsonValue:
    if text in _CONSTANTS and _CONSTANTS[text] is None:
        return None
    raise ScalarError(f"`{text}` is not null")


def _as_bool(text: str, max_digits: int) -> JsonValue:
    value = _CONSTANTS.get(text)
    if isinstance(value, bool):
        return value
    raise ScalarError(f"`{text}` is not a boolean: write true or false")


def _as_int(text: str, max_digits: int) -> JsonValue:
    value = _number(text, max_digits)
    if isinstance(value, int):
        return value
    raise ScalarError(f"`{text}` is not a whole number")


def _as_float(text: str, max_digits: int) -> JsonValue:
    value = _number(text, max_digits)
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    raise ScalarError(f"`{text}` is not a number")


def _shown(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


_CONVERSIONS: dict[str, Callable[[str, int], JsonValue]] = {
    "str": _as_text,
    "timestamp": _as_text,
    "null": _as_null,
    "bool": _as_bool,
    "int": _as_int,
    "float": _as_float,
}
