"""Where a template names variables, filters, functions and tests: what an editor or a check points at.

What a template reads is said by ``Template.reads``; this says where, and whether the template copes with a
name that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from windhover.expression.bindings import find_bindings
from windhover.expression.errors import nearest_name
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
    Node,
    Position,
    Print,
    Set,
    Ternary,
    TestCall,
    Unary,
    Variable,
)
from windhover.expression.registry import Kind, definition, definitions
from windhover.expression.template import Template

#: Operators whose left side may be undefined.
_COALESCING = frozenset({"??", "???"})


class Reference(msgspec.Struct, frozen=True):
    """A variable that is read: its constant path, and where each part of it stands.

    ``guarded`` says that the template copes with it being undefined: by ``??``, ``default`` or a test such
    as ``is defined``, here or elsewhere in the template. ``conditional`` says that it is read in some cases
    only, as a branch of a ternary or the right side of ``??`` is.
    """

    path: tuple[str, ...]
    positions: tuple[Position, ...]
    guarded: bool = False
    conditional: bool = False


class UnknownName(msgspec.Struct, frozen=True):
    """A filter, function or test that does not exist, and the one that was probably meant."""

    kind: Kind
    name: str
    position: Position
    suggestion: str | None


class Subtraction(msgspec.Struct, frozen=True):
    """``outputs.my-task.value``: a subtraction, unless a name with hyphens was meant.

    ``path`` is what it would be then; ``operands`` are the variables that it reads as it stands.
    """

    path: tuple[str, ...]
    position: Position
    operands: tuple[Reference, ...]


class References(msgspec.Struct):
    """All names of a template. What it binds itself (``set``, ``for``, macros) is not among them."""

    variables: list[Reference] = msgspec.field(default_factory=list)
    subtractions: list[Subtraction] = msgspec.field(default_factory=list)
    unknown: list[UnknownName] = msgspec.field(default_factory=list)


def references(template: Template) -> References:
    """The names in a template, in the order in which they are written."""
    finder = _Finder(template)
    finder.body(template.body)
    return finder.result()


class _Finder:
    def __init__(self, template: Template) -> None:
        self._lines = template.source.split("\n")
        self._found = References()
        bindings = find_bindings(template.body)
        self._bound = bindings.names | {"_context"}
        self._macros = bindings.macros
        #: How many conditions are around what is looked at.
        self._conditions = 0

    def result(self) -> References:
        """What was found; names are bound, and guarded, for the whole template."""
        found = self._found
        found.variables = [reference for reference in found.variables if self._is_free(reference)]
        found.subtractions = [
            msgspec.structs.replace(subtraction, operands=tuple(filter(self._is_free, subtraction.operands)))
            for subtraction in found.subtractions
        ]
        guards = {reference.path for reference in found.variables if reference.guarded}
        found.variables = [_with_guards(reference, guards) for reference in found.variables]
        return found

    def _is_free(self, reference: Reference) -> bool:
        return reference.path[0] not in self._bound

    # -- statements --------------------------------------------------------------------------------------

    def body(self, body: Body) -> None:
        for statement in body.statements:
            match statement:
                case Print(expression=expression):
                    self.expression(expression)
                case If(branches=branches, otherwise=otherwise):
                    for condition, branch in branches:
                        self.expression(condition)
                        with self._condition():
                            self.body(branch)
                    with self._condition():
                        self._optional(otherwise)
                case For(iterable=iterable, body=inner, otherwise=otherwise):
                    self.expression(iterable)
                    self.body(inner)
                    self._optional(otherwise)
                case Set(value=value):
                    self.expression(value)
                case Macro(parameters=parameters, body=inner):
                    for _, default in parameters:
                        if default is not None:
                            self.expression(default)
                    self.body(inner)
                case Block(body=inner):
                    self.body(inner)
                case FilterBlock(filters=filters, body=inner):
                    for name, arguments in filters:
                        self._check(Kind.FILTER, name, statement)
                        self._arguments(arguments)
                    self.body(inner)
                case _:
                    pass

    def _optional(self, body: Body | None) -> None:
        if body is not None:
            self.body(body)

    # -- expressions -------------------------------------------------------------------------------------

    def expression(self, node: Expression, guarded: bool = False) -> None:
        match node:
            case Variable() | Member():
                self._variable(node, guarded)
            case FilterCall(operand=operand, name=name, arguments=arguments):
                lenient = self._check(Kind.FILTER, name, node)
                self.expression(operand, guarded or lenient)
                self._arguments(arguments)
            case TestCall(operand=operand, name=name, arguments=arguments):
                lenient = self._check(Kind.TEST, name, node)
                self.expression(operand, guarded or lenient)
                self._arguments(arguments)
            case Call(name=name, arguments=arguments):
                if name not in self._macros:
                    self._check(Kind.FUNCTION, name, node)
                self._arguments(arguments)
            case Binary(operator="-") if (subtraction := _as_subtraction(node)) is not None:
                self._found.subtractions.append(subtraction)
            case Binary(operator=operator, left=left, right=right):
                self.expression(left, guarded or operator in _COALESCING)
                if operator in _COALESCING:
                    with self._condition():
                        self.expression(right, guarded)
                else:
                    self.expression(right, guarded)
            case Ternary(condition=condition, then=then, otherwise=otherwise):
                self.expression(condition, guarded)
                with self._condition():
                    self.expression(then, guarded)
                    self.expression(otherwise, guarded)
            case _:
                for child in _children(node):
                    self.expression(child, guarded)

    def _arguments(self, arguments: Arguments) -> None:
        for positional in arguments.positional:
            self.expression(positional)
        for _, named in arguments.named:
            self.expression(named)

    def _variable(self, node: Variable | Member, guarded: bool) -> None:
        reference, others = _reference(node, guarded)
        if reference is not None:
            self._found.variables.append(msgspec.structs.replace(reference, conditional=self._conditions > 0))
        for other in others:
            self.expression(other, guarded)

    @contextmanager
    def _condition(self) -> Iterator[None]:
        self._conditions += 1
        yield
        self._conditions -= 1

    def _check(self, kind: Kind, name: str, node: Node) -> bool:
        """Note a name that does not exist; returns whether it takes an undefined operand."""
        found = definition(kind, name)
        if found is None:
            self._unknown(kind, name, node)
        return found is None or found.lenient

    def _unknown(self, kind: Kind, name: str, node: Node) -> None:
        macros = self._macros if kind is Kind.FUNCTION else ()
        suggestion = nearest_name(name, [*definitions(kind), *macros])
        self._found.unknown.append(UnknownName(kind, name, self._place(name, node.position), suggestion))

    def _place(self, name: str, start: Position) -> Position:
        """Where the name itself stands, of a filter behind ``|`` for instance."""
        for number in range(start.line - 1, len(self._lines)):
            column = self._lines[number].find(name, start.column - 1 if number == start.line - 1 else 0)
            if column >= 0:
                return Position(number + 1, column + 1)
        return start


def _reference(node: Variable | Member, guarded: bool) -> tuple[Reference | None, list[Expression]]:
    """The constant path, if it begins with a variable, and the expressions that it holds besides."""
    members: list[Member] = []
    root: Expression = node
    while isinstance(root, Member):
        members.append(root)
        root = root.target
    members.reverse()
    if not isinstance(root, Variable):
        return None, [root, *(member.key for member in members)]
    path, positions = [root.name], [root.position]
    for index, member in enumerate(members):
        if not (isinstance(member.key, Literal) and isinstance(member.key.value, str | int)):
            return Reference(tuple(path), tuple(positions), guarded), [m.key for m in members[index:]]
        path.append(str(member.key.value))
        place = member.position
        positions.append(Position(place.line, place.column + 1) if member.dotted else member.key.position)
    return Reference(tuple(path), tuple(positions), guarded), []


def _with_guards(reference: Reference, guards: set[tuple[str, ...]]) -> Reference:
    path = reference.path
    if not reference.guarded and any(path[:length] in guards for length in range(1, len(path) + 1)):
        return msgspec.structs.replace(reference, guarded=True)
    return reference


def _as_subtraction(node: Binary) -> Subtraction | None:
    """A chain of names joined by ``-``, the first of which is a member of a variable."""
    operands: list[Expression] = []
    first: Expression = node
    while isinstance(first, Binary) and first.operator == "-":
        operands.append(first.right)
        first = first.left
    operands.reverse()
    start = _whole_path(first)
    if start is None or len(start.path) < 2:
        return None
    path = list(start.path)
    read = [start]
    for operand in operands:
        following = _whole_path(operand)
        if following is not None:
            read.append(following)
            parts = following.path
        elif isinstance(operand, Literal) and isinstance(operand.value, int):
            parts = (str(operand.value),)
        else:
            return None
        path[-1] = f"{path[-1]}-{parts[0]}"
        path += parts[1:]
    return Subtraction(tuple(path), start.positions[0], tuple(read))


def _whole_path(node: Expression) -> Reference | None:
    if not isinstance(node, Variable | Member):
        return None
    reference, others = _reference(node, False)
    return reference if not others else None


def _children(node: Expression) -> Iterator[Expression]:
    match node:
        case Binary(left=left, right=right):
            yield from (left, right)
        case Unary(operand=operand):
            yield operand
        case MethodCall(target=target, arguments=arguments):
            yield from (target, *arguments)
        case ListLiteral(items=items):
            yield from items
        case Interpolation(parts=parts):
            yield from parts
        case MapLiteral(entries=entries):
            for key, value in entries:
                yield from (key, value)
        case _:
            return
