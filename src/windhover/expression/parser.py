"""Builds the syntax tree of a template from its tokens."""

from __future__ import annotations

from collections.abc import Callable

from windhover.expression.errors import TemplateSyntaxError
from windhover.expression.lexer import Lexer, Token, TokenKind
from windhover.expression.nodes import (
    Arguments,
    Binary,
    Block,
    Body,
    Call,
    Expression,
    FilterBlock,
    FilterCall,
    For,
    If,
    Interpolation,
    ListLiteral,
    Literal,
    Macro,
    MapLiteral,
    Member,
    MethodCall,
    Position,
    Print,
    Raw,
    Set,
    Statement,
    Ternary,
    TestCall,
    Text,
    Unary,
    Variable,
)

BINARY_PRECEDENCE = {
    "or": 10,
    "and": 15,
    "is": 20,
    "is not": 20,
    "contains": 20,
    "==": 30,
    "equals": 30,
    "!=": 30,
    "<": 30,
    ">": 30,
    "<=": 30,
    ">=": 30,
    "+": 40,
    "-": 40,
    "*": 60,
    "/": 60,
    "%": 60,
    "|": 100,
    "~": 110,
    "..": 120,
    "??": 120,
    "???": 120,
    "isIn": 120,
}
"""How tightly each binary operator binds; all are left-associative, and the ternary is outermost."""

UNARY_PRECEDENCE = {"not": 500, "+": 500, "-": 500}

REMOVED_TAGS = frozenset(
    {"autoescape", "extends", "embed", "flush", "import", "include", "parallel", "cache", "from"}
)
"""Tags of the template language that work on other templates or on output, which a flow does not have."""

CONSTANTS: dict[str, bool | None] = {
    "true": True,
    "TRUE": True,
    "false": False,
    "FALSE": False,
    "null": None,
    "NULL": None,
    "none": None,
    "NONE": None,
}

_MAX_DEPTH = 150
"""Levels of an expression or of nested tags; what is deeper was not written by hand."""


def parse(source: str) -> Body:
    """The syntax tree of a template.

    Raises TemplateSyntaxError with the place and what was expected there.
    """
    return _Parser(source).template()


class _Parser:
    def __init__(self, source: str) -> None:
        self._lexer = Lexer(source)
        self._tokens = self._lexer.tokens()
        self._index = 0
        self._depth = 0
        self._tags: dict[str, Callable[[Token], Statement]] = {
            "if": self._if,
            "for": self._for,
            "set": self._set,
            "macro": self._macro,
            "block": self._block,
            "filter": self._filter_block,
        }

    # -- tokens ------------------------------------------------------------------------------------------

    @property
    def _current(self) -> Token:
        return self._tokens[self._index]

    def _advance(self) -> Token:
        token = self._tokens[self._index]
        if token.kind is not TokenKind.EOF:
            self._index += 1
        return token

    def _at(self, kind: TokenKind, value: str | None = None) -> bool:
        token = self._current
        return token.kind is kind and (value is None or token.value == value)

    def _take(self, kind: TokenKind, value: str) -> bool:
        if self._at(kind, value):
            self._index += 1
            return True
        return False

    def _expect(self, kind: TokenKind, value: str | None = None) -> Token:
        if not self._at(kind, value):
            expected = f"token of type {kind.value}" + (f' with value "{value}"' if value else "")
            raise self._unexpected(expected)
        return self._advance()

    def _unexpected(self, expected: str) -> TemplateSyntaxError:
        token = self._current
        if token.kind is TokenKind.EOF and not token.value:
            return self._lexer.error(
                f"Unexpected end of template, expected {expected}", token.offset, expected
            )
        return self._lexer.error(
            f'Unexpected token of value "{token.value}" and type {token.kind.value}, expected {expected}',
            token.offset,
            expected,
        )

    def _place(self, token: Token) -> Position:
        return self._lexer.position(token.offset)

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._lexer.error("The template is nested too deeply", self._current.offset)

    # -- statements --------------------------------------------------------------------------------------

    def template(self) -> Body:
        body = self._body()
        if self._current.kind is not TokenKind.EOF:
            self._advance()
            tag = self._current
            raise self._lexer.error(f'Unexpected tag name "{tag.value}"', tag.offset)
        return body

    def _body(self, *endings: str) -> Body:
        """Statements up to, not including, a tag named in ``endings``, or the end of the template."""
        self._descend()
        statements: list[Statement] = []
        place = self._place(self._current)
        while True:
            token = self._current
            if token.kind is TokenKind.EOF:
                break
            if token.kind is TokenKind.TEXT:
                self._advance()
                statements.append(Text(token.value, position=self._place(token)))
            elif token.kind is TokenKind.RAW:
                self._advance()
                statements.append(Raw(token.value, position=self._place(token)))
            elif token.kind is TokenKind.PRINT_START:
                self._advance()
                expression = self._expression()
                self._expect(TokenKind.PRINT_END)
                statements.append(Print(expression, position=self._place(token)))
            else:
                tag = self._tokens[self._index + 1]
                if tag.kind is TokenKind.NAME and tag.value in endings:
                    break
                statements.append(self._tag())
        self._depth -= 1
        return Body(tuple(statements), position=place)

    def _tag(self) -> Statement:
        self._advance()
        name = self._expect(TokenKind.NAME)
        if name.value in REMOVED_TAGS:
            raise self._lexer.error(
                f'Unexpected tag name "{name.value}": this tag is not available here', name.offset
            )
        parse_tag = self._tags.get(name.value)
        if parse_tag is None:
            raise self._lexer.error(f'Unexpected tag name "{name.value}"', name.offset)
        return parse_tag(name)

    def _end_tag(self, opening: Token, *names: str) -> str:
        """Consumes the head of the tag that ends a body, and gives its name."""
        if self._current.kind is TokenKind.EOF:
            expected = " or ".join(names)
            raise self._lexer.error(
                f'Unexpected end of template. Pebble was looking for the "{names[-1]}" tag',
                opening.offset,
                expected,
            )
        self._advance()
        return self._expect(TokenKind.NAME).value

    def _end_of_tag(self) -> None:
        self._expect(TokenKind.EXECUTE_END)

    def _if(self, opening: Token) -> If:
        branches: list[tuple[Expression, Body]] = []
        otherwise: Body | None = None
        ending = "elseif"
        while ending == "elseif":
            condition = self._expression()
            self._end_of_tag()
            branches.append((condition, self._body("elseif", "else", "endif")))
            ending = self._end_tag(opening, "elseif", "else", "endif")
        if ending == "else":
            self._end_of_tag()
            otherwise = self._body("endif")
            self._end_tag(opening, "endif")
        self._end_of_tag()
        return If(tuple(branches), otherwise, position=self._place(opening))

    def _for(self, opening: Token) -> For:
        target = self._expect(TokenKind.NAME).value
        self._expect(TokenKind.NAME, "in")
        iterable = self._expression()
        self._end_of_tag()
        body = self._body("else", "endfor")
        otherwise: Body | None = None
        if self._end_tag(opening, "else", "endfor") == "else":
            self._end_of_tag()
            otherwise = self._body("endfor")
            self._end_tag(opening, "endfor")
        self._end_of_tag()
        return For(target, iterable, body, otherwise, position=self._place(opening))

    def _set(self, opening: Token) -> Set:
        name = self._expect(TokenKind.NAME).value
        self._expect(TokenKind.PUNCTUATION, "=")
        value = self._expression()
        self._end_of_tag()
        return Set(name, value, position=self._place(opening))

    def _macro(self, opening: Token) -> Macro:
        name = self._expect(TokenKind.NAME).value
        self._expect(TokenKind.PUNCTUATION, "(")
        parameters: list[tuple[str, Expression | None]] = []
        while not self._at(TokenKind.PUNCTUATION, ")"):
            if parameters:
                self._expect(TokenKind.PUNCTUATION, ",")
            parameter = self._expect(TokenKind.NAME).value
            default = self._expression() if self._take(TokenKind.PUNCTUATION, "=") else None
            parameters.append((parameter, default))
        self._advance()
        self._end_of_tag()
        body = self._body("endmacro")
        self._end_tag(opening, "endmacro")
        if self._at(TokenKind.NAME):
            self._advance()
        self._end_of_tag()
        return Macro(name, tuple(parameters), body, position=self._place(opening))

    def _block(self, opening: Token) -> Block:
        if not self._at(TokenKind.NAME) and not self._at(TokenKind.STRING):
            raise self._unexpected("the name of the block")
        name = self._advance().value
        self._end_of_tag()
        body = self._body("endblock")
        self._end_tag(opening, "endblock")
        if self._at(TokenKind.NAME) or self._at(TokenKind.STRING):
            self._advance()
        self._end_of_tag()
        return Block(name, body, position=self._place(opening))

    def _filter_block(self, opening: Token) -> FilterBlock:
        filters = [self._filter_invocation()]
        while self._take(TokenKind.OPERATOR, "|"):
            filters.append(self._filter_invocation())
        self._end_of_tag()
        body = self._body("endfilter")
        self._end_tag(opening, "endfilter")
        self._end_of_tag()
        return FilterBlock(tuple(filters), body, position=self._place(opening))

    def _filter_invocation(self) -> tuple[str, Arguments]:
        name = self._expect(TokenKind.NAME).value
        return name, self._optional_arguments()

    # -- expressions -------------------------------------------------------------------------------------

    def _expression(self, lowest: int = 0) -> Expression:
        """An expression of operators that bind at least as tightly as ``lowest``."""
        self._descend()
        depth_before = self._depth
        token = self._current
        if token.kind is TokenKind.OPERATOR and token.value in UNARY_PRECEDENCE:
            self._advance()
            operand = self._expression(UNARY_PRECEDENCE[token.value])
            left: Expression = Unary(token.value, operand, position=self._place(token))
        else:
            left = self._primary()
        while self._current.kind is TokenKind.OPERATOR:
            operator = self._current
            precedence = BINARY_PRECEDENCE.get(operator.value, -1)
            if precedence < lowest:
                break
            self._advance()
            left = self._binary(left, operator, precedence)
            # A chain of operators is a deep tree, although it was read in a loop.
            self._descend()
        if lowest == 0 and self._at(TokenKind.PUNCTUATION, "?"):
            place = self._place(self._advance())
            then = self._expression()
            self._expect(TokenKind.PUNCTUATION, ":")
            left = Ternary(left, then, self._expression(), position=place)
        self._depth = depth_before - 1
        return left

    def _binary(self, left: Expression, operator: Token, precedence: int) -> Expression:
        place = self._place(operator)
        if operator.value == "|":
            name, arguments = self._filter_invocation()
            return FilterCall(left, name, arguments, position=place)
        if operator.value in ("is", "is not"):
            name = self._expect(TokenKind.NAME).value
            negated = operator.value == "is not"
            return TestCall(left, name, self._optional_arguments(), negated, position=place)
        right = self._expression(precedence + 1)
        return Binary(operator.value, left, right, position=place)

    def _primary(self) -> Expression:
        token = self._advance()
        place = self._place(token)
        kind, value = token.kind, token.value
        if kind is TokenKind.NAME:
            if value in CONSTANTS:
                return Literal(CONSTANTS[value], position=place)
            if self._at(TokenKind.PUNCTUATION, "("):
                return self._members(Call(value, self._arguments(), position=place))
            return self._members(Variable(value, position=place))
        if kind is TokenKind.STRING:
            return Literal(value, position=place)
        if kind is TokenKind.INTERPOLATION:
            return self._interpolation(token)
        if kind is TokenKind.LONG or (kind is TokenKind.NUMBER and "." not in value):
            return Literal(self._integer(token), position=place)
        if kind is TokenKind.NUMBER:
            return Literal(float(value), position=place)
        if kind is TokenKind.PUNCTUATION and value == "(":
            grouped = self._expression()
            self._expect(TokenKind.PUNCTUATION, ")")
            return self._members(grouped)
        if kind is TokenKind.PUNCTUATION and value == "[":
            return ListLiteral(tuple(self._list_items()), position=place)
        if kind is TokenKind.PUNCTUATION and value == "{":
            return MapLiteral(tuple(self._map_entries()), position=place)
        self._index -= kind is not TokenKind.EOF
        raise self._unexpected("an expression")

    def _integer(self, token: Token) -> int:
        number = int(token.value) if len(token.value) < 20 else 1 << 63
        if number >= 1 << 63:
            raise self._lexer.error(f"{token.value} is too large for an integer", token.offset)
        return number

    def _interpolation(self, token: Token) -> Interpolation:
        parts: list[Expression] = []
        outer_tokens, outer_index = self._tokens, self._index
        for part in token.parts:
            if isinstance(part, str):
                parts.append(Literal(part, position=self._place(token)))
                continue
            self._tokens, self._index = part, 0
            parts.append(self._expression())
            self._expect(TokenKind.EOF)
        self._tokens, self._index = outer_tokens, outer_index
        return Interpolation(tuple(parts), position=self._place(token))

    def _list_items(self) -> list[Expression]:
        items: list[Expression] = []
        while not self._take(TokenKind.PUNCTUATION, "]"):
            if items:
                self._expect(TokenKind.PUNCTUATION, ",")
            items.append(self._expression())
        return items

    def _map_entries(self) -> list[tuple[Expression, Expression]]:
        entries: list[tuple[Expression, Expression]] = []
        while not self._take(TokenKind.PUNCTUATION, "}"):
            if entries:
                self._expect(TokenKind.PUNCTUATION, ",")
            key = self._expression()
            self._expect(TokenKind.PUNCTUATION, ":")
            entries.append((key, self._expression()))
        return entries

    def _members(self, target: Expression) -> Expression:
        depth_before = self._depth
        while self._current.kind is TokenKind.PUNCTUATION and self._current.value in ".[":
            self._descend()
            opening = self._advance()
            place = self._place(opening)
            if opening.value == "[":
                target = Member(target, self._expression(), position=place)
                self._expect(TokenKind.PUNCTUATION, "]")
                continue
            name = self._expect(TokenKind.NAME)
            if self._at(TokenKind.PUNCTUATION, "("):
                arguments = self._arguments()
                if arguments.named:
                    raise self._lexer.error("A method takes no named arguments", name.offset)
                target = MethodCall(target, name.value, arguments.positional, position=place)
                continue
            target = Member(target, Literal(name.value), dotted=True, position=place)
        self._depth = depth_before
        return target

    def _optional_arguments(self) -> Arguments:
        return self._arguments() if self._at(TokenKind.PUNCTUATION, "(") else Arguments()

    def _arguments(self) -> Arguments:
        self._expect(TokenKind.PUNCTUATION, "(")
        positional: list[Expression] = []
        named: list[tuple[str, Expression]] = []
        while not self._take(TokenKind.PUNCTUATION, ")"):
            if positional or named:
                self._expect(TokenKind.PUNCTUATION, ",")
            following = self._tokens[min(self._index + 1, len(self._tokens) - 1)]
            if (
                self._at(TokenKind.NAME)
                and following.kind is TokenKind.PUNCTUATION
                and following.value == "="
            ):
                name = self._advance().value
                self._advance()
                named.append((name, self._expression()))
            elif named:
                raise self._unexpected("a named argument")
            else:
                positional.append(self._expression())
        return Arguments(tuple(positional), tuple(named))
