"""YAML text: written as the original writes it, read as YAML 1.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from windhover.expression.errors import EvaluationError
from windhover.expression.values import double_text, is_list, to_string

if TYPE_CHECKING:
    import yaml

_MAX_NODES = 1_000_000
_REPLACED = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[0-9]+[eE][-+]?[0-9]+|\.inf|\.Inf|\.INF)$|\.(?:nan|NaN|NAN)$"
)
_RESERVED = frozenset(
    (
        *("false", "False", "FALSE", "true", "True", "TRUE", "null", "Null", "NULL"),
        *("n", "N", "no", "No", "NO", "y", "Y", "yes", "Yes", "YES"),
        *("on", "On", "ON", "off", "Off", "OFF"),
    )
)
_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_UNPRINTABLE = re.compile(r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTABLE = re.compile(r"[\[\]{},]|(?:^|[ \t])#|:(?:[ \t]|$)|^~$")
_NO_PLAIN_KEY = re.compile(r"(?:^|[ \t])#|:(?:[ \t]|$)")
_MARKER_OR_OCTAL = re.compile(r"---|\.\.\.(?:$| )|0[0-9]+$")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?|0[xX][0-9a-fA-F]+")


def write_yaml(value: object) -> str:
    """A value as block YAML with as few quotes as possible; null is the bare text ``null``."""
    if value is None:
        return "null"
    lines: list[str] = []
    if isinstance(value, Mapping) and value:
        _write_map(value, 0, lines)
    elif (is_list(value) or isinstance(value, Set)) and value:
        _write_list(list(value), 0, lines)
    elif value == "":
        lines.append('--- ""')
    else:
        lines.append(_scalar(value, 2))
    return "\n".join(lines) + "\n"


def _write_map(value: Mapping[object, object], indent: int, lines: list[str]) -> None:
    margin = " " * indent
    for key, member in value.items():
        name = _key(to_string(key), margin)
        if isinstance(member, Mapping) and member:
            lines.append(f"{margin}{name}:")
            _write_map(member, indent + 2, lines)
        elif (is_list(member) or isinstance(member, Set)) and member:
            lines.append(f"{margin}{name}:")
            _write_list(list(member), indent, lines)
        else:
            # An empty key can only be written the long way.
            start = f"{margin}{name}" if key != "" else f'{margin}? ""\n{margin}'
            lines.append(f"{start}: {_scalar(member, indent + 2)}")


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
            lines.append(f"{margin}- {_scalar(item, indent + 2)}")


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
    if not _is_printable(text) or "\t" in text or " \n" in text:
        return _double_quoted(text)
    header = "|"
    if text[0] in " \n":
        header += "2"
    if not text.endswith("\n"):
        header += "-"
    elif text == "\n" or text.endswith("\n\n"):
        header += "+"
    body = text[:-1] if text.endswith("\n") else text
    return "\n".join([header, *(margin + line if line else "" for line in body.split("\n"))])


def _is_printable(text: str) -> bool:
    return _UNPRINTABLE.search(text) is None


def _plain_or_quoted(text: str) -> str:
    if text == "" or text in _RESERVED or _QUOTABLE.search(text):
        return _double_quoted(text)
    if not _is_printable(text) or "\t" in text:
        return _double_quoted(text)
    begins_construct = text[0] in _INDICATORS and (text[0] not in "-?:" or text[1:2] in ("", " "))
    if text[0] == " " or text[-1] == " " or begins_construct or _MARKER_OR_OCTAL.match(text):
        return "'" + text.replace("'", "''") + "'"
    return text


def _key(text: str, margin: str) -> str:
    """A name in a map. Unlike a value it stands in single quotes where it needs any, most of the time."""
    if "\n" in text:
        return f"? {_double_quoted(text)}\n{margin}"
    if _NUMBER.fullmatch(text) or text in _RESERVED or text in ("", "~") or text.startswith("- "):
        return f'"{text}"'
    if not _is_printable(text) or "\t" in text:
        return _double_quoted(text)
    begins_construct = text[0] in _INDICATORS and (text[0] not in "-?:" or text[1:2] in ("", " "))
    if (
        text != text.strip(" ")
        or begins_construct
        or _NO_PLAIN_KEY.search(text)
        or _MARKER_OR_OCTAL.match(text)
    ):
        return "'" + text.replace("'", "''") + "'"
    return text


_ESCAPES = {
    "\0": "0",
    "\a": "a",
    "\b": "b",
    "\t": "t",
    "\n": "n",
    "\v": "v",
    "\f": "f",
    "\r": "r",
    "\x1b": "e",
    '"': '"',
    "\\": "\\",
    "\x85": "N",
    "\xa0": "_",
    "\u2028": "L",
    "\u2029": "P",
}


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
    """The data of a YAML 1.1 text: ``yes`` is true, ``0x10`` is 16; dates stay text.

    Raises EvaluationError.
    """
    import yaml

    try:
        data = _Cleaner().clean(next(iter(yaml.load_all(text, Loader=_loader())), None))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise EvaluationError(f"Invalid yaml: {error}") from None
    if data is None and not text.strip():
        raise EvaluationError("Invalid yaml: No content to map due to end-of-input")
    return data


@cache
def _loader() -> type[yaml.SafeLoader]:
    """A loader that takes neither dates nor base-60 numbers for anything but text."""
    import yaml

    base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[valid-type, misc]
        yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {
            first: [resolver for resolver in resolvers if resolver[0] not in _REPLACED]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    return Loader


class _Cleaner:
    """Makes texts of all keys, and refuses aliases that would multiply the data beyond measure."""

    def __init__(self) -> None:
        self._remaining = _MAX_NODES

    def clean(self, value: object) -> object:
        self._remaining -= 1
        if self._remaining < 0:
            raise EvaluationError(f"Invalid yaml: it has more than {_MAX_NODES} values")
        if isinstance(value, dict):
            return {
                to_string(key) if key is not None else "null": self.clean(item) for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.clean(item) for item in value]
        return value
