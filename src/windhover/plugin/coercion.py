"""Brings JSON values near to the type of a property, the way typed properties of flows read them.

Flows are generous: ``message: 42`` is text, ``"[1, 2]"`` is a list, ``"5"`` is a number. pydantic reads
text into numbers, booleans and dates by itself; what is added here is the way from numbers to text and
from JSON text to lists and maps. A value that fits no reading is left alone, for the validation to name.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Annotated, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, PlainValidator, WrapValidator

from windhover.model.execution import JsonValue

Coercion = Callable[[JsonValue], JsonValue]

_SCALARS = frozenset({bool, int, float, timedelta})


@cache
def coercion(annotation: object) -> Coercion:
    """How values for this annotation are read. Compiled once an annotation."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return _as_is if _reads_itself(metadata) else coercion(inner)
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Union or origin is types.UnionType:
        return _union(arguments)
    if annotation is str:
        return _text
    kind = origin or annotation
    if not isinstance(kind, type):
        return _as_is
    if issubclass(kind, BaseModel):
        return _model(kind)
    if issubclass(kind, Enum):
        return _enum(kind)
    if issubclass(kind, str):
        return _as_is
    if issubclass(kind, Mapping):
        return _map(arguments)
    if issubclass(kind, Sequence | Set):
        return _list(arguments)
    return _as_is


def bare(annotation: object) -> object:
    """An annotation without ``Annotated[...]`` around it."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _reads_itself(metadata: Sequence[object]) -> bool:
    """The type has a reading of its own, as :data:`windhover.plugin.types.Duration` has."""
    return any(isinstance(extra, (BeforeValidator, WrapValidator, PlainValidator)) for extra in metadata)


def _as_is(value: JsonValue) -> JsonValue:
    return value


def _text(value: JsonValue) -> JsonValue:
    if isinstance(value, (bool, int, float, list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def _text_item(value: JsonValue) -> JsonValue:
    """A text of a list or map: an expression that gives null is empty text."""
    return "" if value is None else _text(value)


def _enum(kind: type[Enum]) -> Coercion:
    by_name = {
        name: member.value for name, member in kind.__members__.items() if not isinstance(member.value, str)
    }

    def read(value: JsonValue) -> JsonValue:
        return by_name.get(value, value) if isinstance(value, str) else value

    return read


def _map(arguments: tuple[object, ...]) -> Coercion:
    item = _item(arguments[1]) if len(arguments) == 2 else _as_is

    def read(value: JsonValue) -> JsonValue:
        value = _parsed(value, "{")
        return {key: item(entry) for key, entry in value.items()} if isinstance(value, Mapping) else value

    return read


def _list(arguments: tuple[object, ...]) -> Coercion:
    kinds = [kind for kind in arguments if kind is not Ellipsis]
    item = _item(kinds[0]) if len(kinds) == 1 else _as_is

    def read(value: JsonValue) -> JsonValue:
        value = _parsed(value, "[")
        return [item(entry) for entry in value] if isinstance(value, (list, tuple)) else value

    return read


def _item(annotation: object) -> Coercion:
    return _text_item if annotation is str else coercion(annotation)


def _model(kind: type[BaseModel]) -> Coercion:
    fields: dict[str, Coercion] = {}
    nullable: set[str] = set()
    never_text: set[str] = set()

    def read(value: JsonValue) -> JsonValue:
        value = _parsed(value, "{")
        if not isinstance(value, Mapping):
            return value
        if not fields:  # not before the first value: a model may hold itself
            fields.update(_field_coercions(kind))
            nullable.update(_nullable_fields(kind))
            never_text.update(_optional_scalars(kind))
        return {
            key: fields.get(key, _as_is)(entry)
            for key, entry in value.items()
            # What is written without a value counts as not written.
            if (entry is not None or key in nullable or key not in fields)
            and not (key in never_text and isinstance(entry, str) and not entry.strip())
        }

    return read


def _field_coercions(kind: type[BaseModel]) -> dict[str, Coercion]:
    return {
        key: _as_is if _reads_itself(info.metadata) else coercion(cast("Hashable", info.annotation))
        for name, info in kind.model_fields.items()
        for key in {name, info.alias or name}
    }


def _nullable_fields(kind: type[BaseModel]) -> set[str]:
    """The properties that must be given and may be null (``value: JsonValue | None`` without a default)."""
    return {
        key
        for name, info in kind.model_fields.items()
        if info.is_required() and types.NoneType in get_args(info.annotation)
        for key in (name, info.alias or name)
    }


def _optional_scalars(kind: type[BaseModel]) -> set[str]:
    """The properties that are a number, a truth value or a duration, or are not given.

    Blank text means the latter: an expression that had nothing to give.
    """
    return {
        key
        for name, info in kind.model_fields.items()
        if not info.is_required()
        and info.default is None
        and {bare(member) for member in get_args(info.annotation)} - {types.NoneType} <= _SCALARS
        for key in (name, info.alias or name)
    }


def _flat(members: Iterable[object]) -> Iterator[object]:
    """The members of a union, those of unions in it included."""
    for member in members:
        inner = bare(member)
        if get_origin(inner) in (Union, types.UnionType):
            yield from _flat(get_args(inner))
        else:
            yield member


def _union(written: tuple[object, ...]) -> Coercion:
    members = tuple(_flat(written))
    kinds = [get_origin(bare(member)) or bare(member) for member in members]
    if not all(isinstance(kind, type) for kind in kinds):  # a Literal, Any or another special form among them
        return _as_is
    readings = {cast("type", kind): coercion(member) for kind, member in zip(kinds, members, strict=True)}
    takes_text = any(issubclass(kind, str) for kind in readings)
    takes_numbers = any(issubclass(kind, (int, float)) for kind in readings)
    maps = [read for kind, read in readings.items() if issubclass(kind, (Mapping, BaseModel))]
    lists = [read for kind, read in readings.items() if issubclass(kind, (list, tuple, set, frozenset))]
    enums = [read for kind, read in readings.items() if issubclass(kind, Enum)]
    models = [kind for kind in readings if issubclass(kind, BaseModel)]
    read_map = maps[0] if len(maps) == 1 else _one_of(models) if len(models) == len(maps) else _as_is
    read_list = lists[0] if len(lists) == 1 else _as_is
    read_other = enums[0] if len(enums) == 1 else _as_is

    only_text = takes_text and not maps and not lists

    def read(value: JsonValue) -> JsonValue:
        if only_text and isinstance(value, (Mapping, list, tuple)):
            return _text(value)
        if isinstance(value, str) and not takes_text:
            value = _parsed(value, "{") if maps else value
            value = _parsed(value, "[") if lists else value
        if isinstance(value, Mapping):
            return read_map(value)
        if isinstance(value, (list, tuple)):
            return read_list(value)
        if isinstance(value, (bool, int, float)) and takes_text and not takes_numbers:
            return _text(value)
        return read_other(value)

    return read


def _one_of(models: Sequence[type[BaseModel]]) -> Coercion:
    """Models that are told apart by what their literal properties (``type: Literal["counter"]``) say."""

    def read(value: JsonValue) -> JsonValue:
        for kind in models if isinstance(value, Mapping) else ():
            if _says(value, kind):
                return coercion(kind)(value)
        return value

    return read


def _says(value: Mapping[str, JsonValue], kind: type[BaseModel]) -> bool:
    literals = {
        info.alias or name: get_args(info.annotation)
        for name, info in kind.model_fields.items()
        if get_origin(info.annotation) is Literal
    }
    return bool(literals) and all(value.get(key) in wanted for key, wanted in literals.items())


def _parsed(value: JsonValue, opening: str) -> JsonValue:
    """JSON text that opens with this bracket, read; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(opening):
        return value
    try:
        return json.loads(value, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # no JSON, or deeper than can be read
        return value


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no JSON")
