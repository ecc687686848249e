"""What all inputs have, whatever their type.

Documentation page: ``docs/inputs.md``.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from windhover.model.execution import JsonValue
from windhover.model.task import Definition

INPUT_ID_PATTERN = "^[a-zA-Z0-9][.a-zA-Z0-9_-]*"
_INPUT_ID = re.compile(INPUT_ID_PATTERN)

#: The types of single values: what the items of a list, and flow outputs, may be.
ValueType = Literal[
    "STRING",
    "ENUM",
    "SELECT",
    "INT",
    "FLOAT",
    "BOOLEAN",
    "BOOL",
    "DATETIME",
    "DATE",
    "TIME",
    "DURATION",
    "FILE",
    "JSON",
    "URI",
    "SECRET",
    "ARRAY",
    "MULTISELECT",
    "YAML",
    "EMAIL",
]


def _scalar_as_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return value


def _check_input_id(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank")
    if _INPUT_ID.fullmatch(value) is None:
        raise PydanticCustomError("pattern", 'must match "{pattern}"', {"pattern": INPUT_ID_PATTERN})
    return value


#: Text in YAML; a bare number or boolean is taken as the text it is written as.
Text = Annotated[str, BeforeValidator(_scalar_as_text)]

#: Letters, digits, ``_``, ``-`` and dots; a dot makes the value a member of a nested map.
InputId = Annotated[Text, AfterValidator(_check_input_id)]


class DependsOn(Definition):
    """When an input is asked for: all ``inputs`` have a value, and ``condition`` renders to true."""

    inputs: tuple[Text, ...] = ()
    condition: Text | None = None


class InputBase(Definition):
    """The properties of every input.

    ``defaults`` and ``prefill`` may hold expressions and are kept as written. ``prefill`` is what a
    form suggests; the server itself never applies it. ``name`` is the old word for ``id``.
    """

    id: InputId
    name: Text | None = None
    description: Text | None = None
    display_name: Text | None = None
    depends_on: DependsOn | None = None
    required: bool = True
    defaults: JsonValue = None
    prefill: JsonValue = None

    @model_validator(mode="before")
    @classmethod
    def _take_name_as_id(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("id") is None and data.get("name") is not None:
            return {**data, "id": data["name"]}
        return data

    @model_validator(mode="after")
    def _check_defaults(self) -> Self:
        if self.defaults is not None and not self.required:
            raise PydanticCustomError(
                "default_of_optional",
                "Inputs with a default value must be required, since the default is always applied.",
            )
        if self.defaults is not None and self.prefill is not None:
            raise PydanticCustomError(
                "default_and_prefill", "Inputs with a default value cannot also have a prefill."
            )
        return self
