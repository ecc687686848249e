"""The syntax tree of a template.

Positions take no part in equality, so two trees are equal when they mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column in the template, both from 1."""

    line: int
    column: int


START = Position(1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Base of all nodes."""

    position: Position = field(default=START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A text, number, boolean or null."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Interpolation(Node):
    """A double-quoted text with ``#{ expression }`` parts."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Node):
    entries: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class Variable(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``target.key`` (``dotted``) or ``target[key]``."""

    target: Expression
    key: Expression
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class Arguments(Node):
    positional: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.positional or self.named)


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A call of a function or macro."""

    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class MethodCall(Node):
    """``target.name(arguments)``: one of the few methods of texts, lists, maps and numbers."""

    target: Expression
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class FilterCall(Node):
    """``operand | name(arguments)``."""

    operand: Expression
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class TestCall(Node):
    """``operand is [not] name(arguments)``."""

    operand: Expression
    name: str
    arguments: Arguments
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Ternary(Node):
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


@dataclass(frozen=True, slots=True)
class Text(Node):
    text: str


@dataclass(frozen=True, slots=True)
class Raw(Node):
    """Text of a ``raw`` block: never evaluated, also not by a later pass of recursive rendering."""

    text: str


@dataclass(frozen=True, slots=True)
class Print(Node):
    expression: Expression


@dataclass(frozen=True, slots=True)
class Body(Node):
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class If(Node):
    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None = None


@dataclass(frozen=True, slots=True)
class For(Node):
    target: str
    iterable: Expression
    body: Body
    otherwise: Body | None = None


@dataclass(frozen=True, slots=True)
class Set(Node):
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Macro(Node):
    """A macro; a parameter without default has None."""

    name: str
    parameters: tuple[tuple[str, Expression | None], ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Block(Node):
    name: str
    body: Body


@dataclass(frozen=True, slots=True)
class FilterBlock(Node):
    """``{% filter a | b %}body{% endfilter %}``."""

    filters: tuple[tuple[str, Arguments], ...]
    body: Body


Statement: TypeAlias = Text | Raw | Print | If | For | Set | Macro | Block | FilterBlock
