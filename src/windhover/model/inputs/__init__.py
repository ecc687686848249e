"""Flow inputs and flow outputs as flows define them.

``Input`` is the annotated union of all input types, to be used as the type of a field
(``inputs: tuple[Input, ...]``); ``FlowOutput`` is the same for outputs. What they become when an
execution starts or ends is the engine's matter.

Documentation page: ``docs/inputs.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from windhover.model.definition import Definition, Text
from windhover.model.execution import JsonValue
from windhover.model.inputs.base import (
    INPUT_ID_PATTERN,
    DependsOn,
    InputBase,
    InputId,
    ValueType,
    is_text_of_input,
)
from windhover.model.inputs.types import (
    ArrayInput,
    BoolInput,
    DateInput,
    DatetimeInput,
    DurationInput,
    EmailInput,
    EnumInput,
    FileInput,
    FloatInput,
    IntInput,
    JsonInput,
    MultiselectInput,
    ReusableInputs,
    SecretInput,
    SelectInput,
    StringInput,
    TimeInput,
    UriInput,
    ValueInput,
    YamlInput,
)

__all__ = [
    "INPUT_ID_PATTERN",
    "ArrayInput",
    "BoolInput",
    "DateInput",
    "DatetimeInput",
    "DependsOn",
    "DurationInput",
    "EmailInput",
    "EnumInput",
    "FileInput",
    "FloatInput",
    "FlowOutput",
    "FormInput",
    "Input",
    "InputBase",
    "IntInput",
    "JsonInput",
    "MultiselectInput",
    "ReusableInputs",
    "SecretInput",
    "SelectInput",
    "StringInput",
    "TimeInput",
    "UriInput",
    "ValueInput",
    "ValueType",
    "YamlInput",
    "expand_reusable",
    "is_text_of_input",
    "parse_input",
]

_STRUCTURAL_TYPES = frozenset({"FORM", "REUSABLE_INPUTS"})
_VALUE_TYPES = frozenset(get_args(ValueType))


def _check_form_member_type(data: object) -> object:
    return _check_type(data, _VALUE_TYPES)


def _check_input_type(data: object) -> object:
    return _check_type(data, _VALUE_TYPES | _STRUCTURAL_TYPES)


def _check_type(data: object, known: frozenset[str]) -> object:
    if isinstance(data, dict):
        name = data.get("type")
        if not isinstance(name, str) or name not in known:
            written = None if name is None else str(name)
            context = {"type": written, "shown": written or "null", "known": sorted(known)}
            raise PydanticCustomError("invalid_type", "Invalid type: {shown}", context)
    return data


FormMember = Annotated[
    Annotated[ValueInput, Field(discriminator="type")], BeforeValidator(_check_form_member_type)
]


class FormInput(InputBase):
    """A group of inputs shown together; ``inputs.<form>.<member>`` is the value of a member."""

    type: Literal["FORM"]
    inputs: tuple[FormMember, ...]


Input = Annotated[
    Annotated[ValueInput | FormInput | ReusableInputs, Field(discriminator="type")],
    BeforeValidator(_check_input_type),
]


def expand_reusable(reference: ReusableInputs, members: Sequence[JsonValue]) -> FormInput:
    """The form that takes the place of a reference to reusable inputs; ``members`` are their YAML maps.

    Raises:
        pydantic.ValidationError: a member is no valid input.
    """
    own = reference.model_dump(
        by_alias=True, exclude_unset=True, exclude={"type", "ref", "namespace", "revision"}
    )
    return FormInput.model_validate({**own, "type": "FORM", "inputs": list(members)})


class FlowOutput(Definition):
    """A value that an execution leaves for whoever started it.

    ``required`` left out means true: an output that cannot be rendered fails the execution. With
    ``required: false`` it is left out instead.
    """

    id: InputId
    type: ValueType
    value: JsonValue
    description: Text | None = None
    display_name: Text | None = None
    required: bool | None = None


@cache
def _adapter() -> TypeAdapter[ValueInput | FormInput | ReusableInputs]:
    return TypeAdapter(Input)


def parse_input(raw: object) -> ValueInput | FormInput | ReusableInputs:
    """Read one input from its YAML map.

    Raises:
        pydantic.ValidationError: the map is no valid input.
    """
    return _adapter().validate_python(raw)
