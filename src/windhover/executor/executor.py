"""One loop: take what waits, apply it in memory, commit it in one transaction, dispatch what follows.

Idle, a round holds one event and costs one commit; under load rounds grow and the cost per event
falls. Nothing leaves before it is committed, so that after a crash the database alone says what was
under way.

Documentation page: ``ARCHITECTURE.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from windhover.engine.environment import EngineEnvironment
from windhover.engine.live import LiveExecution
from windhover.engine.messages import (
    CommandRefused,
    Event,
    ExecutionChanged,
    ExecutionStored,
    FlowChanged,
    LogsCommitted,
    ReleaseDirectory,
    TaskEnded,
)
from windhover.engine.trigger_messages import TriggeredExecutionEnded
from windhover.executor.actions import Actions
from windhover.executor.admission import Admission, FlowKey, flow_key
from windhover.executor.alarm import Alarm
from windhover.executor.change import Change
from windhover.executor.children import ChildFactory
from windhover.executor.commands import Commands
from windhover.executor.committer import Committer
from windhover.executor.event_order import failures_first
from windhover.executor.flow_triggers import FlowTriggers
from windhover.executor.house import Clock, House
from windhover.executor.large_values import LargeValues
from windhover.executor.patience import Patience
from windhover.executor.round import Round
from windhover.model.gathered import GatheringKey, KeptGathering
from windhover.model.state import StateType
from windhover.model.trigger_state import TriggerKey
from windhover.queue.local import LocalQueue, PendingCommand
from windhover.repository.batch import CommitBatch
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable
from windhover.repository.gatherings import GatheringRepository

logger = logging.getLogger(__name__)


class ExecutorSettings(msgspec.Struct, frozen=True):
    """How an executor works.

    ``round_limit``: events applied before a commit, at most. ``retry_delay`` and
    ``retry_delay_limit``: seconds between tries while the database is away, and ``stop_without_database``
    for how long it is waited for once the server stops.
    """

    round_limit: int = 1000
    recovery_batch: int = 200
    retry_delay: float = 0.1
    retry_delay_limit: float = 5.0
    stop_without_database: float = 5.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class Executor:
    """Owns all executions that are under way."""

    def __init__(
        self,
        executions: ExecutionRepository,
        definitions: FlowDefinitions,
        queue: LocalQueue,
        environment: EngineEnvironment,
        *,
        gatherings: GatheringRepository,
        large_values: LargeValues | None = None,
        clock: Clock = utc_now,
        settings: ExecutorSettings | None = None,
    ) -> None:
        settings = settings or ExecutorSettings()
        self._patience = Patience(settings.retry_delay, settings.retry_delay_limit)
        executions = self._executions = self._patience.with_(executions)
        definitions = self._definitions = self._patience.with_(definitions)
        self._queue = queue
        self._clock = clock
        flow_triggers = FlowTriggers(definitions, self._patience.with_(gatherings), environment, clock)
        self._house = House(
            executions,
            definitions,
            environment,
            clock,
            children=ChildFactory(definitions, environment, clock),
            actions=Actions(definitions, environment, clock),
            admission=Admission(executions, definitions, self._in_memory),
            flow_triggers=flow_triggers,
            large_values=large_values,
        )
        self._changed_flows: list[FlowChanged] = []
        #: Executions found at the start that have not begun.
        self._not_begun: list[str] = []
        self._settings = settings
        self._committer = Committer(executions)
        self._alarm = Alarm(executions, clock, queue.executor.wake, also=lambda: flow_triggers.next_deadline)
        self._stopping = False
        #: Set when the executor had to stop without having written all that it was told.
        self.left_unwritten = False

    # ---------------------------------------------------------------- life

    async def start(self) -> int:
        """Take up what was under way when the last executor ended; returns how many executions."""
        await self._keep_gatherings(*await self._house.flow_triggers.load())
        count = 0
        after: str | None = None
        limit = self._settings.recovery_batch
        while ids := await self._executions.unfinished(after, limit):
            await self._round([], recover=ids)
            count += len(ids)
            after = ids[-1]
        await self._alarm.look()
        await self._look_at_queues()
        return count

    async def _look_at_queues(self) -> None:
        """Let begin what has not begun, and what waits for a turn that has come meanwhile.

        Only now, as it takes all that is under way to tell which slots are free.
        """
        round = Round(self._house)
        for execution_id in self._not_begun:
            await round.begin_stored(execution_id)
        self._not_begun.clear()
        for key in await self._executions.flows_with(StateType.QUEUED):
            try:
                flow = await self._definitions.get(*key)
            except FlowNotFound:
                continue
            except FlowUnreadable as error:
                logger.error("The queue of a flow stands still: %s", error)
                continue
            await round.release(await self._house.admission.look_again(flow))
        await self._finish(round)

    async def run(self) -> None:
        """Work until :meth:`stop`; what waited then is still applied and committed."""
        inbox = self._queue.executor
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                await inbox.wait()
                items = failures_first(inbox.drain(self._settings.round_limit))
                if items or self._changed_flows or self._alarm.is_due:
                    await self._round(items)
                self._alarm.wind()
                if self._stopping and not len(inbox):
                    return
        except RepositoryUnavailable as error:
            if not self._stopping:
                raise
            self.left_unwritten = True
            logger.error("Stopped without the database; what could not be written is done again: %s", error)
        finally:
            listening.cancel()

    def stop(self) -> None:
        """End :meth:`run` after the round under way; commands that still come are refused."""
        self._stopping = True
        self._patience.give_up_after(self._settings.stop_without_database)
        self._queue.executor.close()
        self._queue.executor.wake()

    def _in_memory(self, key: FlowKey) -> list[LiveExecution]:
        return [live for live in self._house.live.values() if flow_key(live.record) == key]

    @property
    def live_count(self) -> int:
        """How many executions are in memory."""
        return len(self._house.live)

    # ---------------------------------------------------------------- a round

    async def _round(self, items: Iterable[Event | PendingCommand], recover: Iterable[str] = ()) -> None:
        round = Round(self._house)
        commands = Commands(self._house, round)
        for execution_id in recover:
            if not await round.recover(execution_id):
                self._not_begun.append(execution_id)
        for item in items:
            if isinstance(item, PendingCommand):
                await commands.carry_out(item)
            elif isinstance(item, ExecutionStored):
                await round.take_over(item)
            else:
                await round.apply_to(item.execution_id, item)
        if self._alarm.is_due:
            await self._fire_timers(round)
        await self._look_at_changed_flows(round)
        await self._finish(round)

    async def _finish(self, round: Round) -> None:
        """Write what a round has changed, with what Flow triggers make of it, then let it leave."""
        await round.fire_flow_triggers()
        if round.changes:
            await self._commit(round.changes)
            for change in round.changes.values():
                self._dispatch(change)

    async def _look_at_changed_flows(self, round: Round) -> None:
        """A limit that was raised or removed lets queued executions run at once; triggers are new or gone."""
        triggers = self._house.flow_triggers
        while self._changed_flows:
            message = self._changed_flows.pop()
            key = (message.tenant_id, message.namespace, message.flow_id)
            try:
                flow = await self._definitions.get(*key)
            except (FlowNotFound, FlowUnreadable):
                await self._keep_gatherings([], triggers.flow_gone(key))
                continue
            await self._keep_gatherings(*triggers.flow_changed(flow))
            await round.release(await self._house.admission.flow_changed(flow))

    async def _keep_gatherings(self, kept: list[KeptGathering], forgotten: list[GatheringKey]) -> None:
        """Write what Flow triggers wait for, apart from any execution."""
        if kept or forgotten:
            await self._committer.write(CommitBatch(gatherings=kept, forgotten_gatherings=forgotten))
            await self._alarm.look()

    async def _listen(self) -> None:
        with self._queue.broadcasts.subscribe(kinds=(FlowChanged,)) as messages:
            async for message in messages:
                if isinstance(message, FlowChanged):
                    self._changed_flows.append(message)
                    self._queue.executor.wake()

    # ---------------------------------------------------------------- timers

    async def _fire_timers(self, round: Round) -> None:
        for reaction, window in self._house.flow_triggers.missed():
            change = await round.start_triggered(reaction) if reaction is not None else None
            if change is not None:
                change.gatherings[window.key] = window
            else:
                await self._keep_gatherings([window], [])
        due = await self._executions.due_timers(self._clock(), self._settings.round_limit)
        for timer in due:
            if not await round.fire(timer):
                # Left behind by an execution that is gone: it must not ring for ever.
                await self._committer.write(CommitBatch(timers_cleared=[(timer.execution_id, timer.key)]))

    # ---------------------------------------------------------------- commit and dispatch

    async def _commit(self, changes: dict[str, Change]) -> None:
        refused = await self._committer.commit(changes.values())
        if any(change.sets_timers or change.gatherings for change in changes.values()):
            await self._alarm.look()
        for execution_id, error in refused.items():
            change = changes.pop(execution_id)
            await self._house.flow_triggers.forget_unwritten(change)
            self._set_aside(change, error)

    def _set_aside(self, change: Change, error: RepositoryError) -> None:
        logger.error("Execution %s cannot be written: %s", change.execution_id, error)
        self._house.live.pop(change.execution_id, None)
        # Who holds its flow's slots is what the database says, which does not know of this change.
        record = change.live.record
        self._house.admission.forget(record)
        self._changed_flows.append(
            FlowChanged(record.tenant_id, record.namespace, record.flow_id, record.flow_revision)
        )
        self._queue.executor.wake()
        for answer in change.answers:
            if not answer.future.done():
                answer.future.set_exception(CommandRefused(f"The execution cannot be stored: {error}"))

    def _dispatch(self, change: Change) -> None:
        queue = self._queue
        ended = change.ended
        leaves = ended or not change.live.root.open
        if leaves:
            # Nothing of it is under way: it is read back when something happens to it.
            self._house.live.pop(change.execution_id, None)
        for effects in change.effects:
            for job in effects.jobs:
                queue.jobs.send(job)
            for name in effects.directories_released:
                queue.broadcasts.publish(ReleaseDirectory(name))
            for kill in effects.kills:
                if queue.jobs.discard(kill.task_run_id):
                    queue.executor.send(
                        TaskEnded(
                            execution_id=kill.execution_id,
                            task_run_id=kill.task_run_id,
                            dispatch=kill.dispatch,
                            worker_id="",
                            at=self._clock(),
                            state=StateType.KILLED,
                        )
                    )
                else:
                    queue.broadcasts.publish(kill)
            if effects.logs and queue.broadcasts.is_heard(LogsCommitted):
                queue.broadcasts.publish(LogsCommitted(change.execution_id, effects.logs))
        record = change.live.record
        if ended and record.trigger is not None and record.awaited_by is None:
            key = TriggerKey(record.tenant_id, record.namespace, record.flow_id, record.trigger.id)
            queue.scheduler.send(TriggeredExecutionEnded(key, record.id))
        for answer in change.answers:
            if not answer.future.done():
                answer.future.set_result(answer.accepted)
        if change.effects and queue.broadcasts.is_heard(ExecutionChanged):
            state = change.live.record.state.current
            queue.broadcasts.publish(ExecutionChanged(change.execution_id, state, ended))
        if leaves:
            change.live.let_go()
