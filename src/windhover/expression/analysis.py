"""What a template reads and calls, found without rendering it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

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
    Print,
    Set,
    Ternary,
    TestCall,
    Unary,
    Variable,
)
from windhover.expression.registry import Kind, definition

_RENDERING = frozenset({"render", "renderOnce"})


class _Unknown:
    """An argument that is not a constant."""

    def __repr__(self) -> str:
        return "NOT_CONSTANT"


NOT_CONSTANT = _Unknown()
"""Stands for the value of an argument that is only known when rendering."""


class FunctionCall(msgspec.Struct, frozen=True):
    """A call of a function: constant arguments have their value, the others are NOT_CONSTANT."""

    name: str
    arguments: tuple[object, ...]
    named: tuple[tuple[str, object], ...]
    line: int
    column: int


class Analysis(msgspec.Struct):
    """Variable paths, function calls and filters of a template.

    ``reads_everything`` is set where a template may read what its text does not name.
    ``rendered`` are the paths whose text is rendered by ``render(path)``: whoever knows the text can analyse
    it, unless the template is ``opaque``, that is, reads what nothing can tell beforehand.
    """

    reads: set[tuple[str, ...]] = msgspec.field(default_factory=set)
    calls: list[FunctionCall] = msgspec.field(default_factory=list)
    filters: set[str] = msgspec.field(default_factory=set)
    rendered: set[tuple[str, ...]] = msgspec.field(default_factory=set)
    reads_everything: bool = False
    opaque: bool = False


def analyse(body: Body) -> Analysis:
    """The analysis of a parsed template."""
    analyser = _Analyser()
    analyser.body(body, frozenset())
    return analyser.analysis


def variable_names(body: Body) -> set[str]:
    """Names of all variables that a body mentions, its own included."""
    analyser = _Analyser()
    analyser.body(body, frozenset())
    return analyser.mentioned


class _Analyser:
    """Walks the tree; ``local`` are the names that a loop or macro has certainly bound."""

    def __init__(self) -> None:
        self.analysis = Analysis()
        self.mentioned: set[str] = set()
        self._macros: set[str] = set()

    def body(self, body: Body, local: frozenset[str]) -> None:
        for statement in body.statements:
            match statement:
                case Print(expression=expression):
                    self.expression(expression, local)
                case If(branches=branches, otherwise=otherwise):
                    for condition, branch in branches:
                        self.expression(condition, local)
                        self.body(branch, local)
                    if otherwise:
                        self.body(otherwise, local)
                case For(target=target, iterable=iterable, body=inner, otherwise=otherwise):
                    self.expression(iterable, local)
                    self.body(inner, local | {target, "loop"})
                    if otherwise:
                        self.body(otherwise, local)
                case Set(value=value):
                    self.expression(value, local)
                case Macro(name=name, parameters=parameters, body=inner):
                    self._macros.add(name)
                    for _, default in parameters:
                        if default:
                            self.expression(default, local)
                    self.body(inner, frozenset(parameter for parameter, _ in parameters))
                case Block(body=inner):
                    self.body(inner, local)
                case FilterBlock(filters=filters, body=inner):
                    for name, arguments in filters:
                        self.analysis.filters.add(name)
                        self._arguments(arguments, local)
                    self.body(inner, local)
                case _:
                    pass

    def expression(self, node: Expression, local: frozenset[str]) -> None:
        match node:
            case Variable() | Member():
                self._path(node, local)
            case FilterCall(operand=operand, name=name, arguments=arguments):
                self.analysis.filters.add(name)
                self.expression(operand, local)
                self._arguments(arguments, local)
            case TestCall(operand=operand, arguments=arguments):
                self.expression(operand, local)
                self._arguments(arguments, local)
            case Call():
                self._call(node, local)
            case MethodCall(target=target, arguments=arguments):
                for part in (target, *arguments):
                    self.expression(part, local)
            case _:
                for child in _children(node):
                    self.expression(child, local)

    def _path(self, node: Variable | Member, local: frozenset[str]) -> None:
        path, dynamic_keys, root = _split_path(node)
        for key in dynamic_keys:
            self.expression(key, local)
        if not isinstance(root, Variable):
            self.expression(root, local)
            return
        self.mentioned.add(root.name)
        if root.name in local:
            return
        if root.name == "_context":
            self._reads_anything()
        else:
            self.analysis.reads.add(path)

    def _arguments(self, arguments: Arguments, local: frozenset[str]) -> None:
        for positional in arguments.positional:
            self.expression(positional, local)
        for _, named in arguments.named:
            self.expression(named, local)

    def _call(self, node: Call, local: frozenset[str]) -> None:
        arguments = node.arguments
        self._arguments(arguments, local)
        self.analysis.calls.append(
            FunctionCall(
                node.name,
                tuple(map(_constant, arguments.positional)),
                tuple((name, _constant(value)) for name, value in arguments.named),
                node.position.line,
                node.position.column,
            )
        )
        if node.name in _RENDERING:
            self._rendering(arguments, local)
            return
        found = definition(Kind.FUNCTION, node.name)
        if found is not None and node.name not in self._macros:
            self.analysis.reads.update(found.reads)
            if found.reads_everything:
                self._reads_anything()

    def _reads_anything(self) -> None:
        self.analysis.reads_everything = self.analysis.opaque = True

    def _rendering(self, arguments: Arguments, local: frozenset[str]) -> None:
        """What ``render(x)`` reads: known for a constant text, deferred for a path, else anything."""
        named = dict(arguments.named)
        text = arguments.positional[0] if arguments.positional else named.get("toRender")
        if text is None or (isinstance(text, Literal) and not isinstance(text.value, str)):
            return
        if isinstance(text, Literal):
            self._nested_template(str(text.value))
            return
        if isinstance(text, Variable | Member):
            path, dynamic_keys, root = _split_path(text)
            if isinstance(root, Variable) and not dynamic_keys and root.name not in local:
                self.analysis.rendered.add(path)
                self.analysis.reads.add(path)
                self.analysis.reads_everything = True
                return
        self._reads_anything()

    def _nested_template(self, text: str) -> None:
        from windhover.expression.errors import TemplateSyntaxError
        from windhover.expression.parser import parse

        try:
            nested = analyse(parse(text))
        except TemplateSyntaxError:
            return  # Rendering it will fail with the same error, so it reads nothing.
        self.analysis.reads |= nested.reads
        self.analysis.rendered |= nested.rendered
        self.analysis.calls += nested.calls
        self.analysis.filters |= nested.filters
        self.analysis.reads_everything |= nested.reads_everything
        self.analysis.opaque |= nested.opaque


def _split_path(node: Variable | Member) -> tuple[tuple[str, ...], list[Expression], Expression]:
    """The constant path of a variable, the keys that are not constant, and the root expression."""
    members: list[Member] = []
    root: Expression = node
    while isinstance(root, Member):
        members.append(root)
        root = root.target
    path: list[str] = [root.name] if isinstance(root, Variable) else []
    dynamic: list[Expression] = []
    for member in reversed(members):
        if not dynamic and isinstance(member.key, Literal) and isinstance(member.key.value, str | int):
            path.append(str(member.key.value))
        else:
            dynamic.append(member.key)
    return tuple(path), dynamic, root


def _constant(node: Expression) -> object:
    return node.value if isinstance(node, Literal) else NOT_CONSTANT


def _children(node: Expression) -> Iterator[Expression]:
    match node:
        case Binary(left=left, right=right):
            yield left
            yield right
        case Unary(operand=operand):
            yield operand
        case Ternary(condition=condition, then=then, otherwise=otherwise):
            yield from (condition, then, otherwise)
        case ListLiteral(items=items):
            yield from items
        case Interpolation(parts=parts):
            yield from parts
        case MapLiteral(entries=entries):
            for key, value in entries:
                yield key
                yield value
        case _:
            return
