"""One loop: look at what is due and at what workers have seen, commit what follows, and tell the executor.

A round is one transaction: the states of triggers, the keys of the events that were seen, and the executions
these start. A trigger is claimed by a lease before it is looked at, and what comes of the look counts only as
long as the lease does, so any number of schedulers share one database.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import (
    EventGathered,
    ExecutionStored,
    FlowChanged,
    TriggersChanged,
)
from windhover.engine.schedule_dates import is_conditional
from windhover.engine.trigger_messages import (
    EventRefused,
    EventSeen,
    KeysForgotten,
    ListeningEnded,
    ListeningStarted,
    LookEnded,
    SchedulerMessage,
    TriggeredExecutionEnded,
    TriggerLogged,
)
from windhover.model.flow import Flow
from windhover.model.trigger import Trigger
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.plugin.trigger import ScheduleTrigger, TriggerDefinition
from windhover.queue.local import LocalQueue
from windhover.repository.backfills import BackfillRepository
from windhover.repository.batched_events import BatchedEvent, event_name
from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable
from windhover.repository.trigger_logs import TriggerJournal
from windhover.repository.triggers import Ended, ForgottenKeys, TriggerBatch, TriggerEvent, TriggerRepository
from windhover.scheduler.backfills import Backfills
from windhover.scheduler.foresight import Foresight
from windhover.scheduler.latest_flows import LatestFlows
from windhover.scheduler.schedules import Outcome, Schedules, failed_look
from windhover.scheduler.settings import SchedulerSettings
from windhover.scheduler.sightings import Sightings
from windhover.util.ids import new_id
from windhover.util.turn import Turn

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Flows by their revisions, and the triggers that each declares, as far as a round has read them.
_Read = dict[tuple[str, str, str, int], tuple[Flow, dict[str, Trigger]]]

#: By how much a transaction that starts nothing may be larger than others.
_MOST_CLAIMED = 10

#: After how much of a lease what was done under it is written, and it is renewed.
_PART_OF_LEASE = 0.25


class Scheduler:
    """Looks at triggers. Several may share a database, each in a process of its own."""

    def __init__(
        self,
        triggers: TriggerRepository,
        backfills: BackfillRepository,
        definitions: FlowDefinitions,
        queue: LocalQueue,
        environment: EngineEnvironment,
        *,
        clock: Callable[[], datetime],
        settings: SchedulerSettings,
    ) -> None:
        self._triggers = triggers
        self._queue = queue
        self._clock = clock
        self._settings = settings
        self._journal = TriggerJournal()
        self._flows = LatestFlows(definitions)
        self._schedules = Schedules(
            environment, self._journal, settings.zone, settings.recover, watching_since=clock()
        )
        self._backfills = Backfills(backfills, triggers, self._schedules, self._flows, environment, clock)
        self._sightings = Sightings(queue, environment, self._journal, clock, settings.listen_lease)
        self._foresight = Foresight(triggers, self._flows, clock)
        self._next_due: datetime | None = None
        self._next_check = clock()
        self._next_sweep = clock()
        self._stopping = False
        self._failed_rounds = 0
        #: What was said and is not committed.
        self._waiting: list[SchedulerMessage] = []

    async def start(self) -> None:
        """Find out what happened while no scheduler ran."""
        self._queue.scheduler.attend()
        await self._backfills.wake()
        await self._release()
        await self.refresh()

    async def refresh(self) -> None:
        """Find out what is due, as others may have changed it."""
        self._next_due = await self._triggers.next_due()
        await self._backfills.refresh()

    async def run(self) -> None:
        """Work until :meth:`stop`. While the database is away, what was said waits."""
        aside = [
            asyncio.create_task(self._listen(), name="changed triggers"),
            asyncio.create_task(self._foresight.run(), name="flows read ahead"),
        ]
        try:
            while not self._stopping:
                try:
                    await self.work()
                except RepositoryUnavailable as error:
                    await self._wait_for_database(error)
                    continue
                self._failed_rounds = 0
                await self._sleep()
            # What was said last counts: listeners let go of their triggers, and others take them up at once.
            self._waiting += self._queue.scheduler.drain()
            await self._hear(self._waiting, self._clock())
        except RepositoryUnavailable as error:
            logger.warning("Stopped without the database; triggers are taken up when leases end: %s", error)
        finally:
            for task in aside:
                task.cancel()

    async def work(self) -> None:
        """One round: hear what was said, and look at what is due.

        Raises:
            RepositoryUnavailable: what was said and is not committed is heard again.
        """
        self._waiting += self._queue.scheduler.drain()
        await self._round(self._waiting)
        self._waiting.clear()

    def stop(self) -> None:
        """End :meth:`run` after the round under way; what was not committed was not acknowledged."""
        self._stopping = True
        self._queue.scheduler.wake()

    async def _listen(self) -> None:
        with self._queue.broadcasts.subscribe(kinds=(FlowChanged, TriggersChanged)) as messages:
            async for _ in messages:
                self._queue.scheduler.send(TriggersChanged())

    # ---------------------------------------------------------------- waiting

    async def _sleep(self) -> None:
        now = self._clock()
        wanted = [self._settings.tick, self._next_check - now]
        due = [at for at in (self._next_due, self._backfills.next_due) if at is not None]
        wanted += [at - now for at in due]
        await self._queue.scheduler.wait(max(0.0, min(wanted).total_seconds()))

    async def _wait_for_database(self, error: RepositoryUnavailable) -> None:
        pause = min(5.0, 0.1 * 2 ** min(self._failed_rounds, 10))
        if not self._failed_rounds:
            logger.warning("Triggers wait for the database: %s", error)
        self._failed_rounds += 1
        await asyncio.sleep(pause)

    # ---------------------------------------------------------------- a round

    async def _round(self, messages: list[SchedulerMessage]) -> None:
        now = self._clock()
        if messages:
            await self._hear(messages, now)
        if self._next_due is not None and self._next_due <= now:
            await self._look()
        await self._backfills.look(now, self._commit)
        # A clock that was set back must not put the check off.
        if not now < self._next_check <= now + self._settings.check_interval:
            self._next_check = now + self._settings.check_interval
            await self._release()
            self._next_due = await self._triggers.next_due()
        if now >= self._next_sweep:
            self._next_sweep = now + timedelta(hours=1)
            await self._triggers.forget_events(now - self._settings.keep_events)

    async def _look(self) -> None:
        """Look at what is due, some triggers under each lease, the most overdue first."""
        limit = self._settings.claim
        while not self._stopping:
            began, lease = self._clock(), new_id()
            claimed = await self._triggers.claim_due(lease, began + self._settings.lease, began, limit)
            started = await self._look_at_all(lease, claimed, began)
            if len(claimed) < limit:
                break
            limit = self._next_limit(limit, self._clock() - began, started_any=started)
        self._next_due = await self._triggers.next_due()

    def _next_limit(self, limit: int, took: timedelta, *, started_any: bool) -> int:
        """How many triggers to look at in the next transaction.

        What starts nothing, such as a schedule that is new, keeps nobody waiting, and costs less in larger
        transactions. What starts executions is committed often, so that they begin.
        """
        if started_any or took > self._settings.lease / 10:
            return self._settings.claim
        return min(2 * limit, _MOST_CLAIMED * self._settings.claim)

    async def _look_at_all(self, lease: str, claimed: Sequence[TriggerState], now: datetime) -> bool:
        """Look at what a lease holds, and write what comes of it; returns whether that starts executions.

        However long it takes, and whoever else looks for what is due: what was looked at is written before
        the lease ends, and the lease of the rest begins anew.
        """
        read: _Read = {}
        waiting = deque(claimed)
        started = False
        while waiting:
            batch, looked_at = await self._look_at_some(lease, waiting, read, now)
            await self._commit(batch, now)
            for state in looked_at:
                self._sightings.hand_out(state.key)
            started = started or bool(batch.events)
            if waiting:
                now = self._clock()
                await self._renew(lease)
        return started

    async def _look_at_some(
        self, lease: str, waiting: deque[TriggerState], read: _Read, now: datetime
    ) -> tuple[TriggerBatch, list[TriggerState]]:
        """Look at triggers until enough of the lease is over; those that were looked at wait no longer."""
        batch = TriggerBatch()
        looked_at = []
        turn = Turn()
        while waiting:
            state = waiting.popleft()
            outcome = await self._look_at(lease, state, read, now)
            looked_at.append(state)
            batch.evaluations.append(outcome.evaluation)
            batch.events.extend(outcome.events)
            batch.logs.extend(outcome.logs)
            if self._clock() - now >= self._settings.lease * _PART_OF_LEASE:
                break
            await turn.give_way()
        return batch, looked_at

    async def _look_at(self, lease: str, state: TriggerState, read: _Read, now: datetime) -> Outcome:
        try:
            flow, trigger = await self._definition(state, read)
            match trigger:
                case ScheduleTrigger() if is_conditional(trigger):
                    # The next date on which conditions hold may be one of ten thousand.
                    search = asyncio.to_thread(self._schedules.look, state, flow, trigger, now)
                    return await self._while_held(lease, search)
                case ScheduleTrigger():
                    return self._schedules.look(state, flow, trigger, now)
                case TriggerDefinition():
                    return self._sightings.prepare(state, flow, trigger, now, self._settings.look_limit)
                case _:
                    raise ValueError(f"A trigger of type {trigger.type} is not scheduled")
        except RepositoryUnavailable:
            raise
        except Exception as error:
            # Whatever goes wrong with one trigger, the others must not wait for it.
            if not isinstance(error, FlowNotFound | FlowUnreadable):
                logger.exception("Trigger %s cannot be looked at", state.key)
            return failed_look(state, str(error), now, self._journal)

    async def _while_held(self, lease: str, look: Coroutine[None, None, Outcome]) -> Outcome:
        """What comes of a long look; its lease does not end before it."""
        looking = asyncio.ensure_future(look)
        pause = (self._settings.lease * _PART_OF_LEASE).total_seconds()
        try:
            while not (await asyncio.wait({looking}, timeout=pause))[0]:
                await self._renew(lease)
            return looking.result()
        finally:
            looking.cancel()

    async def _renew(self, lease: str) -> None:
        await self._patiently(lambda: self._triggers.renew(lease, self._clock() + self._settings.lease))

    async def _definition(self, state: TriggerState, read: _Read) -> tuple[Flow, Trigger]:
        key = state.key
        # The revision that the state belongs to: they are written together.
        revision = (key.tenant_id, key.namespace, key.flow_id, state.flow_revision)
        known = read.get(revision)
        if known is None:
            flow = await self._flows.get_revision(*revision)
            known = read[revision] = (flow, {trigger.id: trigger for trigger in flow.triggers})
        flow, triggers = known
        trigger = triggers.get(key.trigger_id)
        if trigger is None:
            raise ValueError(f"The flow declares no trigger `{key.trigger_id}`")
        return flow, trigger

    # ---------------------------------------------------------------- what is said

    async def _hear(self, messages: list[SchedulerMessage], now: datetime) -> None:
        batch = TriggerBatch()
        seen: list[tuple[EventSeen, TriggerEvent | BatchedEvent | None]] = []
        forgotten: list[KeysForgotten] = []
        looks: list[tuple[LookEnded, list[TriggerEvent]]] = []
        ended: list[TriggeredExecutionEnded] = []
        for message in messages:
            match message:
                case EventSeen():
                    flow = await self._flow_of(message.job.key, message.job.flow)
                    event = self._sightings.seen(message, flow, now, batch.logs)
                    match event:
                        case TriggerEvent():
                            batch.events.append(event)
                        case BatchedEvent():
                            batch.gathered.append(event)
                    seen.append((message, event))
                case KeysForgotten():
                    job = message.job
                    batch.forgotten.append(ForgottenKeys(job.key, message.prefix, job.lease))
                    forgotten.append(message)
                case LookEnded():
                    flow = await self._flow_of(message.job.key, message.job.flow)
                    outcome = self._sightings.looked(message, flow, now)
                    batch.evaluations.append(outcome.evaluation)
                    batch.events.extend(outcome.events)
                    batch.logs.extend(outcome.logs)
                    looks.append((message, outcome.events))
                case ListeningStarted():
                    batch.evaluations.append(self._sightings.listening(message, now))
                case ListeningEnded():
                    flow = await self._flow_of(message.job.key, message.job.flow)
                    outcome = self._sightings.listened(message, flow, now)
                    batch.evaluations.append(outcome.evaluation)
                    batch.events.extend(outcome.events)
                    batch.logs.extend(outcome.logs)
                case TriggerLogged():
                    batch.logs.extend(
                        self._journal.line(message.key, line.level, line.message, line.timestamp)
                        for line in message.lines
                    )
                case TriggeredExecutionEnded():
                    ended.append(message)
                case TriggersChanged():
                    self._flows.forget()
                    await self._backfills.wake()
        taken = await self._commit(batch, now)
        # What is committed must not be heard again, should the database go away from here on.
        messages[:] = ended
        for sighting, event in seen:
            _settle(sighting.taken, event is None or await self._is_taken(event, taken))
        held = {lease: await self._is_held(lease) for lease in {each.job.lease for each in forgotten}}
        for each in forgotten:
            _settle(each.taken, held[each.job.lease])
        for look, events in looks:
            if all([await self._is_taken(event, taken) for event in events]):
                self._sightings.acknowledge(look)
        if ended:
            await self._executions_ended(ended)
        self._next_due = await self._triggers.next_due()

    async def _flow_of(self, key: TriggerKey, last_known: Flow) -> Flow:
        try:
            return await self._flows.get(key.tenant_id, key.namespace, key.flow_id)
        except (FlowNotFound, FlowUnreadable):
            return last_known

    async def _is_taken(self, event: TriggerEvent | BatchedEvent, taken: set[str]) -> bool:
        """Whether an event has started an execution or was kept for one, now or before.

        One that was seen under a lease which is lost has not: it has to come again, to whoever looks now.
        """
        event_id, name = _identity(event)
        if event_id in taken:
            return True
        found = await self._patiently(lambda: self._triggers.execution_of(event.key, name))
        return found is not None

    async def _is_held(self, lease: str) -> bool:
        return await self._patiently(lambda: self._triggers.is_held(lease))

    async def _commit(self, batch: TriggerBatch, now: datetime) -> set[str]:
        """Write a batch, the same one until it is known to be written: an error may have come after that."""
        taken = await self._patiently(lambda: self._triggers.commit(batch, now))
        for event in batch.events:
            if event.execution.id in taken:
                self._started(event)
        for key in {event.key for event in batch.gathered}:
            self._queue.broadcasts.publish(EventGathered(key))
        return taken

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the database answers, once it does."""
        while True:
            try:
                return await ask()
            except RepositoryUnavailable as error:
                if self._stopping:
                    raise
                await self._wait_for_database(error)

    def _started(self, event: TriggerEvent) -> None:
        self._queue.executor.send(ExecutionStored(event.execution.id, event.execution, len(event.logs)))

    # ---------------------------------------------------------------- executions that end

    async def _executions_ended(self, messages: list[TriggeredExecutionEnded]) -> None:
        await self._backfills.executions_ended({message.execution_id for message in messages})
        ended = [Ended(message.key, message.execution_id) for message in messages]
        await self._triggers.release(ended, self._clock())

    async def _release(self) -> None:
        """Let triggers go whose execution is over though nobody said so."""
        await self._triggers.release(await self._triggers.held_by_ended(), self._clock())


def _settle(taken: asyncio.Future[None], is_taken: bool) -> None:
    """Tell whoever listens whether its source may be told that this is dealt with."""
    if taken.done():
        return
    if is_taken:
        taken.set_result(None)
    else:
        taken.set_exception(EventRefused("the trigger was disabled, changed or taken over"))


def _identity(event: TriggerEvent | BatchedEvent) -> tuple[str, str]:
    """The id under which an event is taken, and the name that tells it from others."""
    if isinstance(event, TriggerEvent):
        return event.execution.id, event.event
    return event.id, event_name(event)
