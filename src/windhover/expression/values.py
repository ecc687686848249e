"""Values of the language and how they turn into text, JSON and truth.

Values are plain data: None, bool, int, float, str, lists and maps (``Sequence``, ``Mapping``), dates, bytes
and ``Decimal``. An int within 64 bits is a Java Long or Integer, a larger one a BigInteger; a float is a
Double.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TypeAlias, TypeGuard

from windhover.expression.errors import EvaluationError

LONG_MIN = -(1 << 63)
LONG_MAX = (1 << 63) - 1
INT_MIN = -(1 << 31)
INT_MAX = (1 << 31) - 1

MASK = "******"
"""What is shown where a secret would be."""

_Write: TypeAlias = Callable[[str], object]


class Secret(str):
    """A text that must not appear in logs: the scope remembers it as soon as a template reads it."""

    __slots__ = ()


class JavaFloat(float):
    """A number of single precision; it prints with as few digits as single precision needs."""

    __slots__ = ()

    def __new__(cls, value: float) -> JavaFloat:
        try:
            return super().__new__(cls, struct.unpack("f", struct.pack("f", value))[0])
        except OverflowError:
            return super().__new__(cls, float("inf") if value > 0 else float("-inf"))


class JavaLong(int):
    """An integer that is a Long to ``className`` although it would fit an Integer."""

    __slots__ = ()


class JavaBigInteger(int):
    """An integer that is a BigInteger to ``className`` although it would fit a Long."""

    __slots__ = ()


def plain_number(value: object) -> object:
    """A value without the types above that only ``className`` and printing know."""
    if isinstance(value, JavaLong | JavaBigInteger):
        return int(value)
    if isinstance(value, JavaFloat):
        return float(double_text(value))
    return value


class Entry(dict[str, object]):
    """One entry of a map that a ``for`` walks over: ``key`` and ``value``."""

    __slots__ = ()


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value is a list (any sequence but text and bytes)."""
    if type(value) is list:
        return True
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def is_map(value: object) -> TypeGuard[Mapping[object, object]]:
    """Whether a value is a map."""
    return type(value) is dict or isinstance(value, Mapping)


def is_number(value: object) -> TypeGuard[int | float | Decimal]:
    """Whether a value is a number; a boolean is none."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number by type; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


_BLANK_OR_FALSE = frozenset({"", "false", "0", "-0"})


def truthy(value: object) -> bool:
    """Whether a rendered condition (of If, runIf, when, Assert, ..) holds.

    ``false``, ``0``, ``-0``, null and blank text do not, however they were produced; all else does.
    """
    if value is True:
        return True
    if value is None or value is False:
        return False
    return to_text(value).strip() not in _BLANK_OR_FALSE


# -- text ------------------------------------------------------------------------------------------------


def to_text(value: object) -> str:
    """A value as a template prints it: maps and lists as compact JSON, null as nothing."""
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[return-value]
    if value is None:
        return ""
    if kind is int:
        return str(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if kind is dict or kind is list:
        return to_json(value)
    if kind is Entry:
        return to_string(value)
    if isinstance(value, Mapping | Set) or is_list(value):
        return to_json(value)
    return to_string(value)


def to_string(value: object) -> str:
    """A value in Java's own form: ``[1, a]``, ``{k=v}``, ``null`` for null."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Entry):
        return f"{to_string(value['key'])}={to_string(value['value'])}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{to_string(k)}={to_string(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if is_list(value) or isinstance(value, Set):
        return "[" + ", ".join([to_string(item) for item in value]) + "]"
    if isinstance(value, datetime):
        return _datetime_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return _time_text(value)
    if isinstance(value, timedelta):
        return duration_text(value)
    raise EvaluationError(f"A value of type {type(value).__name__} cannot be printed")


def double_text(number: float) -> str:
    """A number of double (or, for JavaFloat, single) precision as Java prints it: 1.0, 1.0E10, 1.0E-4."""
    digits = _single_precision_digits(number) if isinstance(number, JavaFloat) else float.__repr__(number)
    magnitude = abs(number)
    if "e" not in digits and (1e-3 <= magnitude < 1e7 or magnitude == 0):
        return digits
    if number != number:
        return "NaN"
    if magnitude == float("inf"):
        return "Infinity" if number > 0 else "-Infinity"
    sign = "-" if digits[0] == "-" else ""
    mantissa, _, exponent_text = digits.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    exponent = int(exponent_text or 0)
    significant = (whole + fraction).lstrip("0")
    # The value is 0.significant * 10^point.
    point = exponent + len(whole) - (len(whole + fraction) - len(significant))
    significant = significant.rstrip("0") or "0"
    if 1e-3 <= magnitude < 1e7:
        return sign + format(Decimal(digits.lstrip("-")), "f")
    return f"{sign}{significant[0]}.{significant[1:] or '0'}E{point - 1}"


def _single_precision_digits(number: JavaFloat) -> str:
    plain = float(number)
    for precision in range(1, 10):
        text = f"{plain:.{precision}g}"
        if struct.pack("f", float(text)) == struct.pack("f", plain):
            return float.__repr__(float(text))
    return float.__repr__(plain)


def _fraction_text(microsecond: int) -> str:
    if not microsecond:
        return ""
    return f".{microsecond // 1000:03}" if microsecond % 1000 == 0 else f".{microsecond:06}"


def _time_text(value: time) -> str:
    seconds = f":{value.second:02}" if value.second or value.microsecond else ""
    return f"{value.hour:02}:{value.minute:02}{seconds}{_fraction_text(value.microsecond)}"


def _offset_text(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        return ""
    if not offset:
        return "Z"
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _datetime_text(value: datetime) -> str:
    text = f"{value.date().isoformat()}T{_time_text(value.time())}{_offset_text(value)}"
    zone = getattr(value.tzinfo, "key", None)
    return f"{text}[{zone}]" if zone and zone != "UTC" else text


def _datetime_json(value: datetime) -> str:
    """As in ISO 8601 with all seconds, unlike Java's text of a date."""
    return f"{value:%Y-%m-%dT%H:%M:%S}{_fraction_text(value.microsecond)}{_offset_text(value)}"


def duration_text(value: timedelta) -> str:
    """A duration in ISO 8601, as Java prints it: ``PT26H0.5S``."""
    microseconds = value // timedelta(microseconds=1)
    if microseconds == 0:
        return "PT0S"
    sign = -1 if microseconds < 0 else 1
    seconds, micro = divmod(abs(microseconds), 1_000_000)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    text = "PT"
    if hours:
        text += f"{sign * hours}H"
    if minutes:
        text += f"{sign * minutes}M"
    if seconds or micro:
        fraction = f".{micro:06}".rstrip("0") if micro else ""
        text += f"{'-' if sign < 0 else ''}{seconds}{fraction}S"
    return text


# -- JSON ------------------------------------------------------------------------------------------------


def to_json(value: object) -> str:
    """A value as compact JSON.

    Map entries that are null are left out at every depth, list elements that are null are kept; text is
    escaped no more than JSON demands.
    """
    pieces: list[str] = []
    try:
        _write_json(value, pieces.append)
    except RecursionError:
        raise EvaluationError("The value is nested too deeply to be written as JSON") from None
    return "".join(pieces)


_UNCOMMON_CONTROL = re.compile(r"\\u00[01][0-9a-f]")


def json_string(text: str) -> str:
    """A text as a JSON string."""
    encoded = encode_basestring(text)
    if "\\u00" in encoded:
        encoded = _UNCOMMON_CONTROL.sub(lambda match: "\\u" + match[0][2:].upper(), encoded)
    return encoded


def _write_json(value: object, write: _Write) -> None:
    kind = value.__class__
    if kind is str:
        write(json_string(value))  # type: ignore[arg-type]
    elif value is None:
        write("null")
    elif value is True:
        write("true")
    elif value is False:
        write("false")
    elif kind is int:
        write(int.__repr__(value))
    elif kind is dict:
        _write_json_map(value, write)  # type: ignore[arg-type]
    elif kind is list:
        _write_json_list(value, write)  # type: ignore[arg-type]
    elif kind is float:
        _write_json_float(value, write)  # type: ignore[arg-type]
    else:
        _write_json_uncommon(value, write)


def _write_json_map(value: Mapping[object, object], write: _Write) -> None:
    separator = "{"
    for key, member in value.items():
        if member is None:
            continue
        write(separator)
        write(json_string(key if key.__class__ is str else to_string(key)))
        write(":")
        _write_json(member, write)
        separator = ","
    write("{}" if separator == "{" else "}")


def _write_json_list(value: Iterable[object], write: _Write) -> None:
    separator = "["
    for item in value:
        write(separator)
        _write_json(item, write)
        separator = ","
    write("[]" if separator == "[" else "]")


def _write_json_float(value: float, write: _Write) -> None:
    text = double_text(value)
    write(f'"{text}"' if text[-1] in "Ny" else text)


def _write_json_uncommon(value: object, write: _Write) -> None:
    if isinstance(value, str):
        write(json_string(str(value)))
    elif isinstance(value, Entry):
        _write_json_map({value["key"]: value["value"]}, write)
    elif isinstance(value, Mapping):
        _write_json_map(value, write)
    elif isinstance(value, bytes | bytearray):
        import base64

        write(json_string(base64.b64encode(value).decode()))
    elif is_list(value) or isinstance(value, Set):
        _write_json_list(value, write)
    elif isinstance(value, float):
        _write_json_float(value, write)
    elif isinstance(value, int):
        write(int.__repr__(value))
    elif isinstance(value, Decimal):
        write(format(value, "f"))
    elif isinstance(value, datetime):
        write(f'"{_datetime_json(value)}"')
    elif isinstance(value, timedelta):
        write(double_text(value.total_seconds()))
    else:
        write(json_string(to_string(value)))


# -- comparison ------------------------------------------------------------------------------------------


def equals(left: object, right: object) -> bool:
    """``==``: numbers by value whatever their type, texts and booleans by value, maps and lists deeply."""
    kind = left.__class__
    if kind is right.__class__ and (kind is str or kind is int or kind is float):
        return left == right
    if left is None or right is None:
        return left is right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return left == right
    if is_map(left) and is_map(right):
        return len(left) == len(right) and all(
            key in right and equals(value, right[key]) for key, value in left.items()
        )
    if is_list(left) and is_list(right):
        return len(left) == len(right) and all(map(equals, left, right))
    if type(left).__eq__ is object.__eq__:
        return left is right
    return bool(left == right)


def class_name(value: object) -> str:
    """The Java class of a value."""
    for kind, name in _CLASS_NAMES:
        if isinstance(value, kind):
            return name
    if isinstance(value, int):
        if INT_MIN <= value <= INT_MAX:
            return "java.lang.Integer"
        return "java.lang.Long" if LONG_MIN <= value <= LONG_MAX else "java.math.BigInteger"
    if is_list(value):
        return "java.util.ArrayList"
    return "java.lang.Object"


_CLASS_NAMES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "java.lang.String"),
    (bool, "java.lang.Boolean"),
    (JavaLong, "java.lang.Long"),
    (JavaBigInteger, "java.math.BigInteger"),
    (JavaFloat, "java.lang.Float"),
    (float, "java.lang.Double"),
    (Decimal, "java.math.BigDecimal"),
    (dict, "java.util.LinkedHashMap"),
    (Mapping, "java.util.LinkedHashMap"),
    (Set, "java.util.LinkedHashSet"),
    (datetime, "java.time.ZonedDateTime"),
    (date, "java.time.LocalDate"),
    (time, "java.time.LocalTime"),
    (timedelta, "java.time.Duration"),
    (bytes, "byte[]"),
)


def json_data(value: object) -> object:
    """A value as plain JSON data; like all JSON of the language without the nulls in maps."""
    kind = value.__class__
    if value is None or kind is str or kind is int or kind is float or kind is bool:
        return value
    if isinstance(value, Mapping):
        return {
            key if key.__class__ is str else to_string(key): json_data(item)
            for key, item in value.items()
            if item is not None
        }
    if is_list(value) or isinstance(value, Set):
        return [json_data(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if is_number(value):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, datetime | date | time | timedelta):
        return to_string(value)
    return to_string(value)
