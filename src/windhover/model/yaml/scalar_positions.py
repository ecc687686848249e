"""Where in the text of a document a character of a scalar stands, whatever the scalar's style."""

from __future__ import annotations

import re

from windhover.model.yaml.positions import Position

#: Anchors and tags before a scalar.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_BLOCK_HEADER = re.compile(r"[|>][+\-0-9]*[ \t]*(?:#[^\n]*)?\r?\n")
_ESCAPED = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^\n])", re.DOTALL)
#: Escapes of a double-quoted scalar that stand for white space, line breaks left out included.
_ESCAPED_SPACE = re.compile(r"\\(?:[ \tntrv_LPN]|\r?\n)")


class DocumentText:
    """The text of a document, to find places in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0]
        for found in re.finditer("\n", text):
            self._starts.append(found.end())

    def place_in_scalar(self, start: Position, value: str, line: int, column: int) -> Position:
        """The place of line ``line``, column ``column`` of a scalar's value (both from 1).

        ``start`` is where the scalar stands. Where its text cannot be followed, as with an alias, that is
        the answer.
        """
        text = self._text
        begin = self._starts[start.line - 1] + start.column - 1
        begin = _PROPERTIES.match(text, begin).end()  # type: ignore[union-attr]
        style = text[begin : begin + 1]
        if style in ("|", ">"):
            header = _BLOCK_HEADER.match(text, begin)
            if header is None:
                return start
            begin = header.end()
        elif style in ('"', "'"):
            begin += 1
        offset = _offset(value, line, column)
        place = _follow(text, begin, value, offset, style)
        return start if place is None else self._position(place)

    def _position(self, offset: int) -> Position:
        from bisect import bisect_right

        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)


def _offset(value: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = value.find("\n", start) + 1
        if start == 0:
            return len(value)
    return min(start + column - 1, len(value))


def _follow(text: str, place: int, value: str, offset: int, style: str) -> int | None:
    """The place of the character ``value[offset]``, found by walking along both texts.

    White space differs between them (indentation, folded lines), so that of one is passed over together with
    that of the other.
    """
    index = 0
    while True:
        if index < len(value) and value[index].isspace():
            index_after = index + 1
            while index_after < len(value) and value[index_after].isspace():
                index_after += 1
            if index_after > offset:
                return place + (offset - index)
            index = index_after
            place = _after_space(text, place, style)
        elif index == 0:
            place = _after_space(text, place, style)
        if index >= offset:
            return place
        after = _after_character(text, place, value[index], style)
        if after is None:
            return None
        place = after
        index += 1
        if style == '"' and text[place : place + 1] == "\\" and text[place + 1 : place + 2] in ("\r", "\n"):
            place = _after_space(text, place, style)


def _after_space(text: str, place: int, style: str) -> int:
    while place < len(text):
        if text[place].isspace():
            place += 1
        elif style == '"' and (escaped := _ESCAPED_SPACE.match(text, place)) is not None:
            place = escaped.end()
        else:
            break
    return place


def _after_character(text: str, place: int, character: str, style: str) -> int | None:
    if text[place : place + 1] == "\\" and style == '"':
        escaped = _ESCAPED.match(text, place)
        return None if escaped is None else escaped.end()
    if style == "'" and text[place : place + 2] == "''":
        return place + 2
    return place + 1 if text[place : place + 1] == character else None
