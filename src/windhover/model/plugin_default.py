"""Properties that tasks of a type have unless they say otherwise.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from pydantic import Field

from windhover.model.definition import Definition, Text
from windhover.model.execution import JsonValue


class PluginDefault(Definition):
    """Values for all plugins whose type begins with ``type``; ``forced`` ones beat what the plugin says."""

    type: Text
    forced: bool = False
    values: dict[str, JsonValue] = Field(default_factory=dict)
