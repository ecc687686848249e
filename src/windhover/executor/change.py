"""What one round of the executor does to one execution."""

from __future__ import annotations

import asyncio

import msgspec

from windhover.engine.effects import Effects
from windhover.engine.events import EngineEvent
from windhover.engine.live import LiveExecution
from windhover.engine.messages import Accepted
from windhover.executor.failure import Report
from windhover.model.execution import TaskRun
from windhover.model.gathered import GatheringKey, KeptGathering
from windhover.model.log import LogEntry
from windhover.model.trigger_state import TriggerKey
from windhover.repository.batch import CommitBatch, Timer


class Answer(msgspec.Struct):
    """What a command is answered with once its effect is committed."""

    future: asyncio.Future[Accepted]
    accepted: Accepted


class Change(msgspec.Struct):
    """All effects of a round on one execution, in the order they came about."""

    live: LiveExecution
    created: bool = False
    deleted: bool = False
    delete_logs: bool = False
    delete_metrics: bool = False
    delete_files: bool = False
    #: A kill has come down to it from the execution that started it.
    killed: bool = False
    #: Set when records were changed outside the engine, which is to go on from them.
    reworked: bool = False
    #: What to apply whatever the concurrency limit says.
    forced: EngineEvent | None = None
    effects: list[Effects] = msgspec.field(default_factory=list)
    answers: list[Answer] = msgspec.field(default_factory=list)
    #: What workers reported in this round, to be kept should the engine break off.
    reports: list[Report] = msgspec.field(default_factory=list)
    #: How many states of its history Flow triggers know of; all that it had, unless something else is given.
    known_states: int = -1
    #: What Flow triggers have gathered of it; None where that is complete and forgotten.
    gatherings: dict[GatheringKey, KeptGathering | None] = msgspec.field(default_factory=dict)
    #: What Flow triggers that it concerns have to say, in logs of their own.
    trigger_logs: list[LogEntry] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.known_states < 0:
            self.known_states = len(self.live.record.state.histories)

    @property
    def execution_id(self) -> str:
        return self.live.record.id

    @property
    def ended(self) -> bool:
        return self.deleted or any(effect.ended for effect in self.effects)

    @property
    def state_changed(self) -> bool:
        return self.created or any(effect.state_changed for effect in self.effects)

    @property
    def sets_timers(self) -> bool:
        """Timers are set or cleared, so another may be due first."""
        return self.deleted or any(effect.timers_set or effect.timers_cleared for effect in self.effects)

    @property
    def stopped_trigger(self) -> TriggerKey | None:
        """The trigger that is disabled since its execution has ended in one of the states of `stopAfter`."""
        record = self.live.record
        if record.trigger is None or record.awaited_by is not None or self.deleted:
            return None
        if not (record.state.current.is_terminated and self.state_changed):
            return None
        for trigger in self.live.flow.triggers:
            if (trigger.id, trigger.type) == (record.trigger.id, record.trigger.type):
                key = TriggerKey(record.tenant_id, record.namespace, record.flow_id, trigger.id)
                return key if record.state.current in trigger.stop_after else None
        return None

    def accepted(self) -> Accepted:
        """The execution as it is now, in copies that do not follow it."""
        record = self.live.record
        execution = msgspec.structs.replace(record, state=record.state.copy())
        if not self.reworked:
            return Accepted(execution)
        raw = msgspec.json.encode([node.record for node in self.live.nodes.values()])
        return Accepted(execution, msgspec.json.decode(raw, type=list[TaskRun]))

    def add_to(self, batch: CommitBatch) -> None:
        """Add the rows to write."""
        record = self.live.record
        batch.gatherings.extend(kept for kept in self.gatherings.values() if kept is not None)
        batch.forgotten_gatherings.extend(key for key, kept in self.gatherings.items() if kept is None)
        batch.logs.extend(self.trigger_logs)
        if self.deleted:
            batch.deleted_executions.append(record.id)
            if self.delete_logs:
                batch.deleted_logs.append(record.id)
            if self.delete_metrics:
                batch.deleted_metrics.append(record.id)
            if self.delete_files:
                batch.released_files.append(record)
            return
        if self.reworked and not self.created:
            # A purge may have said that they can go, while others still needed them.
            batch.reclaimed_files.append(record.id)
        if self.created:
            batch.created.append(record)
        elif any(effect.header_changed for effect in self.effects):
            batch.updated.append(record)
        if (stopped := self.stopped_trigger) is not None:
            batch.stopped_triggers[stopped] = record.state.histories[-1].date
        task_runs = {}
        timers: dict[str, Timer | None] = {}
        for effect in self.effects:
            task_runs.update(effect.task_runs)
            batch.removed_task_runs.extend(effect.removed_task_runs)
            batch.pages += effect.pages
            batch.logs.extend(effect.logs)
            batch.metrics.extend(effect.metrics)
            for key in effect.timers_cleared:
                timers[key] = None
            for key, due in effect.timers_set.items():
                timers[key] = Timer(record.id, key, due)
        batch.task_runs.extend(task_runs.values())
        for key, timer in timers.items():
            if timer is None:
                batch.timers_cleared.append((record.id, key))
            else:
                batch.timers_set.append(timer)
