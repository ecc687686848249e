"""YAML text: written as the original writes it, read as YAML 1.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from datetime import date, datetime

from windhover.expression.errors import EvaluationError
from windhover.expression.values import double_text, is_list, to_string

_RESERVED = frozenset(
    "false False FALSE n N no No NO null Null NULL on On ON off Off OFF true True TRUE y Y yes Yes YES ~".split()
)
_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_LINE_BREAK = re.compile(r"\r\n|\n|\r|\x85|\u2028|\u2029")


def write_yaml(value: object) -> str:
    """A value as block YAML with as few quotes as possible; null is the bare text ``null``."""
    if value is None:
        return "null"
    lines: list[str] = []
    if isinstance(value, Mapping) and value:
        _write_map(value, 0, lines)
    elif (is_list(value) or isinstance(value, Set)) and value:
        _write_list(list(value), 0, lines)
    else:
        lines.append(_scalar(value, 0))
    return "\n".join(lines) + "\n"


def _write_map(value: Mapping[object, object], indent: int, lines: list[str]) -> None:
    margin = " " * indent
    for key, member in value.items():
        name = _plain_or_quoted(to_string(key))
        if isinstance(member, Mapping) and member:
            lines.append(f"{margin}{name}:")
            _write_map(member, indent + 2, lines)
        elif (is_list(member) or isinstance(member, Set)) and member:
            lines.append(f"{margin}{name}:")
            _write_list(list(member), indent, lines)
        else:
            lines.append(f"{margin}{name}: {_scalar(member, indent + 2)}")


def _write_list(items: list[object], indent: int, lines: list[str]) -> None:
    margin = " " * (indent + 1)
    for item in items:
        if isinstance(item, Mapping) and item:
            lines.append(f"{margin}-")
            _write_map(item, indent + 2, lines)
        elif (is_list(item) or isinstance(item, Set)) and item:
            lines.append(f"{margin}-")
            _write_list(list(item), indent + 2, lines)
        else:
            lines.append(f"{margin}- {_scalar(item, indent + 3)}")


def _scalar(value: object, indent: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{}"
    if is_list(value) or isinstance(value, Set):
        return "[]"
    if isinstance(value, str):
        return _block_text(value, indent) if "\n" in value else _plain_or_quoted(value)
    if isinstance(value, float):
        return {"NaN": ".NaN", "Infinity": ".inf", "-Infinity": "-.inf"}.get(
            double_text(value), double_text(value)
        )
    if isinstance(value, date | datetime):
        return f'"{to_string(value)}"'
    return to_string(value)


def _block_text(text: str, indent: int) -> str:
    margin = " " * indent
    if not _is_printable(text) or "\r" in text or text.strip("\n ") == "":
        return _double_quoted(text)
    header = "|"
    if text[0] in " \n":
        header += "2"
    if not text.endswith("\n"):
        header += "-"
    elif text.endswith("\n\n"):
        header += "+"
    body = text[:-1] if text.endswith("\n") else text
    return "\n".join([header, *(margin + line if line else "" for line in body.split("\n"))])


def _is_printable(text: str) -> bool:
    return all(
        character in "\t\n" or (character.isprintable() and ord(character) >= 32) for character in text
    )


def _plain_or_quoted(text: str) -> str:
    if text == "" or text in _RESERVED:
        return f'"{text}"'
    if not _is_printable(text) or "\t" in text:
        return _double_quoted(text)
    quoted = (
        text[0] in " "
        or text[-1] == " "
        or ": " in text
        or " #" in text
        or text[-1] == ":"
        or text.startswith(("---", "..."))
        or (text[0] in _INDICATORS and (text[0] not in "-?:" or len(text) == 1 or text[1] == " "))
    )
    if not quoted:
        return text
    return _double_quoted(text) if _needs_double_quotes(text) else "'" + text.replace("'", "''") + "'"


def _needs_double_quotes(text: str) -> bool:
    return text[0] in "\t" or text != text.strip("\n")


_ESCAPES = {"\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
            '"': '"', "\\": "\\", "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P"}  # fmt: skip


def _double_quoted(text: str) -> str:
    pieces: list[str] = []
    for character in text:
        if character in _ESCAPES:
            pieces.append("\\" + _ESCAPES[character])
        elif character.isprintable() or character == " ":
            pieces.append(character)
        elif ord(character) < 256:
            pieces.append(f"\\x{ord(character):02X}")
        elif ord(character) < 65536:
            pieces.append(f"\\u{ord(character):04X}")
        else:
            pieces.append(f"\\U{ord(character):08X}")
    return '"' + "".join(pieces) + '"'


def read_yaml(text: str) -> object:
    """The data of a YAML 1.1 text: ``yes`` is true, ``0x10`` is 16. Raises EvaluationError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _string_keys(yaml.load(text, Loader=loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise EvaluationError(f"Invalid yaml: {error}") from None


def _string_keys(value: object) -> object:
    if isinstance(value, dict):
        return {
            to_string(key) if key is not None else "null": _string_keys(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_string_keys(item) for item in value]
    return value
