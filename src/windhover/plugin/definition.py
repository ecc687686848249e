"""Checks the properties of a plugin: as a flow writes them when it is saved, and as rendered when it runs.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from windhover.model.execution import JsonValue
from windhover.plugin.coercion import coercion
from windhover.plugin.problems import InvalidProperties, problems_of
from windhover.plugin.templated import has_template, is_static, templated
from windhover.plugin.types import TypedMarker

ModelT = TypeVar("ModelT", bound=BaseModel)


def validate_properties(
    cls: type[BaseModel], raw: Mapping[str, JsonValue], *, context: Mapping[str, object] | None = None
) -> dict[str, JsonValue]:
    """Check properties as a flow writes them, and return them under the names that flows use.

    Text that holds an expression passes anywhere, at any depth, but in properties declared ``Static``;
    everything else must fit the type of its property. The rules that a class adds itself (pydantic's
    ``field_validator`` and ``model_validator``) are applied where no expression is left to render.

    Args:
        cls: the plugin's class.
        raw: the properties of the task but for those that all tasks have.
        context: pydantic's validation context, for properties that hold other plugins.

    Raises:
        InvalidProperties: with every problem, unknown and missing properties included.
    """
    values = coercion(cls)(raw)
    checked_by = templated(cls) if has_template(values) else cls
    _validate(checked_by, values, cls, context)
    names = yaml_names(cls)
    return {names.get(key, key): value for key, value in raw.items() if value is not None}


def bind_properties(
    cls: type[ModelT], rendered: Mapping[str, JsonValue], *, context: Mapping[str, object] | None = None
) -> ModelT:
    """Make the typed object from rendered properties: ``"5"`` becomes a number, ``PT5S`` a duration.

    Raises:
        InvalidProperties: with every problem.
    """
    return _validate(cls, coercion(cls)(rendered), cls, context)


def yaml_names(cls: type[BaseModel]) -> Mapping[str, str]:
    """How properties may be named in Python or in a flow, and the one name that flows use for each."""
    names = {}
    for name, info in cls.model_fields.items():
        names[name] = names[info.alias or name] = info.alias or name
    return names


@cache
def static_properties(cls: type[BaseModel]) -> frozenset[str]:
    """The properties, as flows name them, that are taken literally and must not be rendered."""
    return frozenset(info.alias or name for name, info in cls.model_fields.items() if is_static(info))


@cache
def typed_properties(cls: type[BaseModel]) -> frozenset[str]:
    """The properties, as flows name them, whose expressions keep the type of their value."""
    return frozenset(
        info.alias or name
        for name, info in cls.model_fields.items()
        if any(isinstance(extra, TypedMarker) for extra in info.metadata)
    )


@cache
def typed_texts(cls: type[BaseModel]) -> frozenset[str]:
    """Those of :func:`typed_properties` that are text unless they are written as an expression."""
    return frozenset(
        info.alias or name
        for name, info in cls.model_fields.items()
        if any(isinstance(extra, TypedMarker) and extra.text for extra in info.metadata)
    )


def _validate(
    checked_by: type[ModelT],
    values: JsonValue,
    cls: type[BaseModel],
    context: Mapping[str, object] | None,
) -> ModelT:
    try:
        return checked_by.model_validate(values, context=context)
    except ValidationError as error:
        raise InvalidProperties(problems_of(error, values, set(yaml_names(cls).values()))) from None
