"""Compiles calls of filters, functions, tests and macros: names and arguments are resolved once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from windhover.expression.errors import EvaluationError, ExpressionError, UndefinedError, nearest_name
from windhover.expression.nodes import (
    Arguments,
    Binary,
    Call,
    FilterCall,
    Literal,
    Macro,
    MethodCall,
    Node,
    TestCall,
    Unary,
)
from windhover.expression.output import join_inner
from windhover.expression.registry import REQUIRED, Definition, Kind, definition, definitions
from windhover.expression.scope import Frame
from windhover.expression.values import JavaLong, is_integer

if TYPE_CHECKING:
    from windhover.expression.compiler import Compiler

Evaluate = Callable[[Frame], object]

_KIND_WORDS = {Kind.FILTER: "Filter", Kind.FUNCTION: "Function or Macro", Kind.TEST: "Test"}


class CallCompiler:
    """Compiles the calls of one template."""

    def __init__(self, source: str, compiler: Compiler, macros: Mapping[str, Macro]) -> None:
        self._source = source
        self._compiler = compiler
        self._macros = macros
        self._compiled_macros: dict[str, Evaluate] = {}

    # -- filters and tests -------------------------------------------------------------------------------

    def filter_call(self, node: FilterCall) -> Evaluate:
        operand = self._compiler.expression(node.operand)
        if node.name == "className" and _is_long(node.operand):
            operand = _as_long(operand)
        return self.filter(operand, node.name, node.arguments, node)

    def filter(self, operand: Evaluate, name: str, arguments: Arguments, node: Node) -> Evaluate:
        """The filter ``name`` applied to an operand."""
        found = definition(Kind.FILTER, name)
        if found is None:
            return self._unknown(Kind.FILTER, name, node)
        return self._apply(found, operand, arguments, node)

    def test_call(self, node: TestCall) -> Evaluate:
        found = definition(Kind.TEST, node.name)
        if found is None:
            return self._unknown(Kind.TEST, node.name, node)
        evaluate = self._apply(found, self._compiler.expression(node.operand), node.arguments, node)
        if node.negated:
            return lambda frame: not evaluate(frame)
        return evaluate

    def _apply(self, found: Definition, operand: Evaluate, arguments: Arguments, node: Node) -> Evaluate:
        implementation, refuse = found.implementation, self._compiler.refusal(node)
        values = self._bind(found, arguments, node)
        null_passes = found.null_passes and found.kind is Kind.FILTER
        if found.lenient:
            operand = _lenient(operand)
        if not values and not found.needs_frame:

            def apply_plain(frame: Frame) -> object:
                value = operand(frame)
                if value is None and null_passes:
                    return None
                try:
                    return implementation(value)
                except Exception as error:
                    raise refuse(error) from error.__cause__

            return apply_plain

        def apply(frame: Frame) -> object:
            value = operand(frame)
            if value is None and null_passes:
                return None
            given = [evaluate(frame) for evaluate in values]
            try:
                if found.needs_frame:
                    return implementation(frame, value, *given)
                return implementation(value, *given)
            except Exception as error:
                raise refuse(error) from error.__cause__

        return apply

    def method_call(self, node: MethodCall) -> Evaluate:
        target = self._compiler.expression(node.target)
        arguments = tuple(map(self._compiler.expression, node.arguments))
        refuse, source, place, name = self._compiler.refusal(node), self._source, node.position, node.name

        def call(frame: Frame) -> object:
            from windhover.expression.methods import find_method

            value = target(frame)
            method = find_method(value, name)
            if method is None:
                raise UndefinedError(name, source, place.line, place.column)
            given = [evaluate(frame) for evaluate in arguments]
            try:
                return method(frame, value, *given)
            except Exception as error:
                raise refuse(error) from error.__cause__

        return call

    # -- functions and macros ----------------------------------------------------------------------------

    def call(self, node: Call) -> Evaluate:
        if node.name in self._macros:
            return self._macro_call(node)
        found = definition(Kind.FUNCTION, node.name)
        if found is None:
            return self._unknown(Kind.FUNCTION, node.name, node)
        implementation, refuse = found.implementation, self._compiler.refusal(node)
        values = self._bind(found, node.arguments, node)
        needs_frame = found.needs_frame

        def call(frame: Frame) -> object:
            given = [evaluate(frame) for evaluate in values]
            try:
                return implementation(frame, *given) if needs_frame else implementation(*given)
            except Exception as error:
                raise refuse(error) from error.__cause__

        return call

    def _macro_call(self, node: Call) -> Evaluate:
        macro = self._macros[node.name]
        names = tuple(name for name, _ in macro.parameters)
        defaults = {name: self._compiler.expression(default) for name, default in macro.parameters if default}
        given = self._order(f"macro '{node.name}'", names, node.arguments, node)
        refuse = self._compiler.refusal(node)
        if isinstance(given, Exception):
            return _failing(given, refuse)
        arguments = tuple(
            (name, argument or defaults.get(name)) for name, argument in zip(names, given, strict=True)
        )
        compiled = self._compiled_macros

        def call(frame: Frame) -> object:
            body = compiled.get(node.name)
            if body is None:
                # Compiled at the first call, since a macro may call itself or one further down.
                body = compiled[node.name] = self._macro_body(macro)
            inner = Frame(frame.scope, {}, frame.budget, frame.raw_texts)
            inner.locals = {name: evaluate(frame) if evaluate else None for name, evaluate in arguments}
            try:
                frame.budget.enter()
            except EvaluationError as error:
                raise refuse(error) from None
            result = body(inner)
            frame.budget.leave()
            return result

        return call

    def _macro_body(self, macro: Macro) -> Evaluate:
        body = self._compiler.body(macro.body)

        def render(frame: Frame) -> str:
            parts: list[object] = []
            body(frame, parts.append)
            return join_inner(frame, parts)

        return render

    # -- arguments ---------------------------------------------------------------------------------------

    def _bind(self, found: Definition, arguments: Arguments, node: Node) -> tuple[Evaluate, ...]:
        """One evaluation for each parameter, in order; trailing defaults are left to the implementation."""
        refuse = self._compiler.refusal(node)
        names = tuple(parameter.name for parameter in found.parameters)
        if found.variadic:
            return tuple(map(self._compiler.expression, arguments.positional))
        given = self._order(f"{found.kind.value} '{found.name}'", names, arguments, node)
        if isinstance(given, Exception):
            return (_failing(given, refuse),)
        values: list[Evaluate] = []
        for parameter, argument in zip(found.parameters, given, strict=True):
            if argument is not None:
                values.append(argument)
            elif parameter.default is REQUIRED:
                message = f"The '{found.name}' {found.kind.value} expects an argument '{parameter.name}'."
                values.append(_failing(EvaluationError(message), refuse))
            else:
                values.append(_constant(parameter.default))
        while values and given[len(values) - 1] is None and not found.parameters[len(values) - 1].required:
            values.pop()
        return tuple(values)

    def _order(
        self, callee: str, names: Sequence[str], arguments: Arguments, node: Node
    ) -> list[Evaluate | None] | EvaluationError:
        """The given arguments in the order of ``names``, or what is wrong with them."""
        if len(arguments.positional) > len(names) > 0:
            return EvaluationError(
                f"The {callee} takes at most {len(names)} arguments, {len(arguments.positional)} were given."
            )
        ordered: list[Evaluate | None] = [None] * len(names)
        for index, positional in enumerate(arguments.positional[: len(names)]):
            ordered[index] = self._compiler.expression(positional)
        for name, expression in arguments.named:
            if name not in names:
                known = ", ".join(names) or "none"
                return EvaluationError(
                    f"The following named argument does not exist: {name} (the {callee} has: {known})"
                )
            ordered[names.index(name)] = self._compiler.expression(expression)
        return ordered

    def _unknown(self, kind: Kind, name: str, node: Node) -> Evaluate:
        candidates = list(definitions(kind))
        if kind is Kind.FUNCTION:
            candidates += self._macros
        suggestion = nearest_name(name, candidates)
        hint = f" Did you mean `{suggestion}`?" if suggestion else ""
        message = f"{_KIND_WORDS[kind]} [{name}] does not exist."
        place, source = node.position, self._source

        def fail(frame: Frame) -> object:
            error = EvaluationError(message)
            error.locate(source, place.line, place.column)
            error.message += hint
            raise error

        return fail


def _constant(value: object) -> Evaluate:
    return lambda frame: value


def _failing(error: Exception, refuse: Callable[[Exception], ExpressionError]) -> Evaluate:
    message = str(error)

    def fail(frame: Frame) -> object:
        raise refuse(EvaluationError(message))

    return fail


def _lenient(operand: Evaluate) -> Evaluate:
    def evaluate(frame: Frame) -> object:
        try:
            return operand(frame)
        except UndefinedError as error:
            if not error.catchable:
                raise
            return None

    return evaluate


def _is_long(node: Node) -> bool:
    """Whether an expression is a Long for certain: a literal or a calculation, not a variable."""
    if isinstance(node, Literal):
        return is_integer(node.value)
    return isinstance(node, Unary) or (isinstance(node, Binary) and node.operator in "+-*/%")


def _as_long(operand: Evaluate) -> Evaluate:
    def evaluate(frame: Frame) -> object:
        value = operand(frame)
        return JavaLong(value) if value.__class__ is int else value

    return evaluate
