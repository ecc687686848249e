"""The rules of inputs beyond their type: bounds, patterns, values to choose from, kinds of file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from typing import TypeVar

from windhover.engine.input_values import InvalidValue, as_text
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue
from windhover.model.inputs import (
    DateInput,
    DatetimeInput,
    DurationInput,
    EmailInput,
    EnumInput,
    FileInput,
    FloatInput,
    InputBase,
    IntInput,
    JsonInput,
    MultiselectInput,
    SecretInput,
    SelectInput,
    StringInput,
    TimeInput,
)
from windhover.model.inputs.patterns import matches
from windhover.model.inputs.schemas import schema_violation
from windhover.model.inputs.temporal import format_instant_bound, format_time
from windhover.util.durations import format_duration

_Moment = TypeVar("_Moment", date, time, datetime)
_EMAIL = re.compile(r"[a-zA-Z0-9_!#$%&'*+/=?`{|}~^.-]+@[a-zA-Z0-9.-]+")


def allowed_values(
    id: str, definition: InputBase, evaluate: Callable[[JsonValue], JsonValue]
) -> tuple[str, ...] | None:
    """What may be chosen: the values written, or those an expression gives; None where anything may be given.

    Raises:
        InvalidValue: the expression cannot be rendered, or gives no list.
    """
    match definition:
        case EnumInput(values=values):
            return values
        case MultiselectInput(values=values, options=options) if values is not None and options is not None:
            raise InvalidValue("you can't define both `values` and `options`")
        case SelectInput(expression=str(expression)) | MultiselectInput(expression=str(expression)):
            return _evaluated_values(id, expression, evaluate)
        case SelectInput(values=values):
            return values or ()
        case MultiselectInput(values=values, options=options):
            return values or options or ()
    return None


def check_rules(id: str, definition: InputBase, value: JsonValue, options: Sequence[str] | None) -> None:
    """Hold a typed value against the rules of its input. None is held against nothing.

    Raises:
        InvalidValue: a rule is broken; the message names it.
    """
    if value is None:
        return
    match definition:
        case StringInput(validator=str(pattern)):
            _check_pattern(pattern, value)
        case SecretInput(validator=str(pattern)):
            _check_pattern(pattern, value, prefix=f"{id}: ")
        case IntInput(min=low, max=high) | FloatInput(min=low, max=high):
            _check_numbers(value, low, high)
        case DateInput(after=after, before=before):
            _check_dates(date.fromisoformat(value), after, before, date.isoformat)
        case TimeInput(after=after, before=before):
            _check_dates(time.fromisoformat(value), after, before, format_time)
        case DatetimeInput(after=after, before=before):
            _check_dates(datetime.fromisoformat(value), after, before, format_instant_bound)
        case DurationInput():
            _check_duration(definition, value)
        case EnumInput(required=True):
            _check_choice(value, options or ())
        case SelectInput(required=True, allow_custom_value=False):
            _check_choice(value, options or ())
        case MultiselectInput(allow_custom_value=False):
            _check_choices(value, options or ())
        case EmailInput():
            if value and _EMAIL.fullmatch(value) is None:
                raise InvalidValue("The input must be a valid email")
        case JsonInput() if definition.json_schema is not None:
            violation = schema_violation(definition.json_schema, value)
            if violation is not None:
                raise InvalidValue(f"it must match the JSON schema: {violation}")
        case FileInput(allowed_file_extensions=tuple(extensions)):
            _check_extension(value, extensions)
        case _:
            return


def _evaluated_values(
    id: str, expression: str, evaluate: Callable[[JsonValue], JsonValue]
) -> tuple[str, ...]:
    try:
        found = evaluate(expression)
    except ExpressionError as error:
        raise InvalidValue(f"{id}: Cannot render 'expression'. Cause: {error}") from None
    if not isinstance(found, (list, tuple)):
        raise InvalidValue(f"{id}: Invalid expression result. Expected a list of strings")
    return tuple(as_text(item) for item in found if item is not None)


def _check_pattern(pattern: str, value: str, prefix: str = "") -> None:
    try:
        if not matches(pattern, value):
            raise InvalidValue(f"{prefix}it must match the pattern `{pattern}`")
    except TimeoutError:
        raise InvalidValue(f"{prefix}matching the pattern `{pattern}` takes too long") from None


def _check_numbers(value: float, low: float | None, high: float | None) -> None:
    if low is not None and value < low:
        raise InvalidValue(f"it must be more than `{low}`")
    if high is not None and value > high:
        raise InvalidValue(f"it must be less than `{high}`")


def _check_dates(
    value: _Moment, after: _Moment | None, before: _Moment | None, shown: Callable[[_Moment], str]
) -> None:
    if after is not None and value < after:
        raise InvalidValue(f"it must be after `{shown(after)}`")
    if before is not None and value > before:
        raise InvalidValue(f"it must be before `{shown(before)}`")


def _check_duration(definition: DurationInput, seconds: float) -> None:
    low, high = definition.min, definition.max
    if low is not None and seconds < low.total_seconds():
        raise InvalidValue(f"It must be more than `{format_duration(low)}`")
    if high is not None and seconds > high.total_seconds():
        raise InvalidValue(f"It must be less than `{format_duration(high)}`")


def _check_choice(value: str, options: Sequence[str]) -> None:
    if value not in options:
        raise InvalidValue(f"it must match the values `[{', '.join(options)}]`")


def _check_choices(values: Sequence[JsonValue], options: Sequence[str]) -> None:
    shown = ", ".join(options)
    wrong = [text for text in map(as_text, values) if text not in options]
    if wrong:
        raise InvalidValue(*(f"value `{text}` doesn't match the values `[{shown}]`" for text in wrong))


def _check_extension(uri: str, extensions: Sequence[str]) -> None:
    name = uri.split("?", 1)[0].split("#", 1)[0].lower()
    if not any(name.endswith(f".{extension.lower().lstrip('.')}") for extension in extensions):
        raise InvalidValue(f"File type not allowed. Accepted extensions: {', '.join(extensions)}")
