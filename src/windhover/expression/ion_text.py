"""Ion text: written as the original writes it, read with the Ion library."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from windhover.expression.errors import EvaluationError
from windhover.expression.values import double_text, is_list, to_string

_SYMBOL = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_KEYWORDS = frozenset({"null", "true", "false", "nan"})
_ESCAPES = {
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
    "\a": "\\a",
    "\0": "\\0",
}


def write_ion(value: object) -> str:
    """A value as one line of Ion text; nulls are kept."""
    pieces: list[str] = []
    _write(value, pieces.append)
    return "".join(pieces)


def _write(value: object, write: Callable[[str], object]) -> None:
    if value is None:
        write("null")
    elif isinstance(value, str):
        write(_quoted(value, '"'))
    elif isinstance(value, bool | int):
        write(to_string(value))
    elif isinstance(value, float):
        write(_float(value))
    elif isinstance(value, Decimal):
        text = str(value)
        write(text.replace("E", "d") if "E" in text else text if "." in text else text + ".")
    elif isinstance(value, Mapping):
        write("{")
        for index, (key, member) in enumerate(value.items()):
            write(("," if index else "") + _field_name(to_string(key)) + ":")
            _write(member, write)
        write("}")
    elif isinstance(value, bytes | bytearray):
        import base64

        write("{{" + base64.b64encode(value).decode() + "}}")
    elif is_list(value) or isinstance(value, Set):
        write("[")
        for index, item in enumerate(value):
            if index:
                write(",")
            _write(item, write)
        write("]")
    elif isinstance(value, datetime):
        write(f'{"ZonedDateTime" if value.tzinfo else "LocalDateTime"}::"{to_string(value)}"')
    elif isinstance(value, date):
        write(f'LocalDate::"{value.isoformat()}"')
    elif isinstance(value, time):
        write(f'LocalTime::"{to_string(value)}"')
    elif isinstance(value, timedelta):
        write(f'Duration::"{to_string(value)}"')
    else:
        write(_quoted(to_string(value), '"'))


def _float(number: float) -> str:
    if number != number:
        return "nan"
    if number in (float("inf"), float("-inf")):
        return "+inf" if number > 0 else "-inf"
    text = double_text(number)
    return text.replace("E", "e") if "E" in text else text.removesuffix(".0") + "e0"


def _field_name(name: str) -> str:
    return name if _SYMBOL.fullmatch(name) and name not in _KEYWORDS else _quoted(name, "'")


def _quoted(text: str, quote: str) -> str:
    characters = [
        "\\" + quote
        if character == quote
        else _ESCAPES.get(character) or (f"\\x{ord(character):02x}" if ord(character) < 32 else character)
        for character in text
    ]
    return quote + "".join(characters) + quote


def read_ion(text: str, *, all_rows: bool = False) -> object:
    """The first value of an Ion text, or all of them as a list. Raises EvaluationError."""
    from amazon.ion import simpleion
    from amazon.ion.exceptions import IonException

    try:
        values = simpleion.loads(text, single_value=False)
    except (IonException, ValueError, RecursionError) as error:
        raise EvaluationError(f"Invalid ion: {error}") from None
    rows = [_plain(value) for value in values]
    if all_rows:
        return rows
    return rows[0] if rows else None


def _plain(value: object) -> object:
    """Data without the library's own types."""
    from amazon.ion.simple_types import IonPyNull

    if value is None or isinstance(value, IonPyNull):
        return None
    if isinstance(value, Mapping):
        return {to_string(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "sid"):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return _timestamp_text(value)
    if hasattr(value, "sid") and hasattr(value, "text"):
        return value.text
    if isinstance(value, Decimal):
        return Decimal(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        return str(value)
    if type(value).__name__ == "IonPyBool":
        return bool(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return value


def _timestamp_text(value: datetime) -> str:
    """An Ion timestamp as ISO 8601 text: an instant, or no more than a date where it is not more precise."""
    precision = getattr(value, "precision", None)
    if precision is not None and not precision.includes_minute:
        return value.date().isoformat()
    instant = value.astimezone(UTC) if value.tzinfo else value
    fraction = f".{instant.microsecond:06}".rstrip("0") if instant.microsecond else ""
    return f"{instant:%Y-%m-%dT%H:%M:%S}{fraction}Z"
