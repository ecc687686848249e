"""Base classes of conditions: what must hold for a trigger to start an execution.

A condition is a definition: it says what to compare and keeps text that may hold expressions as written.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

from typing import ClassVar

from windhover.model.trigger import Condition
from windhover.plugin.documentation import Example
from windhover.plugin.kind import PluginKind


class ConditionType(Condition):
    """Base class of condition types."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.CONDITION
    type_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    deprecated: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = ()


class ScheduleConditionType(ConditionType):
    """Base class of conditions that can be decided from a date alone, so that a schedule can look ahead."""
