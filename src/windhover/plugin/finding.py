"""Turns what pydantic finds wrong with a part of a flow into words for its author, and into those of Kestra.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

import msgspec
from annotated_types import MinLen
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from windhover.model.definition import property_names
from windhover.model.execution import JsonValue
from windhover.model.problem import ProblemCode
from windhover.model.task import Task
from windhover.model.yaml.positions import PropertyPath, has_member
from windhover.plugin.problems import EXPECTED, InvalidProperties, shown


class Finding(msgspec.Struct, frozen=True):
    """One thing wrong with a part of a flow; ``location`` is relative to that part.

    ``message`` is for the flow's author. ``constraint`` is what Kestra's clients know for it, where that is
    about the classes of a program rather than the flow.
    ``named`` says that Kestra puts the place before the message, ``named_as`` which place it names where
    that is not ``location``, ``rule`` the name it appends for a rule between properties.
    ``also`` is a second message that it has for the same case. ``candidates`` are names of which the
    nearest is suggested.
    """

    location: PropertyPath
    message: str
    code: ProblemCode
    constraint: str | None = None
    named: bool = True
    suggestion: str | None = None
    candidates: frozenset[str] = frozenset()
    also: str | None = None
    rule: str | None = None
    named_as: PropertyPath | None = None


def findings_of(error: ValidationError, raw: JsonValue, cls: type[BaseModel]) -> Iterator[Finding]:
    """All that is wrong with ``raw``, which does not validate as ``cls``: one finding for each place."""
    found: dict[PropertyPath, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        location = _location_in(raw, details)
        found.setdefault(location, []).append(details)
    outer = {location[:length] for location in found for length in range(len(location))}
    for location, all_details in found.items():
        if not _is_other_branch(location, all_details, outer):
            yield _finding(location, all_details, cls)


def findings_of_properties(error: InvalidProperties, known: frozenset[str]) -> Iterator[Finding]:
    """All that is wrong with the properties of a plugin that work is done with."""
    for problem in error.problems:
        if problem.message.startswith("Unrecognized field "):
            top_level = len(problem.location) == 1
            yield unknown_property(problem.location, known if top_level else frozenset())
        elif problem.message == "must not be null":
            yield Finding(problem.location, problem.message, ProblemCode.MISSING)
        else:
            yield Finding(problem.location, problem.message, ProblemCode.INVALID_VALUE)


def unknown_property(location: PropertyPath, known: frozenset[str]) -> Finding:
    """A property that the class has not."""
    name = str(location[-1])
    message = f'Unrecognized field "{shortened(name)}"'
    return Finding(location, message, ProblemCode.UNKNOWN_PROPERTY, named=False, candidates=known)


def _location_in(raw: JsonValue, details: ErrorDetails) -> PropertyPath:
    """The place in the text: what pydantic reports, without the names of union members and functions."""
    reported = details["loc"]
    location: list[str | int] = []
    value = raw
    for index, part in enumerate(reported):
        if has_member(value, part):
            value = value[part]
        elif not (details["type"] in _ABSENT and index == len(reported) - 1):
            continue
        location.append(part)
    return tuple(location)


def _is_other_branch(
    location: PropertyPath, all_details: list[ErrorDetails], outer: set[PropertyPath]
) -> bool:
    """The value fits another member of a union but for something inside it, which is told by itself."""
    in_union = all(len(details["loc"]) > len(location) for details in all_details)
    return in_union and location in outer


def _finding(location: PropertyPath, all_details: Sequence[ErrorDetails], cls: type[BaseModel]) -> Finding:
    details = all_details[0]
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if all(each["type"] in _JAVA_TYPES for each in all_details):
        return _of_wrong_type(location, all_details)
    match kind:
        case "extra_forbidden":
            return unknown_property(location, _siblings(details["loc"], cls))
        case "missing":
            return _missing(location, cls)
        case "literal_error" | "enum":
            return _not_a_choice(location, str(context["expected"]), value, cls)
        case "union_tag_invalid":
            tags = [tag.strip("'") for tag in str(context["expected_tags"]).split(", ")]
            return unknown_type((*location, "type"), str(context["tag"]), known=tags)
        case "union_tag_not_found":
            return unknown_type(location, None)
        case "invalid_type":
            return unknown_type((*location, "type"), context["type"], known=context["known"])
        case "not_a_map":
            return not_a_map(location, value)
        case "duration" | "labels" | "label_type":
            message = f"must be {_EXPECTED_OF_OURS[kind]}, not {shown(value)}"
            return Finding(location, message, ProblemCode.WRONG_TYPE, details["msg"], named=False)
        case "retry_bounds":
            place = (*location, str(context["smaller"]))
            return Finding(place, details["msg"], ProblemCode.INVALID_VALUE, rule=str(context["rule"]))
        case "value_error":
            return Finding(location, str(context["error"]), ProblemCode.INVALID_VALUE)
        case "greater_than_equal":
            message = f"must be greater than or equal to {context['ge']}"
        case "less_than_equal":
            message = f"must be less than or equal to {context['le']}"
        case "greater_than":
            message = f"must be greater than {context['gt']}"
        case "less_than":
            message = f"must be less than {context['lt']}"
        case "too_short" | "string_too_short":
            message = "must not be empty"
        case "string_too_long":
            message = f"size must be between 0 and {context['max_length']}"
        case "string_pattern_mismatch":
            message = f'must match "{context["pattern"]}"'
        case _:
            message = details["msg"]
    named_as = (*location[:-1], context["index"], context["part"]) if "part" in context else None
    return Finding(location, message, ProblemCode.INVALID_VALUE, named_as=named_as)


def unknown_type(
    location: PropertyPath,
    name: str | None,
    suggestion: str | None = None,
    *,
    known: Sequence[str] = (),
    absent: str = "null",
) -> Finding:
    """A ``type`` that nothing has, or that is not there at all.

    ``known`` are all that could stand here, ``absent`` is how Kestra's clients call a type that is not there.
    """
    constraint = f"Invalid type: {absent if name is None else shortened(name)}"
    if name is None:
        message = f"`type` must be given, one of {', '.join(known)}" if known else "`type` must be given"
    elif known:
        message = f"{constraint} is none of {', '.join(known)}"
    elif suggestion is None:
        message = f"{constraint}: no plugin that is installed has it"
    else:
        message = constraint
    return Finding(
        location,
        message,
        ProblemCode.UNKNOWN_TYPE,
        constraint,
        named=False,
        suggestion=suggestion,
        candidates=frozenset(known),
    )


def not_a_map(location: PropertyPath, value: JsonValue) -> Finding:
    """What stands where a task, a trigger or another part with a ``type`` should."""
    message = f"must be a map with a `type`, not {shown(value)}"
    constraint = "Invalid type: <null>: a map with a `type` is expected"
    return Finding(location, message, ProblemCode.UNKNOWN_TYPE, constraint, named=False)


def _missing(location: PropertyPath, cls: type[BaseModel]) -> Finding:
    name = location[-1]
    field = next(
        (info for key, info in cls.model_fields.items() if len(location) == 1 and name in (info.alias, key)),
        None,
    )
    if name == "id":
        return Finding(location, "must not be null", ProblemCode.MISSING, also="must not be blank")
    if field is not None and any(isinstance(extra, MinLen) for extra in field.metadata):
        also = "must not be null" if issubclass(cls, Task) else None
        return Finding(location, "must not be empty", ProblemCode.MISSING, also=also)
    return Finding(location, "must not be null", ProblemCode.MISSING)


def _not_a_choice(location: PropertyPath, expected: str, value: JsonValue, cls: type[BaseModel]) -> Finding:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    message = f"must be one of {', '.join(choices)}, not {shown(value)}"
    if not isinstance(value, str):
        constraint = (
            f"Cannot deserialize value from {shown_kind(value)}: one of [{', '.join(choices)}] is expected"
        )
        return Finding(location, message, ProblemCode.WRONG_TYPE, constraint, named=False)
    owner = f"{cls.__name__}$" if len(location) == 1 else ""
    field = next((str(part) for part in reversed(location) if isinstance(part, str)), "Type")
    constraint = (
        f"Cannot deserialize value of type `{owner}{field[:1].upper()}{field[1:]}` "
        f"from {shown_kind(value)}: not one of the values accepted for Enum class: [{', '.join(choices)}]"
    )
    candidates = frozenset(choices)
    return Finding(location, message, ProblemCode.WRONG_TYPE, constraint, named=False, candidates=candidates)


def _of_wrong_type(location: PropertyPath, all_details: Sequence[ErrorDetails]) -> Finding:
    value = all_details[0]["input"]
    wanted = " or ".join(dict.fromkeys(_expected(details["type"]) for details in all_details))
    return Finding(
        location,
        f"must be {wanted}, not {shown(value)}",
        ProblemCode.WRONG_TYPE,
        _not_deserialized(all_details),
        named=False,
    )


def _expected(kind: str) -> str:
    return {**EXPECTED, **_EXPECTED_OF_OURS}[kind]


def _not_deserialized(all_details: Sequence[ErrorDetails]) -> str:
    value = all_details[0]["input"]
    expected = " or ".join(dict.fromkeys(f"`{_JAVA_TYPES[details['type']]}`" for details in all_details))
    message = f"Cannot deserialize value of type {expected} from {shown_kind(value)}"
    if not isinstance(value, str):
        return message
    if expected == "`boolean`":
        return f'{message}: only "true"/"True"/"TRUE" or "false"/"False"/"FALSE" recognized'
    return f"{message}: not a valid {expected} value"


def shown_kind(value: object) -> str:
    """What a value is, as messages about a wrong type name it."""
    if isinstance(value, Enum):
        return f'String "{value.value}"'
    if isinstance(value, str):
        return f'String "{shortened(value)}"'
    if isinstance(value, Mapping):
        return "Object value (token `JsonToken.START_OBJECT`)"
    if isinstance(value, (list, tuple)):
        return "Array value (token `JsonToken.START_ARRAY`)"
    if isinstance(value, bool):
        return (
            "Boolean value (token `JsonToken.VALUE_TRUE`)"
            if value
            else "Boolean value (token `JsonToken.VALUE_FALSE`)"
        )
    if isinstance(value, int):
        return "Integer value (token `JsonToken.VALUE_NUMBER_INT`)"
    if isinstance(value, float):
        return "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)"
    return "null"


def shortened(text: str) -> str:
    """Text to be shown in a message, cut when it is very long."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _siblings(reported: tuple[str | int, ...], cls: type[BaseModel]) -> frozenset[str]:
    """The properties that stand beside an unknown one, as far as the class's fields tell."""
    model: object = cls
    for part in reported[:-1]:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            break
        if isinstance(part, str):
            found = [
                info.annotation for name, info in model.model_fields.items() if part in (info.alias, name)
            ]
            model = next((member for annotation in found for member in _models_in(annotation)), model)
            model = next((m for m in _models_in(model) if m.__name__ == part), model)
    return property_names(model) if isinstance(model, type) and issubclass(model, BaseModel) else frozenset()


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    from typing import get_args

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


_LONGEST_SHOWN = 300

#: Errors that name what is not there.
_ABSENT = frozenset({"missing", "not_empty"})

#: What would be right, for errors that properties of tasks do not have.
_EXPECTED_OF_OURS: Mapping[str, str] = {
    "int_parsing_size": "a whole number of 32 bits",
    "finite_number": "a finite number",
    "string_sub_type": "text",
    "datetime_type": "a date and time such as 2024-05-31T12:00:00Z",
    "datetime_parsing": "a date and time such as 2024-05-31T12:00:00Z",
    "datetime_from_date_parsing": "a date and time such as 2024-05-31T12:00:00Z",
    "duration": "a duration such as PT30S, PT5M or P1DT2H",
    "labels": "a map, or a list of `key` and `value`",
    "label_type": "text",
}

_JAVA_TYPES: Mapping[str, str] = {
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "int_type": "java.lang.Integer",
    "int_parsing": "java.lang.Integer",
    "int_parsing_size": "java.lang.Integer",
    "int_from_float": "java.lang.Integer",
    "finite_number": "java.lang.Integer",
    "float_type": "java.lang.Double",
    "float_parsing": "java.lang.Double",
    "string_type": "java.lang.String",
    "string_sub_type": "java.lang.String",
    "list_type": "java.util.ArrayList",
    "tuple_type": "java.util.ArrayList",
    "set_type": "java.util.ArrayList",
    "dict_type": "java.util.LinkedHashMap",
    "mapping_type": "java.util.LinkedHashMap",
    "model_type": "java.util.LinkedHashMap",
    "model_attributes_type": "java.util.LinkedHashMap",
    "datetime_type": "java.time.Instant",
    "datetime_parsing": "java.time.Instant",
    "datetime_from_date_parsing": "java.time.Instant",
}
