"""Triggers that workers look after: handed out to them, and what they report."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from windhover.engine.conditions import conditions_hold, flow_context
from windhover.engine.creation import FlowInputRenderer
from windhover.engine.environment import EngineEnvironment
from windhover.engine.firing import FROM_TRIGGER, Firing, Occasion, failed_firing, fire
from windhover.engine.spill import stored_value
from windhover.engine.trigger_messages import (
    EventSeen,
    ListeningEnded,
    ListeningStarted,
    LookEnded,
    Sighting,
    TriggerJob,
)
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue
from windhover.model.flow import Flow
from windhover.model.log import LogEntry, LogLevel
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.plugin.condition import ConditionError
from windhover.plugin.event_batch import EventBatch
from windhover.plugin.trigger import PollingTrigger, TriggerDefinition
from windhover.queue.local import LocalQueue
from windhover.repository.batched_events import BatchedEvent, EventContent
from windhover.repository.trigger_logs import TriggerJournal
from windhover.repository.triggers import Evaluation, TriggerEvent
from windhover.scheduler.schedules import Outcome, failed_look, numbered

logger = logging.getLogger(__name__)


#: A longer key of an event is kept as its digest.
_LONGEST_KEY = 256


class _Fired(msgspec.Struct, frozen=True):
    """What an event has started, and the key that tells it from other events, if it has one."""

    key: str | None
    firing: Firing


class Sightings:
    """Hands triggers to workers, and turns what they have seen into executions."""

    def __init__(
        self,
        queue: LocalQueue,
        environment: EngineEnvironment,
        journal: TriggerJournal,
        clock: Callable[[], datetime],
        listen_lease: timedelta,
    ) -> None:
        self._queue = queue
        self._environment = environment
        self._journal = journal
        self._clock = clock
        self._listen_lease = listen_lease
        self._prepared: dict[TriggerKey, TriggerJob] = {}
        self._acknowledging: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------- handing out

    def prepare(
        self,
        state: TriggerState,
        flow: Flow,
        trigger: TriggerDefinition,
        now: datetime,
        look_limit: timedelta,
    ) -> Outcome:
        """Give a trigger to a worker, once its lease is written to last as long as that needs."""
        polls = issubclass(trigger.plugin, PollingTrigger)
        until = now + (look_limit if polls else self._listen_lease)
        # The lease it was claimed with is shared with others that were due: it gets its own.
        lease = self._environment.new_id()
        held = msgspec.structs.replace(state, lease=lease)
        self._prepared[state.key] = TriggerJob(held, flow, trigger, self._environment.new_id(), until)
        evaluation = Evaluation(
            state,
            state.memory,
            due=until,
            next_date=state.next_date,
            last_triggered=state.last_triggered,
            lease=lease,
        )
        return Outcome(evaluation)

    def hand_out(self, key: TriggerKey) -> None:
        """Send a prepared trigger to a worker, now that its lease is committed."""
        job = self._prepared.pop(key, None)
        if job is not None:
            self._queue.trigger_jobs.send(job)

    # ---------------------------------------------------------------- looking

    def looked(self, look: LookEnded, flow: Flow, now: datetime) -> Outcome:
        """What a polling trigger has found."""
        job = look.job
        state = job.state
        if look.error is not None:
            return self._look_failed(look, flow, look.error, now)
        memory = msgspec.structs.replace(
            state.memory,
            evaluated_at=now,
            failures=0,
            reason=None,
            poll=state.memory.poll if look.memory is None else look.memory,
        )
        events: list[TriggerEvent] = []
        if look.sighting is not None:
            try:
                counts = self._counts(job, flow, look.sighting)
            except ConditionError as error:
                return self._look_failed(look, flow, str(error), now)
            if counts:
                fired = self._fire(job, flow, look.sighting, now, job.execution_id)
                key = fired.key or f"look/{job.execution_id}"
                logs = numbered(fired.firing.logs)
                events.append(TriggerEvent(state.key, key, fired.firing.execution, logs, state.lease))
        held = events[-1].execution.id if events else None
        next_date = now + look.interval
        evaluation = Evaluation(
            state,
            memory,
            due=None if held is not None and not job.trigger.allow_concurrent else next_date,
            next_date=next_date,
            last_triggered=now if events else state.last_triggered,
            execution_id=held,
        )
        return Outcome(evaluation, events)

    def acknowledge(self, look: LookEnded) -> None:
        """Tell the source that an event is committed."""
        if look.sighting is None or look.sighting.acknowledge is None:
            return
        task = asyncio.ensure_future(self._acknowledge(look.job.key, look.sighting.acknowledge))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _acknowledge(self, key: TriggerKey, acknowledge: Callable[[], Awaitable[None]]) -> None:
        try:
            await acknowledge()
        except Exception as error:
            logger.warning("Trigger %s could not acknowledge an event: %s", key, error)

    def _look_failed(self, look: LookEnded, flow: Flow, reason: str, now: datetime) -> Outcome:
        return self._job_failed(look.job, flow, reason, now)

    def _job_failed(self, job: TriggerJob, flow: Flow, reason: str, now: datetime) -> Outcome:
        """A trigger that failed is tried again later; if that is wanted, an execution fails, too."""
        outcome = failed_look(job.state, reason, now, self._journal)
        if job.trigger.fail_on_trigger_error:
            key = f"look/{job.execution_id}"
            outcome.events.append(self._failure(job, flow, {}, job.execution_id, key, reason, now))
        return outcome

    def _failure(
        self,
        job: TriggerJob,
        flow: Flow,
        variables: Mapping[str, JsonValue],
        execution_id: str,
        key: str,
        reason: str,
        now: datetime,
    ) -> TriggerEvent:
        """An execution that fails in place of one that the trigger would have started."""
        occasion = Occasion(job.trigger, variables, labels=[FROM_TRIGGER], execution_id=execution_id)
        firing = failed_firing(flow, occasion, reason, self._environment, now)
        return TriggerEvent(job.key, key, firing.execution, numbered(firing.logs), job.lease)

    # ---------------------------------------------------------------- listening

    def listening(self, started: ListeningStarted, now: datetime) -> Evaluation:
        """A worker listens: the trigger is well again."""
        state = started.job.state
        memory = msgspec.structs.replace(state.memory, evaluated_at=now, failures=0, reason=None)
        return Evaluation(
            state,
            memory,
            due=now + self._listen_lease,
            last_triggered=state.last_triggered,
            worker_id=started.worker_id,
            lease=state.lease,
        )

    def seen(
        self, seen: EventSeen, flow: Flow, now: datetime, logs: list[LogEntry]
    ) -> TriggerEvent | BatchedEvent | None:
        """What becomes of an event that a listener has seen: an execution, or a part of one.

        None when conditions do not hold.
        """
        job = seen.job
        event_id = self._environment.new_id()
        try:
            if not self._counts(job, flow, seen.sighting):
                return None
        except ConditionError as error:
            if job.trigger.fail_on_trigger_error:
                key = seen.sighting.key or f"event/{event_id}"
                return self._failure(job, flow, seen.sighting.variables, event_id, key, str(error), now)
            logs.append(self._journal.line(job.key, LogLevel.ERROR, f"An event is passed over: {error}", now))
            return None
        if job.trigger.batch is not None:
            gathered = self._gathered(job, flow, seen.sighting, now, event_id, job.trigger.batch)
            if gathered is not None:
                return gathered
        fired = self._fire(job, flow, seen.sighting, now, event_id)
        key = fired.key or f"event/{event_id}"
        return TriggerEvent(job.key, key, fired.firing.execution, numbered(fired.firing.logs), job.lease)

    def _gathered(
        self,
        job: TriggerJob,
        flow: Flow,
        sighting: Sighting,
        now: datetime,
        event_id: str,
        batch: EventBatch,
    ) -> BatchedEvent | None:
        """An event that waits for others; None when its key cannot be rendered, which is told by itself."""
        try:
            name = self._key(job.trigger, flow, sighting)
        except ExpressionError:
            return None
        variables = sighting.variables
        stored = [value for value in map(stored_value, variables.values()) if value is not None]
        size = len(msgspec.json.encode(variables)) + sum(value.size for value in stored)
        return BatchedEvent(
            id=event_id,
            key=job.key,
            content=EventContent(variables, [value.uri for value in stored]),
            size=size,
            received=now,
            due=now + batch.max_duration,
            name=name,
            lease=job.lease,
        )

    def listened(self, ended: ListeningEnded, flow: Flow, now: datetime) -> Outcome:
        """A worker listens no more."""
        state = ended.job.state
        if ended.error is not None:
            return self._job_failed(ended.job, flow, ended.error, now)
        memory = msgspec.structs.replace(state.memory, evaluated_at=now)
        return Outcome(Evaluation(state, memory, due=now, last_triggered=state.last_triggered))

    # ---------------------------------------------------------------- executions

    def _fire(
        self, job: TriggerJob, flow: Flow, sighting: Sighting, now: datetime, execution_id: str
    ) -> _Fired:
        """The execution of an event that counts.

        An event whose key cannot be rendered is not lost: its execution fails with the reason.
        """
        trigger = job.trigger
        occasion = Occasion(trigger, sighting.variables, labels=[FROM_TRIGGER], execution_id=execution_id)
        try:
            key = self._key(trigger, flow, sighting)
        except ExpressionError as error:
            reason = f"The eventKey of the trigger cannot be rendered: {error}"
            return _Fired(sighting.key, failed_firing(flow, occasion, reason, self._environment, now))
        return _Fired(key, fire(flow, occasion, self._environment, now))

    def _counts(self, job: TriggerJob, flow: Flow, sighting: Sighting) -> bool:
        """Whether the conditions of a trigger hold for an event.

        Raises:
            ConditionError: it cannot be told.
        """
        return conditions_hold(job.trigger, flow_context(flow, sighting.variables, self._environment))

    def _key(self, trigger: TriggerDefinition, flow: Flow, sighting: Sighting) -> str | None:
        """What tells an event from others: what the trigger's `eventKey` says, else what the source does."""
        template = trigger.properties.get("eventKey")
        if template is None:
            return sighting.key
        renderer = FlowInputRenderer(self._environment, flow, "", {"trigger": dict(sighting.variables)})
        key = str(renderer.render(template, {})).replace("\0", "")
        if len(key) > _LONGEST_KEY:
            return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        return key or sighting.key
