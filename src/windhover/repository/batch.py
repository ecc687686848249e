"""What the executor writes in one transaction."""

from __future__ import annotations

from datetime import datetime

import msgspec

from windhover.model.execution import Execution, HistoryPage, TaskRun
from windhover.model.gathered import GatheringKey, KeptGathering
from windhover.model.log import LogEntry, Metric
from windhover.model.trigger_state import TriggerKey


class Timer(msgspec.Struct, frozen=True):
    """Something that is due for an execution at an instant (UTC): a retry, a timeout, the end of a pause.

    ``(execution_id, key)`` identifies it; setting it again replaces it.
    """

    execution_id: str
    key: str
    due: datetime


class CommitBatch(msgspec.Struct):
    """All changes of one round of the executor, of any number of executions.

    Log entries carry their sequence numbers already. The whole batch is written or none of it; once
    written it survives a power cut.

    The lists are applied in this order: timers cleared, records written and timers set, task runs removed
    (with their pages), executions deleted (with labels, task runs, pages and timers), logs and metrics
    deleted. ``pages`` are what the rows of other records in the batch no longer hold. ``deleted_executions``,
    ``deleted_logs`` and ``deleted_metrics`` hold ids of executions. ``gatherings`` are what Flow triggers
    have gathered; those that are also in ``forgotten_gatherings`` are deleted.

    ``stopped_triggers`` are disabled, at the time given.

    ``released_files`` are executions whose files may go, once no other execution borrows them; the files of
    those in ``reclaimed_files`` are in use again. What an execution that is created names of the files of
    others is borrowed: that is found in its records, and no list says it.
    """

    created: list[Execution] = msgspec.field(default_factory=list)
    updated: list[Execution] = msgspec.field(default_factory=list)
    deleted_executions: list[str] = msgspec.field(default_factory=list)
    task_runs: list[TaskRun] = msgspec.field(default_factory=list)
    removed_task_runs: list[str] = msgspec.field(default_factory=list)
    pages: list[HistoryPage] = msgspec.field(default_factory=list)
    timers_set: list[Timer] = msgspec.field(default_factory=list)
    timers_cleared: list[tuple[str, str]] = msgspec.field(default_factory=list)
    logs: list[LogEntry] = msgspec.field(default_factory=list)
    metrics: list[Metric] = msgspec.field(default_factory=list)
    deleted_logs: list[str] = msgspec.field(default_factory=list)
    deleted_metrics: list[str] = msgspec.field(default_factory=list)
    released_files: list[Execution] = msgspec.field(default_factory=list)
    reclaimed_files: list[str] = msgspec.field(default_factory=list)
    stopped_triggers: dict[TriggerKey, datetime] = msgspec.field(default_factory=dict)
    gatherings: list[KeptGathering] = msgspec.field(default_factory=list)
    forgotten_gatherings: list[GatheringKey] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)
