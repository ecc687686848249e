"""What all parts of a flow's definition share: immutable, camelCase, no unknown property.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from windhover.model.execution import JsonValue
from windhover.util.durations import parse_duration, read_duration


class Definition(BaseModel):
    """Base of all parts of a flow: immutable, written in camelCase in YAML, no unknown property.

    A property that is written without a value (``description:``) counts as not written.
    """

    model_config = ConfigDict(
        # Most types are not used by a process that runs one flow, and building them costs a millisecond each.
        defer_build=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        coerce_numbers_to_str=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        return without_nulls(data, cls) if isinstance(data, dict) else data


def without_nulls(data: dict[str, JsonValue], cls: type[BaseModel]) -> dict[str, JsonValue]:
    """The members that are set. Null under an unknown name stays, so that the name is still refused."""
    if None not in data.values():
        return data
    known = property_names(cls)
    return {key: value for key, value in data.items() if value is not None or key not in known}


_names: dict[type[BaseModel], frozenset[str]] = {}


def property_names(cls: type[BaseModel]) -> frozenset[str]:
    """The names under which the properties of a class are written in a flow."""
    names = _names.get(cls)
    if names is None:
        names = frozenset(_written_names(cls))
        _names[cls] = names
    return names


def _written_names(cls: type[BaseModel]) -> Iterator[str]:
    for name, field in cls.model_fields.items():
        choices = field.validation_alias
        if isinstance(choices, AliasChoices):
            yield from (choice for choice in choices.choices if isinstance(choice, str))
        else:
            yield choices if isinstance(choices, str) else field.alias or name


def scalar_as_text(value: object) -> object:
    """A bare number or boolean where text is expected is taken as text; the rest as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return value


def whole_number(value: object) -> object:
    """A number with a fraction where a whole one is expected loses it, as Kestra reads it."""
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


def unset_as_empty(value: object) -> object:
    """Data of any shape: what a map has without a value (``name:``) is empty text, as Kestra reads it."""
    if isinstance(value, dict):
        return {key: "" if item is None else unset_as_empty(item) for key, item in value.items()}
    return [unset_as_empty(item) for item in value] if isinstance(value, list) else value


def identifier(pattern: str, longest: int, too_long: str) -> Callable[[str], str]:
    """A check of identifiers: not blank, of the pattern as a whole, and at most ``longest`` characters."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not value.strip():
            raise PydanticCustomError("blank", "must not be blank")
        if len(value) > longest:
            raise PydanticCustomError("size", too_long)
        if compiled.fullmatch(value) is None:
            raise PydanticCustomError("pattern", 'must match "{pattern}"', {"pattern": pattern})
        return value

    return check


def _check_duration(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"PT{value}S"
    if isinstance(value, str):
        try:
            parse_duration(value)
        except ValueError:
            raise PydanticCustomError(
                "duration",
                'Cannot deserialize value of type `java.time.Duration` from String "{text}": '
                "Text cannot be parsed to a Duration",
                {"text": value},
            ) from None
        return value
    raise PydanticCustomError(
        "duration", "Cannot deserialize value of type `java.time.Duration`: text is expected"
    )


def _refuse_empty(value: str) -> str:
    if not value:
        raise PydanticCustomError("not_empty", "must not be empty")
    return value


def unless_expression(check: Callable[[Any], object]) -> AfterValidator:
    """A check of what is written out: what holds an expression can be judged only once it is rendered."""

    def checked(value: object) -> object:
        if not (isinstance(value, str) and ("{{" in value or "{%" in value)):
            check(value)
        return value

    return AfterValidator(checked)


def _check_rendered_duration(text: str) -> None:
    if text.strip():
        read_duration(text)


#: Text in YAML; a bare number or boolean is taken as the text it is written as.
Text = Annotated[str, BeforeValidator(scalar_as_text)]

#: Text that says something.
NonEmptyText = Annotated[Text, AfterValidator(_refuse_empty)]

#: An ISO-8601 duration, checked and kept as written; a bare number counts seconds.
DurationText = Annotated[str, BeforeValidator(_check_duration)]

#: A duration or a number of seconds, or an expression that gives one; kept as written.
RenderedDuration = Annotated[Text, unless_expression(_check_rendered_duration)]

ID_PATTERN = "^[a-zA-Z0-9][a-zA-Z0-9_-]*"

#: The id of a task or a trigger.
PluginId = Annotated[
    Text, AfterValidator(identifier(ID_PATTERN, 256, "Task id must be at most 256 characters"))
]
