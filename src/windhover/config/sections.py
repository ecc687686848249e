"""How a typed setting is declared: a pydantic field that names its key, default and meaning."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A group of settings; immutable, and silent about input values (they may be secret)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


def setting(
    key: str,
    description: str,
    default: object = None,
    *,
    default_factory: Callable[[], object] | None = None,
    default_text: str | None = None,
    also: tuple[str, ...] = (),
    shown: bool = True,
    ge: float | timedelta | None = None,
    le: float | timedelta | None = None,
    gt: float | timedelta | None = None,
) -> Any:
    """Declare a setting.

    Args:
        key: its full key path, as documented.
        description: what it decides, for the documentation page; Markdown.
        default: its value when no source gives one.
        default_factory: computes the default when it depends on the machine.
        default_text: how the page writes a default that ``default`` cannot show.
        also: older or alternative keys, read when ``key`` is absent, first one first.
        shown: False keeps the value out of the settings' text: it may hold secrets at any depth.
        ge, le, gt: bounds of the value.
    """
    extra: dict[str, Any] = {"keys": [key, *also], "default_text": default_text}
    bounds: dict[str, Any] = {
        name: bound for name, bound in (("ge", ge), ("le", le), ("gt", gt)) if bound is not None
    }
    if default_factory is not None:
        return Field(
            default_factory=default_factory,
            description=description,
            json_schema_extra=extra,
            repr=shown,
            **bounds,
        )
    return Field(default=default, description=description, json_schema_extra=extra, repr=shown, **bounds)


def section(kind: type[Section]) -> Any:
    """Declare a nested group of settings, with its own defaults."""
    return Field(default_factory=kind)


def sections_by_name(key: str) -> Any:
    """Declare a mapping of a user's names to groups of settings, e.g. ``datasources.*``."""
    return Field(default_factory=dict, json_schema_extra={"keys": [key]})


def keys_of(field: FieldInfo) -> list[str]:
    """The key paths of a declared setting; empty for a nested group."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict):
        return []
    keys = extra.get("keys")
    return [str(key) for key in keys] if isinstance(keys, list) else []


def nested_section(field: FieldInfo) -> type[Section] | None:
    """The group of settings that a field holds, if it holds one."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None
