"""Writes a syntax tree as a template again: reading the result gives an equal tree."""

from __future__ import annotations

import re
from functools import singledispatch

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
    Print,
    Raw,
    Set,
    Ternary,
    TestCall,
    Text,
    Unary,
    Variable,
)
from windhover.expression.parser import BINARY_PRECEDENCE, UNARY_PRECEDENCE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def print_template(body: Body) -> str:
    """The text of a template."""
    return "".join(map(_statement, body.statements))


def print_expression(node: Expression, lowest: int = 0) -> str:
    """The text of an expression, in parentheses if it binds more loosely than ``lowest``."""
    text = _expression(node)
    return f"({text})" if _precedence(node) < lowest else text


def _precedence(node: Expression) -> int:
    match node:
        case Ternary():
            return -1
        case Binary(operator=operator):
            return BINARY_PRECEDENCE[operator]
        case TestCall():
            return BINARY_PRECEDENCE["is"]
        case FilterCall():
            return BINARY_PRECEDENCE["|"]
        case Unary(operator=operator):
            return UNARY_PRECEDENCE[operator]
        case _:
            return 1000


@singledispatch
def _statement(node: Node) -> str:
    raise TypeError(f"{type(node).__name__} is no statement")


@_statement.register
def _(node: Text) -> str:
    return node.text


@_statement.register
def _(node: Raw) -> str:
    return f"{{% raw %}}{node.text}{{% endraw %}}"


@_statement.register
def _(node: Print) -> str:
    return f"{{{{ {print_expression(node.expression)} }}}}"


@_statement.register
def _(node: If) -> str:
    pieces: list[str] = []
    for index, (condition, body) in enumerate(node.branches):
        tag = "elseif" if index else "if"
        pieces.append(f"{{% {tag} {print_expression(condition)} %}}{print_template(body)}")
    if node.otherwise is not None:
        pieces.append("{% else %}" + print_template(node.otherwise))
    return "".join(pieces) + "{% endif %}"


@_statement.register
def _(node: For) -> str:
    otherwise = "{% else %}" + print_template(node.otherwise) if node.otherwise is not None else ""
    head = f"{{% for {node.target} in {print_expression(node.iterable)} %}}"
    return head + print_template(node.body) + otherwise + "{% endfor %}"


@_statement.register
def _(node: Set) -> str:
    return f"{{% set {node.name} = {print_expression(node.value)} %}}"


@_statement.register
def _(node: Macro) -> str:
    parameters = ", ".join(
        name if default is None else f"{name}={print_expression(default)}"
        for name, default in node.parameters
    )
    return f"{{% macro {node.name}({parameters}) %}}{print_template(node.body)}{{% endmacro %}}"


@_statement.register
def _(node: Block) -> str:
    return f"{{% block {_string(node.name)} %}}{print_template(node.body)}{{% endblock %}}"


@_statement.register
def _(node: FilterBlock) -> str:
    filters = " | ".join(name + _arguments(arguments, optional=True) for name, arguments in node.filters)
    return f"{{% filter {filters} %}}{print_template(node.body)}{{% endfilter %}}"


def _expression(node: Expression) -> str:
    match node:
        case Literal(value=value):
            return _literal(value)
        case Interpolation(parts=parts):
            return '"' + "".join(map(_interpolated, parts)) + '"'
        case ListLiteral(items=items):
            return f"[{', '.join(map(print_expression, items))}]"
        case MapLiteral(entries=entries):
            pairs = (f"{print_expression(key)}: {print_expression(value)}" for key, value in entries)
            return f"{{{', '.join(pairs)}}}"
        case Variable(name=name):
            return name
        case Member():
            return _member(node)
        case Call(name=name, arguments=arguments):
            return name + _arguments(arguments)
        case MethodCall(target=target, name=name, arguments=given):
            return f"{_target(target)}.{name}({', '.join(map(print_expression, given))})"
        case FilterCall(operand=operand, name=name, arguments=arguments):
            left = print_expression(operand, BINARY_PRECEDENCE["|"])
            return f"{left} | {name}{_arguments(arguments, optional=True)}"
        case TestCall(operand=operand, name=name, arguments=arguments, negated=negated):
            word = "is not" if negated else "is"
            left = print_expression(operand, BINARY_PRECEDENCE["is"])
            return f"{left} {word} {name}{_arguments(arguments, optional=True)}"
        case Unary(operator=operator, operand=operand):
            return f"{operator} {print_expression(operand, UNARY_PRECEDENCE[operator])}"
        case Binary(operator=operator, left=left_operand, right=right_operand):
            precedence = BINARY_PRECEDENCE[operator]
            left = print_expression(left_operand, precedence)
            return f"{left} {operator} {print_expression(right_operand, precedence + 1)}"
        case Ternary(condition=condition, then=then, otherwise=otherwise):
            return (
                f"{print_expression(condition, 0)} ? {print_expression(then)} : {print_expression(otherwise)}"
            )


def _target(node: Expression) -> str:
    text = _expression(node)
    return text if isinstance(node, Variable | Member | Call | MethodCall) else f"({text})"


def _member(node: Member) -> str:
    target = _target(node.target)
    if node.dotted and isinstance(node.key, Literal) and _NAME.fullmatch(str(node.key.value)):
        return f"{target}.{node.key.value}"
    return f"{target}[{print_expression(node.key)}]"


def _arguments(arguments: Arguments, *, optional: bool = False) -> str:
    if optional and not arguments:
        return ""
    texts = [print_expression(positional) for positional in arguments.positional]
    texts += [f"{name}={print_expression(value)}" for name, value in arguments.named]
    return f"({', '.join(texts)})"


def _literal(value: str | int | float | bool | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        text = format(value, "f") if "e" in repr(value) else repr(value)
        return text if "." in text else text + ".0"
    return str(value)


def _string(text: str) -> str:
    # Both quotes can be escaped, but #{ cannot: a single-quoted text is always plain.
    return "'" + text.replace("'", "\\'") + "'"


def _interpolated(part: Expression) -> str:
    if isinstance(part, Literal) and isinstance(part.value, str):
        return part.value.replace('"', '\\"')
    return f"#{{{print_expression(part)}}}"
