"""One loop: take what waits, apply it in memory, commit it in one transaction, dispatch what follows.

Idle, a round holds one event and costs one commit; under load rounds grow and the cost per event
falls. Nothing leaves before it is committed, so that after a crash the database alone says what was
under way.

Documentation page: ``docs/architecture.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from windhover.engine.advance import advance
from windhover.engine.effects import Effects
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import (
    Begin,
    ChildRefused,
    ChildStarted,
    EngineEvent,
    KillRequested,
    PauseRequested,
    Queued,
    Recover,
    Refused,
    Released,
    Restarted,
    Resume,
    TimerFired,
)
from windhover.engine.flow_control import is_paused
from windhover.engine.live import LiveExecution
from windhover.engine.messages import (
    Command,
    CommandRefused,
    CreateExecution,
    DeleteExecution,
    Event,
    ExecutionChanged,
    ExecutionNotFound,
    FlowChanged,
    IllegalExecutionState,
    KillExecution,
    LogsCommitted,
    LogsWritten,
    PauseExecution,
    ReleaseDirectory,
    RestartExecution,
    ResumeExecution,
    StartChild,
    TaskEnded,
)
from windhover.engine.restart import replay
from windhover.engine.step import SCHEDULE_TIMER
from windhover.executor.actions import Actions, ReworkCommand
from windhover.executor.admission import Admission, FlowKey, Verdict, flow_key
from windhover.executor.alarm import Alarm
from windhover.executor.change import Answer, Change
from windhover.executor.children import ChildFactory, ChildRefusedError, child_ended, link, started_by
from windhover.executor.committer import Committer
from windhover.executor.failure import BrokenExecution, fail_execution
from windhover.executor.patience import Patience
from windhover.model.execution import AwaitedBy, Execution
from windhover.model.flow import Flow
from windhover.model.state import TERMINATED, StateType
from windhover.queue.local import LocalQueue, PendingCommand
from windhover.repository.batch import CommitBatch
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
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
        clock: Clock = utc_now,
        settings: ExecutorSettings = ExecutorSettings(),
    ) -> None:
        self._patience = Patience(settings.retry_delay, settings.retry_delay_limit)
        executions = self._executions = self._patience.with_(executions)
        definitions = self._definitions = self._patience.with_(definitions)
        self._queue = queue
        self._environment = environment
        self._clock = clock
        self._children = ChildFactory(definitions, environment, clock)
        self._actions = Actions(definitions, environment, clock)
        self._admission = Admission(executions, self._under_way)
        self._changed_flows: list[FlowChanged] = []
        self._settings = settings
        self._live: dict[str, LiveExecution] = {}
        self._committer = Committer(executions)
        self._alarm = Alarm(executions, clock, queue.executor.wake)
        self._stopping = False

    # ---------------------------------------------------------------- life

    async def start(self) -> int:
        """Take up what was under way when the last executor ended; returns how many executions."""
        count = 0
        after: str | None = None
        limit = self._settings.recovery_batch
        while ids := await self._executions.unfinished(after, limit):
            await self._round([], recover=ids)
            count += len(ids)
            after = ids[-1]
        await self._alarm.look()
        return count

    async def run(self) -> None:
        """Work until :meth:`stop`; what waited then is still applied and committed."""
        inbox = self._queue.executor
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                await inbox.wait()
                items = inbox.drain(self._settings.round_limit)
                if items or self._changed_flows or self._alarm.is_due:
                    await self._round(items)
                self._alarm.wind()
                if self._stopping and not len(inbox):
                    return
        except RepositoryUnavailable as error:
            if not self._stopping:
                raise
            logger.error("Stopped without the database; what could not be written is done again: %s", error)
        finally:
            listening.cancel()

    def stop(self) -> None:
        """End :meth:`run` after the round under way; commands that still come are refused."""
        self._stopping = True
        self._patience.give_up_after(self._settings.stop_without_database)
        self._queue.executor.close()
        self._queue.executor.wake()

    def _under_way(self, key: FlowKey) -> list[str]:
        return [
            live.record.id for live in self._live.values() if live.root.open and flow_key(live.record) == key
        ]

    @property
    def live_count(self) -> int:
        """How many executions are in memory."""
        return len(self._live)

    # ---------------------------------------------------------------- a round

    async def _round(self, items: Iterable[Event | PendingCommand], recover: Iterable[str] = ()) -> None:
        changes: dict[str, Change] = {}
        for execution_id in recover:
            await self._apply_to(execution_id, Recover(), changes)
        for item in items:
            if isinstance(item, PendingCommand):
                await self._carry_out(item, changes)
            else:
                await self._apply_to(item.execution_id, item, changes)
        if self._alarm.is_due:
            await self._fire_timers(changes)
        await self._look_at_changed_flows(changes)
        if changes:
            await self._commit(changes)
            for change in changes.values():
                self._dispatch(change)

    async def _apply_to(self, execution_id: str, event: EngineEvent, changes: dict[str, Change]) -> None:
        try:
            live = await self._fetch(execution_id)
        except BrokenExecution as broken:
            await self._give_up(Change(LiveExecution(broken.flow, broken.record)), changes)
            return
        if live is not None:
            await self._apply(live, event, changes)

    async def _apply(self, live: LiveExecution, event: EngineEvent, changes: dict[str, Change]) -> Change:
        """Apply an event, and what it means for other executions, within the same commit."""
        change = changes.get(live.record.id)
        if change is None:
            change = changes[live.record.id] = Change(live)
        try:
            effects = advance(live, event, self._clock(), self._environment)
        except Exception:
            # A defect of ours must cost one execution and not the server.
            logger.exception("Execution %s cannot go on", live.record.id)
            return await self._give_up(change, changes)
        change.effects.append(effects)
        if effects.spreads:
            await self._spread(live, effects, changes)
        return change

    async def _give_up(self, change: Change, changes: dict[str, Change]) -> Change:
        """End an execution that the engine cannot move on.

        The step broke off half-way, so the records in memory mean nothing any more: those of the
        repository are ended, or, of an execution that is only just being created, its header.
        """
        execution_id, record = change.execution_id, change.live.record
        stored = await self._executions.load(execution_id)
        record, task_runs = stored if stored is not None else (record, [])
        sequence = await self._executions.last_log_sequence(execution_id)
        timers = [timer.key for timer in await self._executions.timers(execution_id)]
        effects = fail_execution(record, task_runs, sequence, timers, self._clock())
        live = LiveExecution(change.live.flow, record, sequence + 1)
        given_up = Change(live, created=stored is None, effects=[effects], answers=change.answers)
        changes[execution_id] = given_up
        self._live.pop(execution_id, None)
        await self._spread(live, effects, changes)
        return given_up

    async def _spread(self, live: LiveExecution, effects: Effects, changes: dict[str, Change]) -> None:
        for start in effects.children_to_start:
            await self._start_child(live, start, changes)
        for execution_id in effects.children_to_kill:
            await self._apply_to(execution_id, KillRequested("the execution that started it"), changes)
        for task_run_id in effects.batches_to_kill:
            for execution_id in await self._executions_of(AwaitedBy(live.record.id, task_run_id), live):
                await self._apply_to(execution_id, KillRequested("the execution that started it"), changes)
        if effects.replay:
            new = replay(
                live.record, (), live.flow, self._clock(), self._environment.new_id, in_its_place=True
            )
            await self._begin(live.flow, new.execution, changes)
        if effects.ended:
            await self._release(self._admission.leave(live.record), changes)
        awaited_by = live.record.awaited_by
        if effects.ended and awaited_by is not None:
            event = child_ended(live, awaited_by.task_run_id, self._environment)
            await self._apply_to(awaited_by.execution_id, event, changes)

    async def _executions_of(self, waiting: AwaitedBy, parent: LiveExecution) -> list[str]:
        """The executions under way that a task run waits for."""
        found = {live.record.id for live in self._live.values() if live.record.awaited_by == waiting}
        query = ExecutionQuery(
            parent.record.tenant_id,
            trigger_execution_id=waiting.execution_id,
            excluded_states=tuple(TERMINATED),
        )
        async for record in self._executions.stream(query):
            if record.awaited_by == waiting:
                found.add(record.id)
        return sorted(found)

    async def _start(
        self, live: LiveExecution, event: Begin | Restarted | TimerFired, changes: dict[str, Change]
    ) -> None:
        """Let an execution begin, or go on after a restart, if its flow's concurrency limit lets it."""
        record = live.record
        waits = record.schedule_date is not None and record.schedule_date > self._clock()
        verdict = Verdict.RUN if waits else await self._admission.ask(live.flow, record)
        match verdict:
            case Verdict.RUN:
                await self._apply(live, event, changes)
            case Verdict.QUEUE:
                limit = live.flow.concurrency.limit if live.flow.concurrency is not None else 0
                await self._apply(live, Queued(limit), changes)
            case Verdict.CANCEL:
                await self._apply(live, Refused(StateType.CANCELLED), changes)
            case Verdict.FAIL:
                await self._apply(live, Refused(StateType.FAILED), changes)

    async def _release(self, execution_ids: Iterable[str], changes: dict[str, Change]) -> None:
        for execution_id in execution_ids:
            await self._apply_to(execution_id, Released(), changes)

    async def _look_at_changed_flows(self, changes: dict[str, Change]) -> None:
        """A limit that was raised or removed lets queued executions run at once."""
        while self._changed_flows:
            message = self._changed_flows.pop()
            try:
                flow = await self._definitions.get(message.tenant_id, message.namespace, message.flow_id)
            except (FlowNotFound, FlowUnreadable):
                continue
            await self._release(await self._admission.flow_changed(flow), changes)

    async def _listen(self) -> None:
        with self._queue.broadcasts.subscribe(lambda m: isinstance(m, FlowChanged)) as messages:
            async for message in messages:
                if isinstance(message, FlowChanged):
                    self._changed_flows.append(message)
                    self._queue.executor.wake()

    async def _start_child(
        self, parent: LiveExecution, start: StartChild, changes: dict[str, Change]
    ) -> None:
        if start.restarts is not None and await self._restart_child(parent, start, changes):
            return
        try:
            flow, execution, warnings = await self._children.make(parent.record, start)
        except ChildRefusedError as error:
            await self._apply(parent, ChildRefused(start.task_run_id, str(error)), changes)
            return
        wait = start.request.wait
        event = ChildStarted(start.task_run_id, execution.id, link(execution), wait, tuple(warnings))
        await self._apply(parent, event, changes)
        await self._begin(flow, execution, changes)

    async def _restart_child(
        self, parent: LiveExecution, start: StartChild, changes: dict[str, Change]
    ) -> bool:
        """Let a task run that was restarted go on with the execution it had started; False if it cannot."""
        child = await self._fetch(start.restarts or "")
        waits = AwaitedBy(parent.record.id, start.task_run_id)
        if child is None or child.record.awaited_by != waits:
            return False
        name = link(child.record)
        change: Change | None = None
        if child.record.state.current in (StateType.FAILED, StateType.KILLED):
            try:
                change = await self._rework(RestartExecution(child.record.id), changes)
            except CommandRefused:
                return False
        event = ChildStarted(start.task_run_id, child.record.id, name, True, restarted=change is not None)
        await self._apply(parent, event, changes)
        if change is not None:
            await self._go_ahead(change, changes)
        elif child.record.state.current.is_terminated:
            ended = child_ended(child, start.task_run_id, self._environment)
            await self._apply(parent, ended, changes)
        return True

    async def _begin(self, flow: Flow, execution: Execution, changes: dict[str, Change]) -> None:
        live = self._live[execution.id] = LiveExecution(flow, execution)
        changes[execution.id] = Change(live, created=True)
        await self._start(live, Begin(), changes)

    async def _fetch(self, execution_id: str) -> LiveExecution | None:
        """The execution in memory, read back if it is not there; None when there is none."""
        live = self._live.get(execution_id)
        if live is not None:
            return live
        found = await self._executions.load(execution_id)
        if found is None:
            return None
        record, task_runs = found
        try:
            flow = await self._definitions.get(
                record.tenant_id, record.namespace, record.flow_id, record.flow_revision
            )
        except (FlowNotFound, FlowUnreadable) as error:
            logger.error("Execution %s cannot go on: %s", execution_id, error)
            return None
        sequence = await self._executions.last_log_sequence(execution_id)
        try:
            live = LiveExecution.restore(flow, record, task_runs, sequence)
        except Exception as error:
            logger.exception("Execution %s cannot be taken up again", execution_id)
            raise BrokenExecution(flow, record) from error
        self._live[execution_id] = live
        return live

    # ---------------------------------------------------------------- commands

    async def _carry_out(self, pending: PendingCommand, changes: dict[str, Change]) -> None:
        try:
            match pending.command:
                case CreateExecution() as command:
                    change = await self._create(command, changes)
                case KillExecution() as command:
                    change = await self._kill(command, changes)
                case PauseExecution() as command:
                    change = await self._pause(command, changes)
                case ResumeExecution() as command:
                    change = await self._resume(command, changes)
                case DeleteExecution() as command:
                    change = await self._delete(command, changes)
                case command:
                    change = await self._rework(command, changes)
        except BrokenExecution as broken:
            await self._give_up(Change(LiveExecution(broken.flow, broken.record)), changes)
            if not pending.answer.done():
                pending.answer.set_exception(CommandRefused(str(broken)))
            return
        except CommandRefused as error:
            if not pending.answer.done():
                pending.answer.set_exception(error)
            self._forget_if_idle(pending.command, changes)
            return
        change.answers.append(Answer(pending.answer, change.accepted()))
        # Answered as accepted, before what follows begins in the same commit.
        if isinstance(pending.command, CreateExecution):
            await self._start(change.live, Begin(), changes)
        elif change.reworked:
            await self._go_ahead(change, changes)

    async def _go_ahead(self, change: Change, changes: dict[str, Change]) -> None:
        """Let an execution go on whose records were changed."""
        if change.forced:
            self._admission.force(change.live.record)
            await self._apply(change.live, change.forced, changes)
        else:
            await self._start(change.live, Restarted() if change.live.nodes else Begin(), changes)

    def _forget_if_idle(self, command: Command, changes: dict[str, Change]) -> None:
        """Let go of an execution that was read back for a command which was refused."""
        if isinstance(command, CreateExecution) or command.execution_id in changes:
            return
        live = self._live.get(command.execution_id)
        if live is not None and not live.root.open:
            del self._live[command.execution_id]

    async def _rework(self, command: ReworkCommand, changes: dict[str, Change]) -> Change:
        """Carry out a command on an execution that is not under way, or waits."""
        live = await self._fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        change = await self._actions.carry_out(command, live)
        if change.execution_id in changes:
            earlier = changes[change.execution_id]
            change.effects = [*earlier.effects, *change.effects]
            change.answers = [*earlier.answers, *change.answers]
        changes[change.execution_id] = change
        self._live[change.execution_id] = change.live
        return change

    async def _create(self, command: CreateExecution, changes: dict[str, Change]) -> Change:
        record = command.execution
        try:
            flow = await self._definitions.get(
                record.tenant_id, record.namespace, record.flow_id, record.flow_revision
            )
        except (FlowNotFound, FlowUnreadable) as error:
            raise CommandRefused(str(error)) from None
        live = LiveExecution(flow, record)
        self._live[record.id] = live
        change = changes[record.id] = Change(live, created=True)
        if command.logs:
            await self._apply(live, LogsWritten(record.id, command.logs), changes)
        return change

    async def _kill(self, command: KillExecution, changes: dict[str, Change]) -> Change:
        live = await self._fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        change = await self._apply(live, KillRequested(command.actor, command.cascade), changes)
        if command.cascade:
            await self._kill_started_by(live.record, changes)
        return change

    async def _kill_started_by(self, execution: Execution, changes: dict[str, Change]) -> None:
        """Kill what an execution has started, waited for or not, what that has started, and so on."""
        parents = {execution.id}
        while parents:
            children = {
                change.execution_id
                for change in changes.values()
                if change.created and started_by(change.live.record) in parents
            }
            for parent in parents:
                query = ExecutionQuery(execution.tenant_id, trigger_execution_id=parent)
                children.update([child async for child in self._ids(query)])
            for child in children:
                await self._apply_to(child, KillRequested("the execution that started it"), changes)
            parents = children

    async def _ids(self, query: ExecutionQuery) -> AsyncIterator[str]:
        limit = self._settings.recovery_batch
        after: str | None = None
        while ids := await self._executions.ids(query, after, limit):
            for id_ in ids:
                yield id_
            after = ids[-1]

    async def _pause(self, command: PauseExecution, changes: dict[str, Change]) -> Change:
        live = await self._fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        if live.record.state.current is not StateType.RUNNING:
            raise IllegalExecutionState("The execution is not running")
        return await self._apply(live, PauseRequested(), changes)

    async def _resume(self, command: ResumeExecution, changes: dict[str, Change]) -> Change:
        live = await self._fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        paused = live.record.state.current is StateType.PAUSED and live.held_by is None
        chosen = None if command.task_run_id is None else live.nodes.get(command.task_run_id)
        if not paused or (chosen is not None and not is_paused(chosen)):
            raise IllegalExecutionState(f"Execution '{command.execution_id}' is not paused, can't resume it")
        return await self._apply(live, Resume(command.inputs, command.actor, command.task_run_id), changes)

    async def _delete(self, command: DeleteExecution, changes: dict[str, Change]) -> Change:
        live = await self._fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        state = live.record.state.current
        if not state.is_terminated:
            raise IllegalExecutionState(
                f"Execution '{command.execution_id}' is {state.value}; kill it before deleting it"
            )
        change = changes.setdefault(live.record.id, Change(live))
        change.deleted = True
        await self._release(self._admission.leave(live.record), changes)
        change.delete_logs = command.logs
        change.delete_metrics = command.metrics
        return change

    # ---------------------------------------------------------------- timers

    async def _fire_timers(self, changes: dict[str, Change]) -> None:
        due = await self._executions.due_timers(self._clock(), self._settings.round_limit)
        for timer in due:
            live = await self._fetch(timer.execution_id)
            if live is None:
                # Left behind by an execution that is gone: it must not ring for ever.
                await self._committer.write(CommitBatch(timers_cleared=[(timer.execution_id, timer.key)]))
                continue
            if timer.key == SCHEDULE_TIMER and live.record.state.current is StateType.CREATED:
                await self._start(live, TimerFired(timer.key), changes)
            else:
                await self._apply(live, TimerFired(timer.key), changes)

    # ---------------------------------------------------------------- commit and dispatch

    async def _commit(self, changes: dict[str, Change]) -> None:
        refused = await self._committer.commit(changes.values())
        if any(change.sets_timers for change in changes.values()):
            await self._alarm.look()
        for execution_id, error in refused.items():
            self._set_aside(changes.pop(execution_id), error)

    def _set_aside(self, change: Change, error: RepositoryError) -> None:
        logger.error("Execution %s cannot be written: %s", change.execution_id, error)
        self._live.pop(change.execution_id, None)
        for answer in change.answers:
            if not answer.future.done():
                answer.future.set_exception(CommandRefused(f"The execution cannot be stored: {error}"))

    def _dispatch(self, change: Change) -> None:
        queue = self._queue
        ended = change.ended
        if ended or not change.live.root.open:
            # Nothing of it is under way: it is read back when something happens to it.
            self._live.pop(change.execution_id, None)
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
            if effects.logs and queue.broadcasts.has_listeners:
                queue.broadcasts.publish(LogsCommitted(change.execution_id, effects.logs))
        for answer in change.answers:
            if not answer.future.done():
                answer.future.set_result(answer.accepted)
        if queue.broadcasts.has_listeners and change.effects:
            state = change.live.record.state.current
            queue.broadcasts.publish(ExecutionChanged(change.execution_id, state, ended))
