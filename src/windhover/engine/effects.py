"""What one step of the engine asks for: rows to write, then things to do once they are written."""

from __future__ import annotations

from datetime import datetime

import msgspec

from windhover.engine.messages import Job, KillTaskRun, StartChild
from windhover.model.execution import HistoryPage, TaskRun
from windhover.model.log import LogEntry, Metric


class Effects(msgspec.Struct):
    """The consequences of one event for one execution.

    The first group is written in one transaction; only then the second group may leave.
    """

    header_changed: bool = False
    #: The flow has its outputs: those too large for the record are to be put into the storage, now.
    has_outputs: bool = False
    #: Flow-control task runs whose outputs may be too large for their record, as ``has_outputs``.
    large_outputs: list[str] = msgspec.field(default_factory=list)
    task_runs: dict[str, TaskRun] = msgspec.field(default_factory=dict)
    removed_task_runs: list[str] = msgspec.field(default_factory=list)
    #: What the records above no longer hold in their rows.
    pages: list[HistoryPage] = msgspec.field(default_factory=list)
    timers_set: dict[str, datetime] = msgspec.field(default_factory=dict)
    timers_cleared: set[str] = msgspec.field(default_factory=set)
    logs: list[LogEntry] = msgspec.field(default_factory=list)
    metrics: list[Metric] = msgspec.field(default_factory=list)

    jobs: list[Job] = msgspec.field(default_factory=list)
    kills: list[KillTaskRun] = msgspec.field(default_factory=list)
    #: Shared directories that no job will ask for any more.
    directories_released: list[str] = msgspec.field(default_factory=list)
    #: Executions to create in the same commit, and to kill.
    children_to_start: list[StartChild] = msgspec.field(default_factory=list)
    children_to_kill: list[str] = msgspec.field(default_factory=list)
    #: Task runs all of whose executions are to be killed.
    batches_to_kill: list[str] = msgspec.field(default_factory=list)
    #: All that comes of this execution is to be killed, waited for or not.
    kills_descendants: bool = False
    #: Restarted task runs, to be told how many of their executions failed; those are then restarted.
    batches_to_restart: list[str] = msgspec.field(default_factory=list)
    #: A new execution is to take the place of this one, which was retried.
    replay: bool = False
    state_changed: bool = False
    #: The execution is over, with everything that runs after its end: it may leave memory.
    ended: bool = False

    @property
    def spreads(self) -> bool:
        """Other executions are to know of it."""
        return bool(
            self.children_to_start
            or self.children_to_kill
            or self.batches_to_kill
            or self.kills_descendants
            or self.batches_to_restart
            or self.replay
            or self.ended
        )
