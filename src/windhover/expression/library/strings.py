"""Filters of text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from windhover.expression.errors import EvaluationError
from windhover.expression.library.collections import from_utf16, utf16
from windhover.expression.registry import Example, filter_
from windhover.expression.scope import Frame
from windhover.expression.values import class_name, is_integer, is_list, is_map, to_string


def _text(value: object) -> str:
    """The operand of a text filter, which may be any value."""
    return value if isinstance(value, str) else to_string(value)


def only_text(name: str, value: object) -> str:
    """The operand of a filter that works on nothing but texts."""
    if isinstance(value, str):
        return value
    raise EvaluationError(f"The '{name}' filter expects a text, not {class_name(value)}.")


@filter_("upper", "The text in upper case.", Example('{{ "quiet" | upper }}', "QUIET"))
def upper(value: object) -> str:
    return _text(value).upper()


@filter_("lower", "The text in lower case.", Example('{{ "LOUD" | lower }}', "loud"))
def lower(value: object) -> str:
    return _text(value).lower()


def _title_character(character: str) -> str:
    title = character.title()
    return title if len(title) == 1 else character


@filter_(
    "title",
    "The first letter of every word in upper case; the others stay.",
    Example('{{ "article title" | title }}', "Article Title"),
)
def title(value: object) -> str:
    return re.sub(r"(?<!\S)\S", lambda match: _title_character(match[0]), only_text("title", value))


@filter_(
    "capitalize",
    "The first letter of the text in upper case; the others stay.",
    Example('{{ "hello World" | capitalize }}', "Hello World"),
)
def capitalize(value: object) -> str:
    return re.sub(r"\S", lambda match: _title_character(match[0]), only_text("capitalize", value), count=1)


@filter_("trim", "The text without blanks around it.", Example('[{{ " padded " | trim }}]', "[padded]"))
def trim(value: object) -> str:
    return only_text("trim", value).strip("".join(map(chr, range(33))))


@filter_("string", "A value as text.", Example("{{ (42 | string) == '42' }}", "true"), since="1.0")
def string(value: object) -> str:
    return to_string(value)


@filter_(
    "abbreviate",
    "The text cut to a length, of which three characters are the dots.",
    Example('{{ "this is a long sentence." | abbreviate(7) }}', "this..."),
)
def abbreviate(value: object, length: object) -> str:
    if not is_integer(length) or length < 0:
        raise EvaluationError("The 'abbreviate' filter expects a number not below 0 as argument 'length'.")
    text = utf16(only_text("abbreviate", value))
    if length > len(text) or len(text) <= 3:
        return from_utf16(text)
    if length <= 3:
        return from_utf16(text[:length])
    return from_utf16(text[: length - 3]) + "..."


@filter_(
    "nl2br", "The text with `<br />` before its line breaks.", Example('{{ "a\nb" | nl2br }}', "a<br />b")
)
def nl2br(value: object) -> str:
    return re.sub(r"\r\n|\n", "<br />", only_text("nl2br", value))


def _substring(value: object, separator: object, part: Callable[[str, str], str]) -> str:
    if not isinstance(separator, str):
        raise EvaluationError("A substring filter expects a text as argument 'separator'.")
    return part(_text(value), separator)


def _after(text: str, separator: str) -> str:
    _, found, after = text.partition(separator) if separator else ("", "", text)
    return after if found or not separator else ""


def _before_last(text: str, separator: str) -> str:
    before, found, _ = text.rpartition(separator) if separator else (text, "", "")
    return before if found or not separator else text


def _after_last(text: str, separator: str) -> str:
    _, found, after = text.rpartition(separator) if separator else ("", "", "")
    return after if found else ""


@filter_(
    "substringBefore",
    "The text before the first separator.",
    Example('{{ "a.b.c" | substringBefore(".") }}', "a"),
)
def substring_before(value: object, separator: object) -> str:
    return _substring(value, separator, lambda text, mark: text.partition(mark)[0] if mark else "")


@filter_(
    "substringAfter",
    "The text after the first separator; empty if there is none.",
    Example('{{ "a.b.c" | substringAfter(".") }}', "b.c"),
)
def substring_after(value: object, separator: object) -> str:
    return _substring(value, separator, _after)


@filter_(
    "substringBeforeLast",
    "The text before the last separator.",
    Example('{{ "a.b.c" | substringBeforeLast(".") }}', "a.b"),
)
def substring_before_last(value: object, separator: object) -> str:
    return _substring(value, separator, _before_last)


@filter_(
    "substringAfterLast",
    "The text after the last separator; empty if there is none.",
    Example('{{ "a.b.c" | substringAfterLast(".") }}', "c"),
)
def substring_after_last(value: object, separator: object) -> str:
    return _substring(value, separator, _after_last)


def _compared(name: str, value: object, part: object) -> tuple[str, str] | None:
    """The two texts; None for a value that is no text, which begins and ends with none."""
    if value is None:
        raise EvaluationError(f"The '{name}' filter expects a text, not null.")
    if not isinstance(part, str):
        raise EvaluationError(f"The '{name}' filter expects a text as argument 'value'.")
    return (value, part) if isinstance(value, str) else None


@filter_(
    "startsWith",
    "Whether a text begins with another.",
    Example('{{ "kestra://file.csv" | startsWith("kestra://") }}', "true"),
    null_passes=False,
)
def starts_with(value: object, value_: object) -> bool:
    compared = _compared("startsWith", value, value_)
    return compared is not None and compared[0].startswith(compared[1])


@filter_(
    "endsWith",
    "Whether a text ends with another.",
    Example('{{ "report.csv" | endsWith(".csv") }}', "true"),
    null_passes=False,
)
def ends_with(value: object, value_: object) -> bool:
    compared = _compared("endsWith", value, value_)
    return compared is not None and compared[0].endswith(compared[1])


@filter_(
    "slugify",
    "The text as part of an address: lower case, accents removed, hyphens for blanks.",
    Example('{{ "Hello World!" | slugify }}', "hello-world"),
)
def slugify(value: object) -> str:
    text = re.sub(r"[\s_]", "-", _text(value))
    text = unicodedata.normalize("NFD", text)
    text = re.sub(r"[^A-Za-z0-9-]", "", text)
    return re.sub(r"-{2,}", "-", text).strip("-").lower()


_ESCAPES = {"single": ("'", "\\'"), "double": ('"', '\\"'), "shell": ("'", "'\\''")}


@filter_(
    "escapeChar",
    "The text with quotes escaped for `single` or `double` quotes or for the `shell`; "
    "also inside lists and maps.",
    Example(
        """{{ "Can't" | escapeChar('single') }} {{ "Can't" | escapeChar('shell') }}""", "Can\\'t Can'\\''t"
    ),
)
def escape_char(value: object, type_: object) -> object:
    kind = _ESCAPES.get(type_.lower()) if isinstance(type_, str) else None
    if kind is None:
        raise EvaluationError(
            "The 'escapeChar' filter expects an argument 'type' that is one of single, double and shell."
        )
    return _map_texts(value, lambda text: text.replace(*kind))


def _map_texts(value: object, change: Callable[[str], str]) -> object:
    if is_map(value):
        return {
            change(key) if isinstance(key, str) else key: _map_texts(item, change)
            for key, item in value.items()
        }
    if is_list(value):
        return [_map_texts(item, change) for item in value]
    return None if value is None else change(_text(value))


_LINE_BREAK = re.compile(r"\r\n|\n|\r")


def _prefix(frame: Frame, name: str, text: str, amount: object, prefix: object) -> str:
    if not is_integer(amount) or amount < 0:
        raise EvaluationError(f"The '{name}' filter expects a number not below 0 as argument 'amount'.")
    unit = _text(prefix)
    lines = len(_LINE_BREAK.findall(text)) + 1
    frame.budget.check_size(len(text) + amount * len(unit) * lines)
    return unit * amount


@filter_(
    "indent",
    "Every line but the first moved in by a number of prefixes.",
    Example('{{ "a\nb" | indent(2) }}', "a\n  b"),
    needs_frame=True,
)
def indent(frame: Frame, value: object, amount: object, prefix: object = " ") -> str:
    text = _text(value)
    margin = _prefix(frame, "indent", text, amount, prefix)
    return _LINE_BREAK.sub(lambda match: match[0] + margin, text)


@filter_(
    "nindent",
    "A line break, then every line moved in by a number of prefixes.",
    Example('key:{{ "a\nb" | nindent(2) }}', "key:\n  a\n  b"),
    needs_frame=True,
)
def nindent(frame: Frame, value: object, amount: object, prefix: object = " ") -> str:
    text = _text(value)
    if not text:
        return text
    margin = _prefix(frame, "nindent", text, amount, prefix)
    line_break = _LINE_BREAK.search(text)
    first = line_break[0] if line_break else "\n"
    return first + margin + _LINE_BREAK.sub(lambda match: match[0] + margin, text)
