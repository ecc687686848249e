"""Labels as flows write them: a map, or a list of ``{key, value}``.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from windhover.model.definition import scalar_as_text
from windhover.model.execution import JsonValue, Label

#: Keys that only the server sets begin with this.
SYSTEM_PREFIX = "system."

#: The one system label that a flow may set.
READ_ONLY = "system.readOnly"

#: Who has started an execution.
USERNAME = "system.username"

_MOST_ERRORS = 100

_KEY_RULE = (
    "Invalid label key. A valid key contains only lowercase letters numbers hyphens (-) underscores (_)"
    " or periods (.) and must begin with a lowercase letter."
)


class _Written(NamedTuple):
    """A label in the text: its position, its key and value, and where these stand in the property."""

    position: int
    key_place: tuple[str | int, ...]
    value_place: tuple[str | int, ...]
    key: object
    value: object


def read_labels(value: object) -> tuple[Label, ...]:
    """Read labels of either form. Of several with one key the last counts, at the place of the first.

    Raises:
        pydantic.ValidationError: the value is neither form, or a key or value is empty or malformed.
    """
    if isinstance(value, tuple) and all(isinstance(entry, Label) for entry in value):
        return value
    if isinstance(value, dict):
        members = [(key, entry) for key, entry in value.items() if entry is not None]
        written = [_Written(i, (key,), (key,), key, entry) for i, (key, entry) in enumerate(members)]
    elif isinstance(value, (list, tuple)):
        written = [_listed(index, entry) for index, entry in enumerate(value)]
    else:
        raise PydanticCustomError(
            "labels", "Unable to deserialize value as it's neither an object neither an array"
        )
    errors = list(islice((error for label in written for error in _errors_of(label)), _MOST_ERRORS))
    if errors:
        raise ValidationError.from_exception_data("labels", errors)
    labels = {str(label.key): str(scalar_as_text(label.value)) for label in written}
    return tuple(Label(key, text) for key, text in labels.items())


def nested_labels(labels: Iterable[Label]) -> dict[str, JsonValue]:
    """Labels as a map in which dots in keys open a level: ``{"system": {"correlationId": ...}}``."""
    found: dict[str, JsonValue] = {}
    for label in labels:
        *folders, name = label.key.split(".")
        place = found
        for folder in folders:
            below = place.get(folder)
            if not isinstance(below, dict):
                below = place[folder] = {}
            place = below
        place[name] = label.value
    return found


def _listed(index: int, entry: object) -> _Written:
    if isinstance(entry, Label):
        return _Written(index, (index, "key"), (index, "value"), entry.key, entry.value)
    members = entry if isinstance(entry, dict) else {}
    key = scalar_as_text(members.get("key"))
    return _Written(index, (index, "key"), (index, "value"), key, members.get("value"))


def _errors_of(label: _Written) -> Iterator[InitErrorDetails]:
    if not isinstance(label.key, str) or not label.key:
        yield _error(label, "key", "not_empty", "must not be empty")
    elif not _is_key(label.key):
        yield _error(label, "key", "label_key", _KEY_RULE)
    if isinstance(label.value, (dict, list)):
        yield _error(label, "value", "label_type", "Unsupported type for key: {key}")
    elif label.value is None or label.value == "":
        yield _error(label, "value", "not_empty", "must not be empty")


def _is_key(key: str) -> bool:
    return key[0].islower() and all(character.isalpha() or character in "0123456789._-" for character in key)


def _error(label: _Written, part: str, kind: str, message: str) -> InitErrorDetails:
    place, value = (label.key_place, label.key) if part == "key" else (label.value_place, label.value)
    context: dict[str, str | int] = {"key": str(label.key)}
    if len(place) == 1:  # a member of a map, which Kestra names as if it stood in a list
        context |= {"index": label.position, "part": part}
    error = PydanticCustomError(kind, message, context)
    return InitErrorDetails(type=error, loc=place, input=value)


def _written(labels: tuple[Label, ...]) -> list[dict[str, str]]:
    return [{"key": label.key, "value": label.value} for label in labels]


#: Labels of a flow, a trigger, a limit. Values may hold expressions where the owner renders them.
Labels = Annotated[
    tuple[InstanceOf[Label], ...],
    BeforeValidator(read_labels),
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
                        "required": ["key", "value"],
                    },
                },
            ]
        }
    ),
]
