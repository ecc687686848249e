"""Values of inputs and outputs: from what was given to what the declared type promises.

A value comes as text (a form part, a rendered expression) or as data (a literal of the flow, the
input of a subflow). Every reader returns a value that JSON can say, or raises :class:`InvalidValue`
with the reason in the words that flow authors know.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

import msgspec

from windhover.expression import to_text
from windhover.model.execution import JsonValue
from windhover.model.inputs import ValueType
from windhover.model.inputs.temporal import format_instant, parse_date, parse_instant, time_text
from windhover.util.durations import parse_duration, parse_seconds

MAX_DEPTH = 200

_INT_MIN, _INT_MAX = -(1 << 31), (1 << 31) - 1
_INTEGER = re.compile(r"[+-]?\d{1,20}")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_FILE = re.compile(r"(kestra|nsfile|file)://", re.IGNORECASE)


class InvalidValue(ValueError):
    """A value that its type or its rules do not allow, and why, without the input's name."""

    def __init__(self, *causes: str) -> None:
        super().__init__("\n".join(causes))
        self.causes = causes


def read_value(type_: ValueType, raw: JsonValue, item_type: ValueType | None = None) -> JsonValue:
    """Read a value as ``type_``; the items of a list as ``item_type``, or as they are without one.

    A SECRET is returned as plain text: whoever keeps it encrypts it.

    Raises:
        InvalidValue: the value is none of this type.
    """
    _check_storable(raw)
    if type_ in ("ARRAY", "MULTISELECT"):
        return _read_list(raw, item_type)
    return _READERS[type_](raw)


def read_default(type_: ValueType, raw: JsonValue, item_type: ValueType | None = None) -> JsonValue:
    """Read the default of an input. It may be looser than a given value, but for booleans.

    A number loses its fraction where a whole one is asked for, and a date may be written as an
    instant, so that ``{{ now() }}`` serves as default of a DATE. Numbers are seconds of a DURATION,
    and seconds or days since 1970 of a DATETIME or DATE. A boolean must be true or false.

    Raises:
        InvalidValue: the value is none of this type.
    """
    if isinstance(raw, str) and type_ in _TRIMMED:
        raw = raw.strip()
    if type_ == "INT":
        return _read_int(_without_fraction(raw))
    if type_ in ("BOOL", "BOOLEAN"):
        return _read_strict_bool(raw)
    if type_ in _COUNTED and _NUMBER.fullmatch(text := as_text(raw)):
        return _COUNTED[type_](float(text))
    if type_ == "DATE" and isinstance(raw, str) and len(raw) > len("2024-01-01"):
        return _guarded(lambda: parse_instant(raw))[: len("2024-01-01")]
    return read_value(type_, raw, item_type)


def is_empty_default(type_: ValueType, rendered: JsonValue) -> bool:
    """Whether a rendered default is none: null, or blank where the type is not one of text."""
    if rendered is None:
        return True
    return type_ in _TRIMMED and type_ != "URI" and isinstance(rendered, str) and not rendered.strip()


def as_text(raw: JsonValue) -> str:
    """A value as text: text as it is, the rest as the expression language prints it (maps as JSON)."""
    return raw if isinstance(raw, str) else to_text(raw)


def _read_text(raw: JsonValue) -> JsonValue:
    return as_text(raw)


def _read_int(raw: JsonValue) -> JsonValue:
    if isinstance(raw, int) and not isinstance(raw, bool):
        value = raw
    else:
        text = as_text(raw)
        if _INTEGER.fullmatch(text) is None:
            raise InvalidValue(f'For input string: "{text}"')
        value = int(text)
    if not _INT_MIN <= value <= _INT_MAX:
        raise InvalidValue(f'For input string: "{as_text(raw)}"')
    return value


def _read_float(raw: JsonValue) -> JsonValue:
    text = as_text(raw).strip()
    if not text:
        raise InvalidValue("empty String")
    if _DECIMAL.fullmatch(text) is None:
        raise InvalidValue(f'For input string: "{as_text(raw)}"')
    value = float(text.rstrip("fFdD"))
    if not math.isfinite(value):
        raise InvalidValue(f'For input string: "{as_text(raw)}"')
    return value


def _read_bool(raw: JsonValue) -> JsonValue:
    return as_text(raw).lower() == "true"


def _read_strict_bool(raw: JsonValue) -> JsonValue:
    text = as_text(raw).lower()
    if isinstance(raw, (int, float)):
        return raw != 0
    if text not in ("true", "false"):
        raise InvalidValue(f"`{as_text(raw)}` is neither `true` nor `false`")
    return text == "true"


def _read_datetime(raw: JsonValue) -> JsonValue:
    return _guarded(lambda: parse_instant(as_text(raw)))


def _read_date(raw: JsonValue) -> JsonValue:
    return _guarded(lambda: parse_date(as_text(raw)))


def _read_time(raw: JsonValue) -> JsonValue:
    return _guarded(lambda: time_text(as_text(raw)))


def _read_duration(raw: JsonValue) -> JsonValue:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return _read_float(raw)
    try:
        text = as_text(raw)
        parse_duration(text)  # which refuses what is too long
        return parse_seconds(text)
    except (ValueError, OverflowError):
        raise InvalidValue("Text cannot be parsed to a Duration") from None


def _read_file(raw: JsonValue) -> JsonValue:
    text = as_text(raw)
    if _FILE.match(text) is None:
        raise InvalidValue(
            f"{text} (No such file or directory): give a file, or the URI of one in the storage"
        )
    return text


def _read_json(raw: JsonValue) -> JsonValue:
    if not isinstance(raw, str):
        return raw
    if not raw.strip():
        raise InvalidValue("No content to map due to end-of-input")
    try:
        return _check_depth(msgspec.json.decode(raw))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidValue(str(error)) from None


def _read_yaml(raw: JsonValue) -> JsonValue:
    if not isinstance(raw, str):
        return raw
    from windhover.engine.yaml_values import read_yaml

    try:
        return _check_depth(read_yaml(raw))
    except ValueError as error:
        raise InvalidValue(str(error)) from None


def _read_uri(raw: JsonValue) -> JsonValue:
    from windhover.engine.uris import check_uri

    text = as_text(raw)
    try:
        check_uri(text)
    except ValueError as error:
        raise InvalidValue(str(error)) from None
    return text


def _read_list(raw: JsonValue, item_type: ValueType | None) -> JsonValue:
    items = _read_json(raw)
    if not isinstance(items, (list, tuple)):
        raise InvalidValue(f"a JSON list is expected, not `{as_text(items)}`")
    if item_type is None:
        return list(items)
    return [_read_item(item, item_type) for item in items]


def _read_item(item: JsonValue, item_type: ValueType) -> JsonValue:
    try:
        if item is None:
            raise InvalidValue("null")
        return read_value(item_type, item)
    except InvalidValue:
        shown = "null" if item is None else as_text(item)
        raise InvalidValue(f"Unable to parse array element as `{item_type}` on `{shown}`") from None


def _guarded(parse: Callable[[], object]) -> str:
    """What ``parse`` reads, in the form in which it is kept."""
    from datetime import datetime

    try:
        value = parse()
    except (ValueError, OverflowError) as error:
        raise InvalidValue(str(error)) from None
    return format_instant(value) if isinstance(value, datetime) else str(value)


def _without_fraction(raw: JsonValue) -> JsonValue:
    """A number, or text that says one, cut to its whole part; anything else as it is."""
    is_decimal = (
        isinstance(raw, str) and _NUMBER.fullmatch(raw) is not None and not raw.lstrip("+-").isdigit()
    )
    try:
        return int(float(raw)) if isinstance(raw, float) or is_decimal else raw
    except (ValueError, OverflowError):
        return raw


def _instant_of_seconds(seconds: float) -> JsonValue:
    from datetime import UTC, datetime

    return _guarded(lambda: datetime.fromtimestamp(seconds, UTC))


def _date_of_days(days: float) -> JsonValue:
    from datetime import date, timedelta

    return _guarded(lambda: date(1970, 1, 1) + timedelta(days=int(days)))


def _check_storable(raw: JsonValue) -> None:
    if not isinstance(raw, str):
        _check_depth(raw)
    elif not raw.isascii():
        try:
            raw.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue(f"the text is not valid Unicode at index {error.start}") from None


def _check_depth(value: JsonValue) -> JsonValue:
    """Refuse data nested so deeply that later readers would give up on it."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for node in level
            if isinstance(node, (list, tuple, Mapping))
            for item in (node.values() if isinstance(node, Mapping) else node)
            if isinstance(item, (list, tuple, Mapping))
        ]
        if not level:
            return value
    raise InvalidValue(f"the value is nested more than {MAX_DEPTH} levels deep")


#: Types of defaults around whose text blanks say nothing.
_TRIMMED = frozenset({"INT", "FLOAT", "BOOL", "BOOLEAN", "DATETIME", "DATE", "TIME", "DURATION", "URI"})
#: Types of defaults that a number may stand for.
_COUNTED: Mapping[str, Callable[[float], JsonValue]] = {
    "DATETIME": _instant_of_seconds,
    "DATE": _date_of_days,
    "DURATION": lambda seconds: seconds,
}

_READERS: Mapping[str, Callable[[JsonValue], JsonValue]] = {
    "STRING": _read_text,
    "ENUM": _read_text,
    "SELECT": _read_text,
    "EMAIL": _read_text,
    "SECRET": _read_text,
    "INT": _read_int,
    "FLOAT": _read_float,
    "BOOL": _read_bool,
    "BOOLEAN": _read_bool,
    "DATETIME": _read_datetime,
    "DATE": _read_date,
    "TIME": _read_time,
    "DURATION": _read_duration,
    "FILE": _read_file,
    "JSON": _read_json,
    "YAML": _read_yaml,
    "URI": _read_uri,
}
