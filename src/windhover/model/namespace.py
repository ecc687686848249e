"""What is declared for all flows of a namespace, and of the namespaces below it.

Documentation page: ``docs/namespaces.md``.
"""

from __future__ import annotations

from pydantic import Field

from windhover.model.definition import Definition, Text
from windhover.model.execution import JsonValue
from windhover.model.flow import Namespace
from windhover.model.plugin_default import PluginDefault


class NamespaceRecord(Definition):
    """A namespace that somebody has described. A namespace exists without, as soon as a flow names it.

    ``variables`` are read as ``namespace.<name>``.
    """

    id: Namespace
    description: Text | None = None
    variables: dict[str, JsonValue] = Field(default_factory=dict)
    plugin_defaults: tuple[PluginDefault, ...] = ()
