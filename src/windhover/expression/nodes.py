"""The syntax tree of a template.

Positions are all equal to one another, so two trees are equal when they mean the same.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class Position(Struct, frozen=True, eq=False):
    """Line and column in the template, both from 1."""

    line: int
    column: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Position)

    def __hash__(self) -> int:
        return 0


START = Position(1, 1)


class Node(Struct, frozen=True, kw_only=True):
    """Base of all nodes."""

    position: Position = START


class Literal(Node, frozen=True):
    """A text, number, boolean or null."""

    value: str | int | float | bool | None


class Interpolation(Node, frozen=True):
    """A double-quoted text with ``#{ expression }`` parts."""

    parts: tuple[Expression, ...]


class ListLiteral(Node, frozen=True):
    items: tuple[Expression, ...]


class MapLiteral(Node, frozen=True):
    entries: tuple[tuple[Expression, Expression], ...]


class Variable(Node, frozen=True):
    name: str


class Member(Node, frozen=True):
    """``target.key`` (``dotted``) or ``target[key]``."""

    target: Expression
    key: Expression
    dotted: bool = False


class Arguments(Node, frozen=True):
    positional: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.positional or self.named)


class Call(Node, frozen=True):
    """A call of a function or macro."""

    name: str
    arguments: Arguments


class MethodCall(Node, frozen=True):
    """``target.name(arguments)``: one of the few methods of texts, lists, maps and numbers."""

    target: Expression
    name: str
    arguments: tuple[Expression, ...]


class FilterCall(Node, frozen=True):
    """``operand | name(arguments)``."""

    operand: Expression
    name: str
    arguments: Arguments


class TestCall(Node, frozen=True):
    """``operand is [not] name(arguments)``."""

    operand: Expression
    name: str
    arguments: Arguments
    negated: bool = False


class Unary(Node, frozen=True):
    operator: str
    operand: Expression


class Binary(Node, frozen=True):
    operator: str
    left: Expression
    right: Expression


class Ternary(Node, frozen=True):
    condition: Expression
    then: Expression
    otherwise: Expression


Expression: TypeAlias = (
    Literal
    | Interpolation
    | ListLiteral
    | MapLiteral
    | Variable
    | Member
    | Call
    | MethodCall
    | FilterCall
    | TestCall
    | Unary
    | Binary
    | Ternary
)


class Text(Node, frozen=True):
    text: str


class Raw(Node, frozen=True):
    """Text of a ``raw`` block: never evaluated, also not by a later pass of recursive rendering."""

    text: str


class Print(Node, frozen=True):
    expression: Expression


class Body(Node, frozen=True):
    statements: tuple[Statement, ...]


class If(Node, frozen=True):
    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None = None


class For(Node, frozen=True):
    target: str
    iterable: Expression
    body: Body
    otherwise: Body | None = None


class Set(Node, frozen=True):
    name: str
    value: Expression


class Macro(Node, frozen=True):
    """A macro; a parameter without default has None."""

    name: str
    parameters: tuple[tuple[str, Expression | None], ...]
    body: Body


class Block(Node, frozen=True):
    name: str
    body: Body


class FilterBlock(Node, frozen=True):
    """``{% filter a | b %}body{% endfilter %}``."""

    filters: tuple[tuple[str, Arguments], ...]
    body: Body


Statement: TypeAlias = Text | Raw | Print | If | For | Set | Macro | Block | FilterBlock
