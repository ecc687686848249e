"""What all inputs have, whatever their type.

Documentation page: ``docs/inputs.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from windhover.model.definition import Definition, Text, identifier
from windhover.model.execution import JsonValue

INPUT_ID_PATTERN = "^[a-zA-Z0-9][.a-zA-Z0-9_-]*"

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


#: Letters, digits, ``_``, ``-`` and dots; a dot makes the value a member of a nested map.
InputId = Annotated[
    Text, AfterValidator(identifier(INPUT_ID_PATTERN, 1000, "size must be between 1 and 1000"))
]


_TEXTS = frozenset({"id", "name", "displayName", "description", "defaults", "prefill", "validator"})
_LISTS_OF_TEXTS = frozenset({"values", "options"})


def is_text_of_input(path: Sequence[str | int]) -> bool:
    """Whether a flow's property is a text of an input, which keeps a number or boolean as it is written.

    So the values ``[yes, no]`` of a SELECT stay what they are, and ``1.10`` is a default of its own.
    """
    match tuple(path)[-4:]:
        case (*_, "inputs" | "onResume", int(), str(name)):
            return name in _TEXTS
        case ("inputs" | "onResume", int(), str(name), int()):
            return name in _LISTS_OF_TEXTS
    return False


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

    @property
    def selects_first(self) -> bool:
        """Whether the first of the written values stands in for a default."""
        return False

    @model_validator(mode="before")
    @classmethod
    def _take_name_as_id(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("id") is None and data.get("name") is not None:
            return {**data, "id": data["name"]}
        return data

    @model_validator(mode="after")
    def _check_defaults(self) -> Self:
        has_default = self.defaults is not None or self.selects_first
        if has_default and not self.required:
            raise PydanticCustomError(
                "default_of_optional",
                "Inputs with a default value must be required, since the default is always applied.",
            )
        if has_default and self.prefill is not None:
            raise PydanticCustomError(
                "default_and_prefill", "Inputs with a default value cannot also have a prefill."
            )
        return self
