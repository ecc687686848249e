"""What is wrong with the inputs of a flow as they are written: told when the flow is checked.

A flow is accepted with it, as Kestra does, but nobody can start it without giving those inputs.

Documentation page: ``docs/inputs.md``.
"""

from __future__ import annotations

from collections.abc import Iterator

from windhover.engine.input_rules import allowed_values, check_rules
from windhover.engine.input_values import InvalidValue, is_empty_default, read_default
from windhover.engine.inputs import item_type_of, type_of
from windhover.expression import has_expression
from windhover.model.execution import JsonValue
from windhover.model.inputs import FormInput, Input, InputBase
from windhover.model.inputs.types import MultiselectInput, SecretInput, SelectInput
from windhover.model.problem import Problem, ProblemCode, Severity
from windhover.model.yaml.positions import PropertyPath, format_path
from windhover.plugin.parsing import ParsedFlow


def input_problems(parsed: ParsedFlow) -> tuple[Problem, ...]:
    """Defaults that break the rules of their own input, and choices of nothing, in the order of the text."""
    return tuple(_problems(parsed, parsed.flow.inputs, ("inputs",)))


def _problems(parsed: ParsedFlow, inputs: tuple[Input, ...], path: PropertyPath) -> Iterator[Problem]:
    for index, definition in enumerate(inputs):
        place = (*path, index)
        if isinstance(definition, FormInput):
            yield from _problems(parsed, definition.inputs, (*place, "inputs"))
        elif _offers_nothing(definition):
            message = f"Input `{definition.id}` offers nothing to choose: it needs `values` or `expression`"
            yield _warning(parsed, place, message)
        elif (cause := _refusal_of_default(definition)) is not None:
            message = f"The default of input `{definition.id}` would be refused. Cause: {cause}"
            yield _warning(parsed, (*place, "defaults"), message)


def _offers_nothing(definition: InputBase) -> bool:
    match definition:
        case SelectInput(values=None, expression=None, allow_custom_value=False):
            return True
        case MultiselectInput(values=None, options=None, expression=None, allow_custom_value=False):
            return True
    return False


def _refusal_of_default(definition: InputBase) -> str | None:
    """Why a default that is written out can never be taken; None where it can, or where that is open."""
    default = definition.defaults
    if default is None or isinstance(definition, SecretInput) or _is_rendered(default):
        return None
    if isinstance(definition, (SelectInput, MultiselectInput)) and definition.expression is not None:
        return None  # what may be chosen is known only when it has been evaluated
    type_ = type_of(definition)
    if is_empty_default(type_, default):
        return None
    try:
        value = read_default(type_, default, item_type_of(definition))
        check_rules(definition.id, definition, value, allowed_values(definition.id, definition, _no_values))
    except InvalidValue as error:
        return "; ".join(error.causes)
    return None


def _is_rendered(value: JsonValue) -> bool:
    if isinstance(value, str):
        return has_expression(value)
    if isinstance(value, dict):
        return any(_is_rendered(item) for item in (*value, *value.values()))
    return isinstance(value, list) and any(_is_rendered(item) for item in value)


def _no_values(template: JsonValue) -> JsonValue:
    raise InvalidValue(f"`{template}` is not evaluated here")


def _warning(parsed: ParsedFlow, path: PropertyPath, message: str) -> Problem:
    position = parsed.positions.value(path)
    return Problem(
        message,
        ProblemCode.INVALID_VALUE,
        path=format_path(path),
        line=position.line,
        column=position.column,
        severity=Severity.WARNING,
    )
