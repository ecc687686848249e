"""Regular expressions in Java's flavour, with a time limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from windhover.expression.errors import EvaluationError, LimitExceededError

if TYPE_CHECKING:
    import regex

_POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": r"\x20-~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0b\f\r",
}
_JAVA_PROPERTIES = {
    "javaLowerCase": "Lowercase",
    "javaUpperCase": "Uppercase",
    "javaWhitespace": "White_Space",
    "javaLetter": "L",
    "javaDigit": "Nd",
    "javaAlphabetic": "Alphabetic",
    "IsAlphabetic": "Alphabetic",
    "IsLetter": "L",
    "IsDigit": "Nd",
    "IsPunctuation": "P",
    "IsLowercase": "Lowercase",
    "IsUppercase": "Uppercase",
    "IsWhite_Space": "White_Space",
}
_ESCAPED_CLASSES = {
    "d": "0-9",
    "w": "a-zA-Z0-9_",
    "s": r" \t\n\x0b\f\r",
    "h": r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    "v": r"\n\x0b\f\r\x85\u2028\u2029",
}
_ANY = r"[^\n\r\x85\u2028\u2029]"
_PROPERTY = re.compile(r"[pP](?:\{(\^?)([A-Za-z0-9_=]+)\}|([A-Z]))")
_NAMED_GROUP = re.compile(r"\(\?<([A-Za-z][A-Za-z0-9]*)>")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_LITERAL = re.compile(r"(?:[^\\.^$|?*+()\[\]{}]|\\[^A-Za-z0-9])*")


def literal_text(pattern: str) -> str | None:
    """The text a pattern stands for if it holds no construct at all, else None."""
    if _LITERAL.fullmatch(pattern) is None:
        return None
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


@lru_cache(maxsize=512)
def compile_java(pattern: str) -> regex.Pattern[str]:
    """A Java pattern as one of the regex library. Raises EvaluationError if it is malformed."""
    import regex

    try:
        return regex.compile(_translate(pattern), regex.VERSION1 | regex.UNICODE)
    except (regex.error, RecursionError, OverflowError, ValueError, IndexError) as error:
        raise EvaluationError(f"Invalid regular expression '{pattern}': {error}") from None


def _translate(pattern: str) -> str:
    """Rewrites what Java means otherwise: ASCII classes, the dot, quoting, named groups, anchors."""
    result: list[str] = []
    index, class_depth, dot_all = 0, 0, False
    while index < len(pattern):
        character = pattern[index]
        if character == "\\":
            piece, index = _translate_escape(pattern, index, class_depth > 0)
            result.append(piece)
            continue
        if character == "[":
            class_depth += 1
            result.append("[")
            index += 1
            if pattern.startswith("^", index):
                result.append("^")
                index += 1
            if class_depth == 1 and pattern.startswith("]", index):
                result.append("\\]")
                index += 1
            continue
        if class_depth:
            class_depth -= character == "]"
            # Only && is an operator in a Java class.
            result.append(
                "\\" + character
                if character in "-~|" and pattern[index : index + 2] == character * 2
                else character
            )
        elif character == ".":
            result.append("." if dot_all else _ANY)
        elif character == "$":
            result.append(r"(?=(?:\r\n|[\n\r\x85\u2028\u2029])?\Z)" if not _is_multiline(pattern) else "$")
        elif named := _NAMED_GROUP.match(pattern, index):
            result.append(f"(?P<{named[1]}>")
            index = named.end()
            continue
        elif flags := _FLAGS.match(pattern, index):
            dot_all = dot_all or "s" in flags[1]
            result.append(_translate_flags(flags))
            index = flags.end()
            continue
        else:
            result.append(character)
        index += 1
    return "".join(result)


def _is_multiline(pattern: str) -> bool:
    return any("m" in flags[1] for flags in _FLAGS.finditer(pattern))


def _translate_flags(flags: re.Match[str]) -> str:
    on = "".join(flag for flag in flags[1] if flag in "imsx")
    off = "".join(flag for flag in flags[2] or "" if flag in "imsx")
    if not on and not off:
        return "(?:" if flags[3] == ":" else ""
    return f"(?{on}{'-' + off if off else ''}{flags[3]}"


def _translate_escape(pattern: str, index: int, in_class: bool) -> tuple[str, int]:
    """The translation of an escape, and the index behind it."""
    following = pattern[index + 1 : index + 2]
    if following == "Q":
        end = pattern.find("\\E", index + 2)
        quoted = pattern[index + 2 : end if end >= 0 else len(pattern)]
        return re.escape(quoted), (end + 2 if end >= 0 else len(pattern))
    if following in _ESCAPED_CLASSES:
        members = _ESCAPED_CLASSES[following]
        return (members if in_class else f"[{members}]"), index + 2
    if following.lower() in _ESCAPED_CLASSES and following:
        return f"[^{_ESCAPED_CLASSES[following.lower()]}]", index + 2
    if following and following in "pP" and (found := _PROPERTY.match(pattern, index + 1)):
        return _translate_property(found, in_class), found.end()
    if following == "k" and pattern.startswith("<", index + 2):
        end = pattern.find(">", index)
        if end > 0:
            return f"(?P={pattern[index + 3 : end]})", end + 1
    if following == "Z":
        return r"(?=(?:\r\n|[\n\r\x85\u2028\u2029])?\Z)", index + 2
    if following == "z":
        return r"\Z", index + 2
    if following == "R":
        return r"(?>\r\n|[\n\x0b\f\r\x85\u2028\u2029])", index + 2
    if following == "e":
        return r"\x1b", index + 2
    if following == "0":
        octal = re.compile(r"[0-3]?[0-7]{1,2}").match(pattern, index + 2)
        if octal:
            return f"\\x{int(octal[0], 8):02x}", octal.end()
    if following == "x" and pattern.startswith("{", index + 2):
        end = pattern.find("}", index)
        if end > 0:
            return f"\\U{int(pattern[index + 3 : end], 16):08x}", end + 1
    return pattern[index : index + 2], index + 2


def _translate_property(found: re.Match[str], in_class: bool) -> str:
    negated = (found[0][0] == "P") != bool(found[1])
    name = found[2] or found[3]
    if name in _POSIX:
        if in_class and not negated:
            return _POSIX[name]
        return f"[{'^' * negated}{_POSIX[name]}]"
    name = _JAVA_PROPERTIES.get(name, name.removeprefix("Is") if name.startswith("Is") else name)
    return f"\\{'P' if negated else 'p'}{{{name}}}"


def _in_time(pattern: str, run: Callable[[], object], seconds: float) -> object:
    try:
        return run()
    except TimeoutError:
        raise LimitExceededError(
            f"The regular expression '{pattern}' took longer than {seconds:g} seconds"
        ) from None


def search(pattern: str, text: str, seconds: float) -> regex.Match[str] | None:
    """The first match of a Java pattern."""
    compiled = compile_java(pattern)
    return _in_time(pattern, lambda: compiled.search(text, timeout=seconds), seconds)


def replace_all(pattern: str, replacement: str, text: str, seconds: float, most: int) -> str:
    """All matches replaced; ``$1`` and ``${name}`` stand for groups, ``most`` bounds the result's length."""
    compiled = compile_java(pattern)
    pieces = _replacement_pieces(replacement)
    length = len(text)

    def expand(match: regex.Match[str]) -> str:
        nonlocal length
        parts = [piece if isinstance(piece, str) else _group(match, piece) for piece in pieces]
        expanded = "".join(parts)
        length += len(expanded)
        if length > most:
            raise LimitExceededError(f"The text grew beyond {most} characters")
        return expanded

    return str(_in_time(pattern, lambda: compiled.sub(expand, text, timeout=seconds), seconds))


def _group(match: regex.Match[str], reference: tuple[str]) -> str:
    name = reference[0]
    if not name.isdigit():
        if name not in match.re.groupindex:
            raise EvaluationError(f"No group with name {{{name}}}")
        return match[name] or ""
    # As many digits as make an existing group; the rest is text.
    groups = match.re.groups
    used = 1
    while used < len(name) and int(name[: used + 1]) <= groups:
        used += 1
    if int(name[:used]) > groups:
        raise EvaluationError(f"No group {name[:used]}")
    return (match[int(name[:used])] or "") + name[used:]


def _replacement_pieces(replacement: str) -> list[str | tuple[str]]:
    pieces: list[str | tuple[str]] = []
    for token in re.finditer(
        r"\\(.)|\$(\d+)|\$\{([A-Za-z][A-Za-z0-9]*)\}|([^\\$]+)|(.)", replacement, re.DOTALL
    ):
        if token[1] is not None or token[4] is not None:
            pieces.append(token[1] or token[4])
        elif token[5] is not None:
            raise EvaluationError("Illegal group reference in the replacement: write \\$ for a dollar sign")
        else:
            pieces.append((token[2] or token[3],))
    return pieces


def split(pattern: str, text: str, limit: int, seconds: float) -> list[str]:
    """A text cut at the matches of a pattern, as Java's ``split`` does.

    A limit above 0 bounds the number of parts, 0 drops empty parts at the end, below 0 keeps them.
    """
    if text == "":
        return [""]
    literal = literal_text(pattern)
    if literal:
        parts = text.split(literal, limit - 1) if limit > 0 else text.split(literal)
    else:
        parts = _split_by_matches(pattern, text, limit, seconds)
    if limit == 0:
        while len(parts) > 1 and parts[-1] == "":
            parts.pop()
        if parts == [""] and text:
            parts = []
    return parts


def _split_by_matches(pattern: str, text: str, limit: int, seconds: float) -> list[str]:
    compiled = compile_java(pattern)
    parts: list[str] = []

    def collect() -> None:
        start = 0
        for match in compiled.finditer(text, timeout=seconds):
            if limit > 0 and len(parts) == limit - 1:
                break
            if match.end() == 0 or (match.start() == match.end() == len(text)):
                continue  # An empty match at either end cuts nothing off.
            parts.append(text[start : match.start()])
            start = match.end()
        parts.append(text[start:])

    _in_time(pattern, collect, seconds)
    return parts
