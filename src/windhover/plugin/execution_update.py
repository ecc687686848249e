"""Tasks that change the execution they are in: its labels, its variables, or its end.

They do no work, so the executor carries them out itself.

Documentation page: ``docs/flow-control.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from windhover.model.execution import Execution, JsonValue, Label
from windhover.model.state import StateType
from windhover.plugin.kind import PluginKind
from windhover.plugin.task import BoundTask


class ExecutionUpdate(msgspec.Struct, frozen=True):
    """What becomes of the execution; None leaves as it is. ``end`` ends it at once in that state."""

    labels: Sequence[Label] | None = None
    variables: dict[str, JsonValue] | None = None
    end: StateType | None = None


class ExecutionUpdateTask(BoundTask):
    """Base class of tasks that change their execution."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.EXECUTION_UPDATE

    @abstractmethod
    def update(self, execution: Execution) -> ExecutionUpdate:
        """What to change. The record is not to be changed here.

        Raises:
            ValueError: it cannot be done; the run fails with this message.
        """
