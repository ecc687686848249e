"""Turns a syntax tree into Python closures.

An expression becomes a function from the frame to its value; a statement becomes a function that hands the
values it prints, not yet text, to ``emit``. Names, arguments and constants are resolved here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from windhover.expression import operators
from windhover.expression.access import compile_member, compile_variable
from windhover.expression.analysis import variable_names
from windhover.expression.bindings import find_bindings, set_names
from windhover.expression.calls import CallCompiler
from windhover.expression.errors import EvaluationError, ExpressionError, UndefinedError
from windhover.expression.nodes import (
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
from windhover.expression.output import join_inner
from windhover.expression.scope import Frame
from windhover.expression.values import Entry, equals, is_list, is_map, to_string

Evaluate: TypeAlias = Callable[[Frame], object]
Emit: TypeAlias = Callable[[object], None]
Execute: TypeAlias = Callable[[Frame, Emit], None]

_MISSING = object()
_BATCH = 64

_OPERATIONS: dict[str, Callable[[object, object], object]] = {
    "+": operators.add,
    "-": operators.subtract,
    "*": operators.multiply,
    "/": operators.divide,
    "%": operators.modulo,
    "==": equals,
    "equals": equals,
    "!=": operators.differs,
    "<": operators.less,
    ">": operators.greater,
    "<=": operators.at_most,
    ">=": operators.at_least,
    "contains": operators.contains,
    "isIn": operators.is_in,
    "..": operators.value_range,
}

_DEMANDING = frozenset({"+", "-", "*", "/", "%", "==", "equals", "!=", "<", ">", "<=", ">="})

_UNARY: dict[str, Callable[[object], object]] = {"-": operators.negate, "+": operators.affirm}


def compile_expression(source: str, expression: Expression) -> Evaluate:
    """A function that evaluates one expression of a template that has no tags."""
    return Compiler(source, frozenset(), {}).expression(expression)


def compile_body(source: str, body: Body) -> Execute:
    """A function that runs a whole template."""
    bindings = find_bindings(body)
    return Compiler(source, frozenset(bindings.names), bindings.macros).body(body)


class Compiler:
    """Compiles the nodes of one template; ``bound`` are the names it may bind itself."""

    def __init__(self, source: str, bound: AbstractSet[str], macros: Mapping[str, Macro]) -> None:
        self.source = source
        self.bound = bound
        self._calls = CallCompiler(source, self, macros)

    # -- statements --------------------------------------------------------------------------------------

    def body(self, body: Body) -> Execute:
        parts = tuple(self.statement(statement) for statement in body.statements)
        if len(parts) == 1:
            return parts[0]

        def run(frame: Frame, emit: Emit) -> None:
            for part in parts:
                part(frame, emit)

        return run

    def statement(self, statement: Statement) -> Execute:
        match statement:
            case Text(text=text):
                return _emit_constant(text)
            case Raw(text=text):
                return _emit_raw(text)
            case Print(expression=Literal(value=str() as value)):
                return _emit_constant(value)
            case Print(expression=expression):
                return _emit_value(self.expression(expression))
            case If():
                return self._if(statement)
            case For():
                return self._for(statement)
            case Set(name=name, value=value):
                return _assign(name, self.expression(value))
            case Macro():
                return _emit_nothing
            case Block():
                return self._block(statement)
            case FilterBlock():
                return self._filter_block(statement)

    def _if(self, node: If) -> Execute:
        branches = tuple((self.condition(condition), self.body(body)) for condition, body in node.branches)
        otherwise = self.body(node.otherwise) if node.otherwise else _emit_nothing
        if len(branches) == 1:
            condition, then = branches[0]

            def run_if(frame: Frame, emit: Emit) -> None:
                if condition(frame):
                    then(frame, emit)
                else:
                    otherwise(frame, emit)

            return run_if

        def run_branches(frame: Frame, emit: Emit) -> None:
            for condition, then in branches:
                if condition(frame):
                    then(frame, emit)
                    return
            otherwise(frame, emit)

        return run_branches

    def _for(self, node: For) -> Execute:
        iterable = self.expression(node.iterable)
        body = self.body(node.body)
        otherwise = self.body(node.otherwise) if node.otherwise else _emit_nothing
        target = node.target
        assigned = tuple(set_names(node.body) - {target, "loop"})
        uses_loop = "loop" in variable_names(node.body)
        refuse = self.refusal(node)

        def run(frame: Frame, emit: Emit) -> None:
            values = iterable(frame)
            if values is None:
                return
            if values.__class__ is not list:
                values = _iterable_values(values, refuse)
            length = len(values)
            if not length:
                otherwise(frame, emit)
                return
            local = frame.locals
            outer = {name: local.get(name, _MISSING) for name in (target, "loop")}
            # A name that the loop is the first to set ends with it; one from further out is updated.
            temporary = [n for n in assigned if n not in local and n not in frame.variables]
            iterate = frame.budget.iterate
            last = length - 1
            for index, value in enumerate(values):
                if not index % _BATCH:
                    iterate(min(_BATCH, length - index))
                local[target] = value
                if uses_loop:
                    local["loop"] = {
                        "index": index,
                        "length": length,
                        "first": index == 0,
                        "last": index == last,
                        "revindex": last - index,
                    }
                body(frame, emit)
            for name, previous in outer.items():
                if previous is _MISSING:
                    local.pop(name, None)
                else:
                    local[name] = previous
            for name in temporary:
                local.pop(name, None)

        return run

    def _block(self, node: Block) -> Execute:
        body = self.body(node.body)
        name = node.name

        def render(frame: Frame) -> str:
            parts: list[object] = []
            body(frame, parts.append)
            return join_inner(frame, parts)

        def run(frame: Frame, emit: Emit) -> None:
            frame.blocks[name] = render
            body(frame, emit)

        return run

    def _filter_block(self, node: FilterBlock) -> Execute:
        body = self.body(node.body)

        def content(frame: Frame) -> object:
            parts: list[object] = []
            body(frame, parts.append)
            return join_inner(frame, parts)

        evaluate: Evaluate = content
        for name, arguments in node.filters:
            evaluate = self._calls.filter(evaluate, name, arguments, node)
        return _emit_value(evaluate)

    # -- expressions -------------------------------------------------------------------------------------

    def expression(self, node: Expression) -> Evaluate:
        match node:
            case Literal(value=value):
                return lambda frame: value
            case Variable() | Member():
                return self._path(node)
            case FilterCall():
                return self._calls.filter_call(node)
            case Call():
                return self._calls.call(node)
            case MethodCall():
                return self._calls.method_call(node)
            case TestCall():
                return self._calls.test_call(node)
            case Binary(operator="~"):
                return self._concatenation(node)
            case Binary():
                return self._binary(node)
            case Unary(operator="not", operand=operand):
                condition = self.condition(operand)
                return lambda frame: not condition(frame)
            case Unary():
                return self._unary(node)
            case Ternary():
                return self._ternary(node)
            case ListLiteral(items=items):
                parts = tuple(map(self.expression, items))
                return lambda frame: [part(frame) for part in parts]
            case MapLiteral(entries=entries):
                return self._map_literal(entries)
            case Interpolation(parts=pieces):
                texts = tuple(map(self.expression, pieces))
                return lambda frame: "".join([_interpolated(text(frame)) for text in texts])

    def condition(self, node: Expression) -> Callable[[Frame], bool]:
        """An expression in a place that asks for its truth."""
        evaluate = self.expression(node)
        refuse = self.refusal(node)

        def holds(frame: Frame) -> bool:
            value = evaluate(frame)
            if value is True or value is False:
                return value
            try:
                return operators.as_condition(value)
            except EvaluationError as error:
                raise refuse(error) from None

        return holds

    def refusal(self, node: Node) -> Callable[[Exception], ExpressionError]:
        """Makes the error to raise at a node out of any exception."""
        source, place = self.source, node.position

        def refuse(cause: Exception) -> ExpressionError:
            if isinstance(cause, EvaluationError):
                error = cause
            elif isinstance(cause, ExpressionError):
                return cause
            else:
                error = EvaluationError(str(cause) or type(cause).__name__)
                error.__cause__ = cause
            error.locate(source, place.line, place.column)
            return error

        return refuse

    def _path(self, node: Variable | Member) -> Evaluate:
        """A variable with all its members."""
        members: list[Member] = []
        root: Expression = node
        while isinstance(root, Member):
            members.append(root)
            root = root.target
        members.reverse()
        if isinstance(root, Variable):
            constants: list[Member] = []
            while members and isinstance(members[0].key, Literal) and isinstance(members[0].key.value, str):
                constants.append(members.pop(0))
            evaluate = compile_variable(self.source, root, constants, root.name in self.bound)
        else:
            evaluate = self.expression(root)
        for member in members:
            evaluate = compile_member(self.source, evaluate, self.expression(member.key), member)
        return evaluate

    def _binary(self, node: Binary) -> Evaluate:
        operator = node.operator
        if operator == "??":
            return self._coalescing(node, keep_null=False)
        if operator == "???":
            return self._coalescing(node, keep_null=True)
        if operator in ("and", "or"):
            return self._logical(node)
        return self._operation(node, _OPERATIONS[operator])

    def _operation(self, node: Binary, operation: Callable[[object, object], object]) -> Evaluate:
        left, right = self.expression(node.left), self.expression(node.right)
        refuse = self.refusal(node)
        # To arithmetic and comparisons a missing operand is their own failure, which no fallback replaces.
        demanding = node.operator in _DEMANDING

        if isinstance(node.right, Literal):
            constant = node.right.value

            def operate_constant(frame: Frame) -> object:
                try:
                    return operation(left(frame), constant)
                except UndefinedError as error:
                    error.catchable = error.catchable and not demanding
                    raise
                except EvaluationError as error:
                    raise refuse(error) from None

            return operate_constant

        def operate(frame: Frame) -> object:
            try:
                return operation(left(frame), right(frame))
            except UndefinedError as error:
                error.catchable = error.catchable and not demanding
                raise
            except EvaluationError as error:
                raise refuse(error) from None

        return operate

    def _logical(self, node: Binary) -> Evaluate:
        left, right = self.condition(node.left), self.condition(node.right)
        if node.operator == "and":
            return lambda frame: left(frame) and right(frame)
        return lambda frame: left(frame) or right(frame)

    def _coalescing(self, node: Binary, *, keep_null: bool) -> Evaluate:
        left, right = self.expression(node.left), self.expression(node.right)

        def coalesce(frame: Frame) -> object:
            try:
                value = left(frame)
            except UndefinedError as error:
                if not error.catchable:
                    raise
                return right(frame)
            return right(frame) if value is None and not keep_null else value

        return coalesce

    def _concatenation(self, node: Binary) -> Evaluate:
        operands: list[Expression] = []
        rest: Expression = node
        while isinstance(rest, Binary) and rest.operator == "~":
            operands.append(rest.right)
            rest = rest.left
        operands.append(rest)
        parts = tuple(map(self.expression, reversed(operands)))

        def concatenate(frame: Frame) -> str:
            texts: list[str] = []
            for part in parts:
                value = part(frame)
                if value.__class__ is str:
                    texts.append(value)
                elif value is not None:
                    texts.append(to_string(value))
            text = "".join(texts)
            if len(text) > 65536:
                frame.budget.check_size(len(text))
            return text

        return concatenate

    def _unary(self, node: Unary) -> Evaluate:
        operation, operand, refuse = _UNARY[node.operator], self.expression(node.operand), self.refusal(node)

        def operate(frame: Frame) -> object:
            try:
                return operation(operand(frame))
            except EvaluationError as error:
                raise refuse(error) from None

        return operate

    def _ternary(self, node: Ternary) -> Evaluate:
        condition, refuse = self.expression(node.condition), self.refusal(node.condition)
        then, otherwise = self.expression(node.then), self.expression(node.otherwise)

        def choose(frame: Frame) -> object:
            value = condition(frame)
            if value is None or value is False:
                return otherwise(frame)
            if value is True:
                return then(frame)
            try:
                holds = operators.as_condition(value)
            except EvaluationError as error:
                raise refuse(error) from None
            return then(frame) if holds else otherwise(frame)

        return choose

    def _map_literal(self, entries: Sequence[tuple[Expression, Expression]]) -> Evaluate:
        pairs = tuple((self.expression(key), self.expression(value)) for key, value in entries)

        def build(frame: Frame) -> dict[object, object]:
            result: dict[object, object] = {}
            for key, value in pairs:
                name = key(frame)
                # A map or list as key cannot be looked up again in any format, so its text has to do.
                result[name if isinstance(name, str | int | float | None) else to_string(name)] = value(frame)
            return result

        return build


def _emit_nothing(frame: Frame, emit: Emit) -> None:
    return None


def _emit_constant(text: str) -> Execute:
    def run(frame: Frame, emit: Emit) -> None:
        emit(text)

    return run


def _emit_raw(text: str) -> Execute:
    def run(frame: Frame, emit: Emit) -> None:
        if frame.raw_texts is None:
            emit(text)
        else:
            emit(f"\ue000raw{len(frame.raw_texts)}\ue001")
            frame.raw_texts.append(text)

    return run


def _emit_value(evaluate: Evaluate) -> Execute:
    def run(frame: Frame, emit: Emit) -> None:
        emit(evaluate(frame))

    return run


def _assign(name: str, evaluate: Evaluate) -> Execute:
    def run(frame: Frame, emit: Emit) -> None:
        frame.locals[name] = evaluate(frame)

    return run


def _iterable_values(values: object, refuse: Callable[[Exception], ExpressionError]) -> Sequence[object]:
    """What a ``for`` walks over: elements of a list, entries of a map."""
    if is_map(values):
        return [Entry(key=key, value=value) for key, value in values.items()]
    if is_list(values):
        return values
    if isinstance(values, AbstractSet):
        return list(values)
    raise refuse(EvaluationError(f"Not an iterable object. Value = [{to_string(values)}]"))


def _interpolated(value: object) -> str:
    return "" if value is None else to_string(value)
