"""Tasks that start other executions.

The executor renders such a task, starts what it asks for in the same commit, and ends its run when the
other execution has ended (or at once, where nobody waits).

Documentation page: ``docs/subflows.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from windhover.model.execution import JsonValue, Label
from windhover.model.state import StateType
from windhover.plugin.kind import PluginKind
from windhover.plugin.task import BoundTask, Output


class ChildRequest(msgspec.Struct, frozen=True):
    """An execution to start. ``revision`` None means the latest; ``wait``: the task ends when it ends.

    ``restart_failed``: when the task is restarted, so is the execution that failed, instead of a new one.
    """

    namespace: str
    flow_id: str
    revision: int | None = None
    inputs: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    inherit_labels: bool = False
    wait: bool = True
    schedule_date: datetime | None = None
    restart_failed: bool = False


class Batches(msgspec.Struct, frozen=True):
    """The pieces of something: how many there are, and the URI of each by its index."""

    count: int
    uri: Callable[[int], str]


class ExecutableTask(BoundTask):
    """Base class of tasks that start an execution of another flow."""

    plugin_kind: ClassVar[PluginKind] = PluginKind.EXECUTABLE

    #: The outputs of its runs, for documentation and checks.
    output: ClassVar[type[Output] | None] = None

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


class BatchTask(ExecutableTask):
    """Base class of tasks that start an execution for each of many pieces.

    Its properties are rendered once a piece, with its URI as ``taskrun.items`` and its index as
    ``taskrun.iteration``, and :meth:`child` is asked for the execution of that piece.
    """

    @classmethod
    @abstractmethod
    def batches(cls, previous: JsonValue) -> Batches:
        """The pieces, from the variable ``previous`` of a chained lane: what the task before has left.

        Raises:
            ValueError: there are none to be told; the run fails with this message.
        """

    @classmethod
    def restarts_failed(cls, properties: Mapping[str, JsonValue]) -> bool:
        """Whether a restart takes up again the executions that failed, and no others; else all begin anew."""
        return True

    @classmethod
    @abstractmethod
    def outcome(cls, properties: Mapping[str, JsonValue], ended: Mapping[StateType, int]) -> StateType:
        """How the run ends, from how many executions ended in which state, and the unrendered properties."""
