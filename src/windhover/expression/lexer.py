"""Cuts a template into tokens."""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import Enum

import msgspec

from windhover.expression.errors import TemplateSyntaxError
from windhover.expression.nodes import Position


class TokenKind(Enum):
    """Kinds of tokens; the names appear in error messages."""

    TEXT = "TEXT"
    RAW = "RAW"
    PRINT_START = "PRINT_START"
    PRINT_END = "PRINT_END"
    EXECUTE_START = "EXECUTE_START"
    EXECUTE_END = "EXECUTE_END"
    NAME = "NAME"
    NUMBER = "NUMBER"
    LONG = "LONG"
    STRING = "STRING"
    INTERPOLATION = "INTERPOLATION"
    OPERATOR = "OPERATOR"
    PUNCTUATION = "PUNCTUATION"
    EOF = "EOF"


class Token(msgspec.Struct):
    """One token. ``parts`` holds the pieces of an interpolated string: texts and lists of tokens."""

    kind: TokenKind
    value: str
    offset: int
    parts: tuple[str | list[Token], ...] = ()


_OPENING = re.compile(r"\{\{|\{%|\{#")
_RAW_START = re.compile(r"\{%[-\s]*raw[-\s]*%\}")
_RAW_END = re.compile(r"\{%[-\s]*endraw[-\s]*%\}")
_VERBATIM_START = re.compile(r"\{%(-?)\s*verbatim\s*(-?)%\}")
_VERBATIM_END = re.compile(r"\{%(-?)\s*endverbatim\s*(-?)%\}")
_PRINT_END = re.compile(r"\s*(-?)\}\}")
_EXECUTE_END = re.compile(r"\s*(-?)%\}")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<NUMBER>[0-9]+(?:\.[0-9]+|(?P<long>L)(?![A-Za-z0-9_]))?)
    | (?P<WORD>(?:is\s+not|is|and|or|not|contains|equals|isIn)(?![A-Za-z0-9_]))
    | (?P<NAME>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<OPERATOR>\?\?\?|\?\?|==|!=|<=|>=|\.\.|[<>+\-*/%|~])
    | (?P<PUNCTUATION>[()\[\]{}?:.,=])
    | (?P<SINGLE>'(?:[^'\\]|\\.)*')
    | (?P<QUOTE>")
    )""",
    re.VERBOSE | re.DOTALL,
)
_DOUBLE_PIECE = re.compile(r'(?P<text>(?:[^"\\#]|\\.|\#(?!\{))*)(?P<end>"|\#\{)', re.DOTALL)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_MAX_STRING_NESTING = 20


class Lexer:
    """Tokens of one template."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._line_starts: list[int] | None = None

    def position(self, offset: int) -> Position:
        """Line and column of a character."""
        if self._line_starts is None:
            self._line_starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", self.source))]
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def error(self, reason: str, offset: int, expected: str | None = None) -> TemplateSyntaxError:
        """An error at a character, for the caller to raise."""
        place = self.position(offset)
        return TemplateSyntaxError(reason, self.source, place.line, place.column, expected=expected)

    def tokens(self) -> list[Token]:
        """All tokens, the last of kind EOF.

        Raises TemplateSyntaxError for an unclosed tag, comment or string, and for a character that begins
        nothing.
        """
        tokens: list[Token] = []
        source = self.source
        offset = 0
        trim_next = False
        while True:
            opening = _OPENING.search(source, offset)
            end = opening.start() if opening else len(source)
            text = source[offset:end]
            if trim_next:
                text = text.lstrip()
            trim_next = False
            if opening is None:
                if text:
                    tokens.append(Token(TokenKind.TEXT, text, offset))
                tokens.append(Token(TokenKind.EOF, "", len(source)))
                return tokens
            if raw := _RAW_START.match(source, end):
                # The tags of a raw block never trim: they are cut out, and nothing else happens.
                closing = _RAW_END.search(source, raw.end())
                if closing is None:
                    raise self.error("Unclosed raw block", end, "endraw")
                if text:
                    tokens.append(Token(TokenKind.TEXT, text, offset))
                tokens.append(Token(TokenKind.RAW, source[raw.end() : closing.start()], raw.end()))
                offset = closing.end()
                continue
            if source.startswith("-", end + 2):
                text = text.rstrip()
            if text:
                tokens.append(Token(TokenKind.TEXT, text, offset))
            if verbatim := _VERBATIM_START.match(source, end):
                closing = _VERBATIM_END.search(source, verbatim.end())
                if closing is None:
                    raise self.error("Unclosed verbatim block", end, "endverbatim")
                content = source[verbatim.end() : closing.start()]
                content = content.lstrip() if verbatim[2] else content
                content = content.rstrip() if closing[1] else content
                if content:
                    tokens.append(Token(TokenKind.TEXT, content, verbatim.end()))
                offset, trim_next = closing.end(), bool(closing[2])
            elif opening[0] == "{#":
                offset, trim_next = self._skip_comment(end)
            else:
                offset, trim_next = self._delimited(tokens, opening[0], end)

    def _skip_comment(self, start: int) -> tuple[int, bool]:
        end = self.source.find("#}", start + 2)
        if end < 0:
            raise self.error("Unclosed comment", start, "#}")
        return end + 2, self.source[end - 1] == "-" and end - 1 > start + 1

    def _delimited(self, tokens: list[Token], opening: str, start: int) -> tuple[int, bool]:
        """Tokens between ``{{ }}`` or ``{% %}``; gives the offset behind, and whether to trim there."""
        prints = opening == "{{"
        tokens.append(Token(TokenKind.PRINT_START if prints else TokenKind.EXECUTE_START, opening, start))
        offset = start + 2
        if self.source.startswith("-", offset):
            offset += 1
        ending = _PRINT_END if prints else _EXECUTE_END
        offset = self._expression(tokens, offset, ending, 0)
        closing = ending.match(self.source, offset)
        if closing is None:
            raise self.error(f"Unclosed {opening}", start, "}}" if prints else "%}")
        value = "}}" if prints else "%}"
        tokens.append(
            Token(TokenKind.PRINT_END if prints else TokenKind.EXECUTE_END, value, closing.end() - 2)
        )
        return closing.end(), bool(closing[1])

    def _expression(self, tokens: list[Token], offset: int, ending: re.Pattern[str], nesting: int) -> int:
        """Tokens up to ``ending`` outside of brackets, or the end of the template; gives the offset there."""
        source = self.source
        brackets: list[tuple[str, int]] = []
        while True:
            if not brackets and ending.match(source, offset):
                return offset
            match = _TOKEN.match(source, offset)
            if match is None:
                blank = re.compile(r"\s*").match(source, offset)
                offset = blank.end() if blank else offset
                if offset >= len(source):
                    if brackets:
                        bracket, at = brackets[-1]
                        raise self.error(f"Unclosed '{bracket}'", at, _CLOSING[bracket])
                    return offset
                if source[offset] in "'\"":
                    raise self.error("Unclosed string", offset, source[offset])
                raise self.error(f"Unexpected character [{source[offset]}]", offset)
            kind = match.lastgroup or ""
            if match["NUMBER"] is not None:
                kind = "NUMBER"
            start, end = match.span(kind)
            value = match[kind]
            offset = end
            if kind == "NUMBER":
                if match["long"]:
                    tokens.append(Token(TokenKind.LONG, value[:-1], start))
                else:
                    tokens.append(Token(TokenKind.NUMBER, value, start))
            elif kind == "WORD":
                if tokens[-1].kind is TokenKind.PUNCTUATION and tokens[-1].value == ".":
                    tokens.append(Token(TokenKind.NAME, value, start))
                else:
                    tokens.append(Token(TokenKind.OPERATOR, " ".join(value.split()), start))
            elif kind == "SINGLE":
                tokens.append(Token(TokenKind.STRING, value[1:-1].replace("\\'", "'"), start))
            elif kind == "QUOTE":
                offset = self._double_quoted(tokens, start, nesting)
            else:
                if kind == "PUNCTUATION":
                    self._track_bracket(brackets, value, start)
                tokens.append(Token(TokenKind[kind], value, start))

    def _track_bracket(self, brackets: list[tuple[str, int]], value: str, offset: int) -> None:
        if value in _CLOSING:
            brackets.append((value, offset))
        elif value in ")]}":
            if not brackets:
                raise self.error(f"Unexpected '{value}'", offset)
            opening, start = brackets.pop()
            if _CLOSING[opening] != value:
                raise self.error(f"Unclosed '{opening}'", start, _CLOSING[opening])

    def _double_quoted(self, tokens: list[Token], start: int, nesting: int) -> int:
        if nesting > _MAX_STRING_NESTING:
            raise self.error("Strings are nested too deeply", start)
        parts: list[str | list[Token]] = []
        offset = start + 1
        while True:
            piece = _DOUBLE_PIECE.match(self.source, offset)
            if piece is None:
                raise self.error("Unclosed string", start, '"')
            text = piece["text"].replace('\\"', '"')
            offset = piece.end()
            if piece["end"] == '"':
                if not parts:
                    tokens.append(Token(TokenKind.STRING, text, start))
                else:
                    if text:
                        parts.append(text)
                    tokens.append(Token(TokenKind.INTERPOLATION, "", start, tuple(parts)))
                return offset
            if text:
                parts.append(text)
            inner: list[Token] = [Token(TokenKind.PUNCTUATION, "#{", offset - 2)]
            offset = self._expression(inner, offset, _INTERPOLATION_END, nesting + 1)
            closing = _INTERPOLATION_END.match(self.source, offset)
            if closing is None:
                raise self.error("Unclosed #{", inner[0].offset, "}")
            inner.append(Token(TokenKind.EOF, "}", closing.end() - 1))
            parts.append(inner[1:])
            offset = closing.end()


_INTERPOLATION_END = re.compile(r"\s*\}")
