"""Plugin classes as they are when a flow is saved: any value that is not static may be an expression.

For each class another is derived, once, whose fields have the same names and types but let text with an
expression pass at any depth: in lists and maps, in union members, in nested models.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    RootModel,
    TypeAdapter,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)
from pydantic.fields import FieldInfo

from windhover.model.execution import JsonValue
from windhover.plugin.coercion import bare
from windhover.plugin.types import StaticMarker, is_template


def has_template(value: JsonValue) -> bool:
    """There is an expression in the value, at whatever depth."""
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


def is_static(info: FieldInfo) -> bool:
    """The field is declared ``Static``."""
    return any(isinstance(extra, StaticMarker) for extra in info.metadata)


@cache
def templated(cls: type[BaseModel], tag: str | None = None) -> type[BaseModel]:
    """The class as it is when a flow is saved. Its validators are left out: they expect typed values.

    ``tag`` names the property that tells the class from other members of a union; it cannot be an expression.
    """
    return _Derivation(frozenset({cls}), tag).model(cls)


class _Derivation(msgspec.Struct, frozen=True):
    """What is known on the way down: the classes around, and the property that tells union members apart."""

    around: frozenset[type[BaseModel]]
    tag: str | None = None

    def model(self, cls: type[BaseModel]) -> type[BaseModel]:
        if not cls.__pydantic_complete__:
            cls.model_rebuild()
        fields: dict[str, Any] = {}
        for name, info in cls.model_fields.items():
            within = msgspec.structs.replace(self, tag=_tag_of(info))
            recursive = within.tag is not None and self._holds_itself(info.annotation)
            annotation: Any = info.annotation
            if recursive:
                annotation = Annotated[_union_later(annotation, within.tag), _EXPRESSION]
            elif not (is_static(info) or name == self.tag or _is_tag(annotation)):
                annotation = Annotated[(within.annotation(annotation), *info.metadata, _EXPRESSION)]
            fields[name] = (annotation, _same_settings(info, with_discriminator=not recursive))
        config = ConfigDict(**{**cls.model_config, "frozen": False})
        return create_model(cls.__name__, __config__=config, __module__=cls.__module__, **fields)

    def annotation(self, annotation: Any) -> Any:
        """The annotation with every part that may be an expression open to one."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin is Union or origin is types.UnionType:
            return Union[tuple(self.annotation(member) for member in arguments)]  # noqa: UP007 - at run time
        if isinstance(origin, type) and issubclass(origin, (Mapping, Sequence, Set)):
            container: Any = origin
            return container[tuple(part if part is Ellipsis else self._item(part) for part in arguments)]
        if not isinstance(annotation, type):
            return annotation
        if is_dataclass(annotation) or hasattr(annotation, "__total__") or hasattr(annotation, "_fields"):
            return Annotated[annotation, WrapValidator(_pass_with_template_inside)]
        if not issubclass(annotation, BaseModel):
            return annotation
        if issubclass(annotation, RootModel):
            return self.annotation(annotation.model_fields["root"].rebuild_annotation())
        if annotation in self.around:
            return Annotated[Any, PlainValidator(_validate_later(annotation))]
        return msgspec.structs.replace(self, around=self.around | {annotation}).model(annotation)

    def _annotated(self, inner: Any, metadata: Iterable[Any]) -> Any:
        if any(isinstance(extra, StaticMarker) for extra in metadata):
            return Annotated[(inner, *metadata)]
        tag = next((_tag_of(extra) for extra in metadata if isinstance(extra, FieldInfo)), None)
        if tag is not None and self._holds_itself(inner):
            return Annotated[_union_later(inner, tag), _EXPRESSION]
        return Annotated[
            (msgspec.structs.replace(self, tag=tag or self.tag).annotation(inner), *metadata, _EXPRESSION)
        ]

    def _item(self, annotation: Any) -> Any:
        inner = self.annotation(annotation)
        return inner if bare(annotation) in (str, Any) else Annotated[inner, _EXPRESSION]

    def _holds_itself(self, union: Any) -> bool:
        """A member is one of the classes around, so that the union can only be made once they are."""
        return any(bare(member) in self.around for member in get_args(bare(union)))


def _tag_of(info: FieldInfo) -> str | None:
    return info.discriminator if isinstance(info.discriminator, str) else None


def _same_settings(info: FieldInfo, *, with_discriminator: bool) -> Any:
    settings: dict[str, Any] = {"alias": info.alias, "validation_alias": info.validation_alias}
    if with_discriminator:
        settings["discriminator"] = info.discriminator
    if info.default_factory is not None:
        settings["default_factory"] = info.default_factory
    elif not info.is_required():
        settings["default"] = info.default
    return Field(**{key: value for key, value in settings.items() if value is not None or key == "default"})


def _is_tag(annotation: object) -> bool:
    """A property of one possible value: it tells the members of a union apart and cannot be an expression."""
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def _validate_later(cls: type[BaseModel]) -> Callable[[object, ValidationInfo], object]:
    def validate(value: object, info: ValidationInfo) -> object:
        return templated(cls).model_validate(value, context=info.context)

    return validate


def _union_later(union: Any, tag: str | None) -> Any:
    """A union of models told apart by ``tag``, made when the first value comes."""

    @cache
    def adapter() -> TypeAdapter[Any]:
        members = tuple(
            templated(member, tag) if isinstance(member, type) and issubclass(member, BaseModel) else member
            for member in get_args(bare(union))
        )
        annotation: Any = Annotated[Union[members], Field(discriminator=tag)]  # noqa: UP007 - at run time
        return TypeAdapter(annotation)

    def validate(value: object, info: ValidationInfo) -> object:
        return adapter().validate_python(value, context=info.context)

    return Annotated[Any, PlainValidator(validate)]


def _pass_template(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    return value if isinstance(value, str) and is_template(value) else handler(value)


_EXPRESSION = WrapValidator(_pass_template)


def _pass_with_template_inside(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """For dataclasses, typed dicts and named tuples, which cannot be derived from as models can."""
    return value if has_template(value) else handler(value)
