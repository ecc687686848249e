"""One class for each type of input.

Documentation page: ``docs/inputs.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from windhover.model.definition import Text, whole_number
from windhover.model.execution import JsonValue
from windhover.model.inputs.base import InputBase, ValueType
from windhover.model.inputs.patterns import compile_pattern
from windhover.model.inputs.schemas import check_schema
from windhover.model.inputs.temporal import (
    format_instant_bound,
    format_time,
    parse_date,
    parse_instant,
    parse_time,
)
from windhover.util.durations import format_duration, parse_duration


def _check_pattern(value: str) -> str:
    try:
        compile_pattern(value)
    except ValueError:
        raise PydanticCustomError(
            "invalid_pattern", "invalid pattern [{pattern}]", {"pattern": value}
        ) from None
    return value


#: A regular expression that a value must match from its first to its last character.
Pattern = Annotated[Text, AfterValidator(_check_pattern)]


def _reading(parse: Callable[[str], object]) -> BeforeValidator:
    """Read text with ``parse``; what it refuses is the error of the property, in its own words."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except ValueError as error:
            raise PydanticCustomError("unreadable", "{reason}", {"reason": str(error)}) from None

    return BeforeValidator(read)


IntBound = Annotated[int, BeforeValidator(whole_number)]
DateBound = Annotated[date, _reading(parse_date)]
TimeBound = Annotated[
    time, _reading(parse_time), PlainSerializer(format_time, return_type=str, when_used="json")
]
InstantBound = Annotated[
    datetime,
    _reading(parse_instant),
    PlainSerializer(format_instant_bound, return_type=str, when_used="json"),
]
DurationBound = Annotated[
    timedelta, _reading(parse_duration), PlainSerializer(format_duration, return_type=str, when_used="json")
]

_NO_ITEM_TYPES = frozenset({"ARRAY", "MULTISELECT", "ENUM", "SELECT", "SECRET"})
_NAMES_A_FILE = re.compile(r"(file|nsfile)://|\{[{%]")


def _check_item_type(value: ValueType) -> None:
    if value in _NO_ITEM_TYPES:
        raise PydanticCustomError("item_type", "`itemType` cannot be {type}", {"type": value})


class StringInput(InputBase):
    """Any text, optionally of a form that ``validator`` describes."""

    type: Literal["STRING"]
    validator: Pattern | None = None


class IntInput(InputBase):
    """A whole number of 32 bits."""

    type: Literal["INT"]
    min: IntBound | None = None
    max: IntBound | None = None


class FloatInput(InputBase):
    """A decimal number."""

    type: Literal["FLOAT"]
    min: float | None = None
    max: float | None = None


class BoolInput(InputBase):
    """True or false. ``BOOLEAN`` is the older name of the type."""

    type: Literal["BOOL", "BOOLEAN"]


class EnumInput(InputBase):
    """One of ``values``; the older form of :class:`SelectInput`."""

    type: Literal["ENUM"]
    values: tuple[Text, ...]


class SelectInput(InputBase):
    """One of ``values``, or of the list that ``expression`` gives.

    With ``allowCustomValue`` the list only suggests. ``autoSelectFirst`` takes the first value when
    none is given and there is no default. ``isRadio`` is for the form.
    """

    type: Literal["SELECT"]
    values: tuple[Text, ...] | None = None
    expression: Text | None = None
    allow_custom_value: bool = False
    is_radio: bool = False
    auto_select_first: bool = False

    @property
    def selects_first(self) -> bool:
        return self.auto_select_first and bool(self.values)


class MultiselectInput(InputBase):
    """Any number of ``values`` (older name: ``options``), or of the list that ``expression`` gives."""

    type: Literal["MULTISELECT"]
    values: tuple[Text, ...] | None = None
    options: tuple[Text, ...] | None = None
    expression: Text | None = None
    item_type: ValueType = "STRING"
    allow_custom_value: bool = False
    auto_select_first: bool = False

    @property
    def selects_first(self) -> bool:
        return self.auto_select_first and bool(self.values or self.options)

    @model_validator(mode="after")
    def _check_items(self) -> Self:
        _check_item_type(self.item_type)
        return self


class ArrayInput(InputBase):
    """A list whose items are all of ``itemType``."""

    type: Literal["ARRAY"]
    item_type: ValueType

    @model_validator(mode="after")
    def _check_items(self) -> Self:
        _check_item_type(self.item_type)
        return self


class DatetimeInput(InputBase):
    """An instant: a date and a time with an offset. Kept in UTC."""

    type: Literal["DATETIME"]
    after: InstantBound | None = None
    before: InstantBound | None = None


class DateInput(InputBase):
    """A date without a time."""

    type: Literal["DATE"]
    after: DateBound | None = None
    before: DateBound | None = None


class TimeInput(InputBase):
    """A time of day."""

    type: Literal["TIME"]
    after: TimeBound | None = None
    before: TimeBound | None = None


class DurationInput(InputBase):
    """An ISO-8601 duration; its value is a number of seconds."""

    type: Literal["DURATION"]
    min: DurationBound | None = None
    max: DurationBound | None = None


class FileInput(InputBase):
    """An uploaded file; its value is the URI of the stored file.

    ``defaults`` names a namespace file (``nsfile:///…``) or a file of the server (``file:///…``).
    ``extension`` is the older way to name the stored file.
    """

    type: Literal["FILE"]
    extension: Text | None = None
    allowed_file_extensions: tuple[Text, ...] | None = None

    @model_validator(mode="after")
    def _check_default_scheme(self) -> Self:
        default = self.defaults
        if default is not None and not (isinstance(default, str) and _NAMES_A_FILE.match(default)):
            raise PydanticCustomError(
                "file_default",
                "inputs of type 'FILE' only support `defaults` as local files using a file URI"
                " or as namespace files using a nsfile URI",
            )
        return self


class JsonInput(InputBase):
    """Any JSON value, optionally described by ``jsonSchema``."""

    type: Literal["JSON"]
    json_schema: JsonValue = None

    @field_validator("json_schema")
    @classmethod
    def _check_schema(cls, value: JsonValue) -> JsonValue:
        try:
            check_schema(value)
        except ValueError as error:
            raise PydanticCustomError("invalid_schema", "{reason}", {"reason": str(error)}) from None
        return value


class YamlInput(InputBase):
    """Any YAML value."""

    type: Literal["YAML"]


class UriInput(InputBase):
    """A URI, kept as text."""

    type: Literal["URI"]


class EmailInput(InputBase):
    """An e-mail address."""

    type: Literal["EMAIL"]


class SecretInput(InputBase):
    """A text that is stored encrypted and never shown."""

    type: Literal["SECRET"]
    validator: Pattern | None = None


class ReusableInputs(InputBase):
    """Stands for a block of inputs that is kept apart from the flow, by its name ``ref``."""

    type: Literal["REUSABLE_INPUTS"]
    ref: Text
    namespace: Text | None = None
    revision: Annotated[int, Field(ge=1)] | None = None


#: Every input that has a value of its own.
ValueInput = (
    StringInput
    | IntInput
    | FloatInput
    | BoolInput
    | EnumInput
    | SelectInput
    | MultiselectInput
    | ArrayInput
    | DatetimeInput
    | DateInput
    | TimeInput
    | DurationInput
    | FileInput
    | JsonInput
    | YamlInput
    | UriInput
    | EmailInput
    | SecretInput
)
