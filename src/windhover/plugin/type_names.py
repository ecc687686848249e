"""Looks up types by what a flow's author wrote, which may be anything.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

import re

from windhover.plugin.registry import PluginType, Registry

_TYPE_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*")
_LONGEST = 256


def is_type_name(written: object) -> bool:
    """The value has the form of a type's name, so that it may be looked for."""
    return isinstance(written, str) and len(written) <= _LONGEST and _TYPE_NAME.fullmatch(written) is not None


def find_type(registry: Registry, written: object) -> PluginType | None:
    """The type of this name or alias; None when there is none, or the value is no name at all."""
    return registry.find(str(written)) if is_type_name(written) else None
