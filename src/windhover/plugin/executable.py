"""Tasks that start other executions.

The executor renders such a task, starts what it asks for in the same commit, and ends its run when the
other execution has ended (or at once, where nobody waits).

Documentation page: ``docs/subflows.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from windhover.model.execution import JsonValue, Label
from windhover.model.state import StateType
from windhover.plugin.kind import PluginKind
from windhover.plugin.task import BoundTask


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """An execution to start. ``revision`` None means the latest; ``wait``: the task ends when it ends."""

    namespace: str
    flow_id: str
    revision: int | None = None
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    inherit_labels: bool = False
    wait: bool = True
    schedule_date: datetime | None = None


class ExecutableTask(BoundTask):
    """Base class of tasks that start an execution of another flow."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.EXECUTABLE

    @abstractmethod
    def child(self) -> ChildRequest:
        """What to start.

        Raises:
            ValueError: the properties make no sense; the run fails with this message.
        """

    def legacy_outputs(self) -> dict[str, JsonValue] | None:
        """Outputs to render among the variables of the other execution, if its flow declares none itself."""
        return None

    @abstractmethod
    def end_state(self, child: StateType) -> StateType:
        """How the run ends when its execution has ended as ``child``, before ``allowFailure`` applies."""
