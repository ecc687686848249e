"""Checks the properties of a plugin: as a flow writes them when it is saved, and as rendered when it runs.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    RootModel,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)
from pydantic.fields import FieldInfo

from windhover.model.execution import JsonValue
from windhover.plugin.coercion import bare, coercion
from windhover.plugin.problems import InvalidProperties, problems_of
from windhover.plugin.types import StaticMarker, is_template

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
    checked_by = templated(cls) if _has_template(values) else cls
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


def is_static(info: FieldInfo) -> bool:
    """The field is declared ``Static``."""
    return any(isinstance(extra, StaticMarker) for extra in info.metadata)


@cache
def templated(cls: type[BaseModel]) -> type[BaseModel]:
    """The class as it is when a flow is saved: whatever is not static may be an expression instead."""
    return _derived(cls, frozenset({cls}))


def _derived(cls: type[BaseModel], within: frozenset[type[BaseModel]]) -> type[BaseModel]:
    """``within`` are the classes that are being derived around this one: a model may hold itself."""
    if not cls.__pydantic_complete__:
        cls.model_rebuild()
    fields: dict[str, Any] = {}
    for name, info in cls.model_fields.items():
        annotation: Any = info.annotation
        if not (is_static(info) or _is_tag(annotation)):
            annotation = Annotated[(_templated(annotation, within), *info.metadata, _TEMPLATE)]
        fields[name] = (annotation, _same_settings(info))
    config = ConfigDict(**{**cls.model_config, "frozen": False})
    return create_model(cls.__name__, __config__=config, __module__=cls.__module__, **fields)


def _same_settings(info: FieldInfo) -> Any:
    settings: dict[str, Any] = {
        "alias": info.alias,
        "validation_alias": info.validation_alias,
        "discriminator": info.discriminator,
    }
    if info.default_factory is not None:
        settings["default_factory"] = info.default_factory
    elif not info.is_required():
        settings["default"] = info.default
    return Field(**{key: value for key, value in settings.items() if value is not None or key == "default"})


def _templated(annotation: Any, within: frozenset[type[BaseModel]]) -> Any:
    """The annotation with every part that may be an expression open to one."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        if any(isinstance(extra, StaticMarker) for extra in metadata):
            return annotation
        return Annotated[(_templated(inner, within), *metadata, _TEMPLATE)]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return annotation
    if origin is Union or origin is types.UnionType:
        members = tuple(_templated(argument, within) for argument in arguments)
        return Union[members]  # noqa: UP007 - made at run time
    if isinstance(origin, type) and issubclass(origin, (Mapping, Sequence, Set)):
        container: Any = origin
        return container[tuple(part if part is Ellipsis else _open(part, within) for part in arguments)]
    if not isinstance(annotation, type):
        return annotation
    if is_dataclass(annotation) or hasattr(annotation, "__total__") or hasattr(annotation, "_fields"):
        return Annotated[annotation, WrapValidator(_pass_with_template_inside)]
    if not issubclass(annotation, BaseModel):
        return annotation
    if issubclass(annotation, RootModel):
        return _templated(annotation.model_fields["root"].rebuild_annotation(), within)
    if annotation in within:
        return Annotated[Any, PlainValidator(_validate_later(annotation))]
    return _derived(annotation, within | {annotation})


def _open(annotation: Any, within: frozenset[type[BaseModel]]) -> Any:
    inner = _templated(annotation, within)
    return inner if bare(annotation) in (str, Any) else Annotated[inner, _TEMPLATE]


def _is_tag(annotation: object) -> bool:
    """A property of one possible value: it tells the members of a union apart and cannot be an expression."""
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def _validate_later(cls: type[BaseModel]) -> Callable[[object, ValidationInfo], object]:
    def validate(value: object, info: ValidationInfo) -> object:
        return templated(cls).model_validate(value, context=info.context)

    return validate


def _pass_template(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    return value if isinstance(value, str) and is_template(value) else handler(value)


def _pass_with_template_inside(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """For dataclasses, typed dicts and named tuples, which cannot be derived from as models can."""
    return value if _has_template(value) else handler(value)


_TEMPLATE = WrapValidator(_pass_template)


def _has_template(value: JsonValue) -> bool:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            if is_template(part):
                return True
        elif isinstance(part, Mapping):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)
    return False


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
