"""One round of the executor: events applied to executions, with all that they mean for others."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from windhover.engine.advance import advance
from windhover.engine.cutting import REPLAY_TIMER
from windhover.engine.effects import Effects
from windhover.engine.events import (
    Begin,
    EngineEvent,
    KillRequested,
    OutputsNotKept,
    Queued,
    Recover,
    Refused,
    Released,
    Restarted,
    TimerFired,
)
from windhover.engine.live import LiveExecution
from windhover.engine.messages import (
    ExecutionNotFound,
    ExecutionStored,
    LogsWritten,
    ReplayExecution,
)
from windhover.engine.replay import mark_replayed, replay
from windhover.engine.step import SCHEDULE_TIMER
from windhover.executor.actions import ReworkCommand
from windhover.executor.admission import Verdict
from windhover.executor.change import Change
from windhover.executor.failure import (
    INTERNAL_ERROR,
    BrokenExecution,
    Report,
    end_execution,
)
from windhover.executor.family import STARTED_BY, Family
from windhover.executor.flow_triggers import Reaction
from windhover.executor.house import House
from windhover.model.execution import Execution
from windhover.model.flow import Flow
from windhover.model.state import TERMINATED, StateType
from windhover.repository.batch import Timer
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable
from windhover.storage import StorageError

logger = logging.getLogger(__name__)

#: States in which an execution that was queued runs no more.
_TURN_IS_LOST = TERMINATED | {StateType.KILLING}

#: How many executions begin inside of one another's start, before one has to wait for the next round.
_MOST_BEGUN_INSIDE = 10


class Round(Family):
    """What is applied together and written in one commit; ``changes`` by execution."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self._begun_inside = 0

    async def apply_to(self, execution_id: str, event: EngineEvent) -> None:
        try:
            live = await self.fetch(execution_id)
        except BrokenExecution as broken:
            killed = isinstance(event, KillRequested)
            await self.end(broken, StateType.KILLED if killed else StateType.FAILED)
            return
        if live is not None:
            await self.apply(live, event)

    async def recover(self, execution_id: str) -> bool:
        """Take up an execution after its executor has died; one that has not begun is left: False."""
        try:
            live = await self.fetch(execution_id)
        except BrokenExecution as broken:
            await self.end(broken)
            return True
        if live is not None and live.record.state.current is StateType.CREATED and not live.nodes:
            return False
        if live is not None:
            await self.apply(live, Recover())
        return True

    async def begin_stored(self, execution_id: str) -> None:
        """Let an execution begin that was stored and has not begun."""
        live = await self.fetch(execution_id)
        if live is not None:
            await self.start(live, Begin())

    async def take_over(self, stored: ExecutionStored) -> None:
        """Let an execution begin that somebody else has written. What is here already is left alone."""
        execution = stored.execution
        if execution.id in self._house.live:
            return
        # It may have been told of before, or killed as soon as it was written: it has begun then, or ended.
        now = await self._house.executions.header(execution.id)
        if now is None or now.state.current is not StateType.CREATED:
            return
        try:
            flow = await self._house.definitions.get(
                execution.tenant_id, execution.namespace, execution.flow_id, execution.flow_revision
            )
        except (FlowNotFound, FlowUnreadable):
            # Read back as any other whose flow is gone, it ends with the reason.
            await self.apply_to(execution.id, Begin())
            return
        live = self._house.live[execution.id] = LiveExecution(flow, execution, stored.logs)
        self.changes[execution.id] = Change(live)
        await self.start(live, Begin())

    async def fire(self, timer: Timer) -> bool:
        """Apply a timer that is due; False when its execution is not there."""
        try:
            live = await self.fetch(timer.execution_id)
        except BrokenExecution as broken:
            await self.end(broken)
            return True
        if live is None:
            return False
        if timer.key == SCHEDULE_TIMER and live.record.state.current is StateType.CREATED:
            await self.start(live, TimerFired(timer.key))
        else:
            await self.apply(live, TimerFired(timer.key))
        return True

    async def apply(self, live: LiveExecution, event: EngineEvent) -> Change:
        """Apply an event, and what it means for other executions, within the same commit."""
        change = self.changes.get(live.record.id)
        if change is None:
            change = self.changes[live.record.id] = Change(live)
        if isinstance(event, Report):
            change.reports.append(event)
        if isinstance(event, KillRequested):
            if event.actor == STARTED_BY:
                if change.killed:
                    return change
                # A kill may reach it on several ways, and the second one would stop its `finally`.
                change.killed = True
            if await self._is_to_be_replaced(change):
                event = msgspec.structs.replace(event, to_be_replaced=True)
        was_queued = live.record.state.current is StateType.QUEUED
        try:
            effects = advance(live, event, self._house.clock(), self._house.environment)
        except Exception:
            # A defect of ours must cost one execution and not the server.
            logger.exception("Execution %s cannot go on", live.record.id)
            return await self.give_up(change)
        change.effects.append(effects)
        if was_queued and live.record.state.current in _TURN_IS_LOST:
            # Now, and not when the tasks after its end are done: its turn could come meanwhile.
            self._house.admission.leave_queue(live.record)
        if effects.has_outputs or effects.large_outputs:
            await self._put_away_outputs(change, effects)
        if effects.spreads:
            await self._spread(live, effects)
        return change

    async def _is_to_be_replaced(self, change: Change) -> bool:
        """An execution has been RETRIED, and the new one that takes its place has not begun yet."""
        if change.live.record.state.current is not StateType.RETRIED:
            return False
        for effects in reversed(change.effects):
            if REPLAY_TIMER in effects.timers_set or REPLAY_TIMER in effects.timers_cleared:
                return REPLAY_TIMER in effects.timers_set
        timers = await self._house.executions.timers(change.execution_id)
        return any(timer.key == REPLAY_TIMER for timer in timers)

    async def _put_away_outputs(self, change: Change, effects: Effects) -> None:
        """Keep large outputs that a step has made in the storage, before anybody is told of them."""
        live, large_values = change.live, self._house.large_values
        if large_values is None:
            return
        for task_run_id in effects.large_outputs:
            await large_values.put_away_task_outputs(live, task_run_id, effects)
        problem = await large_values.put_away_outputs(live.record) if effects.has_outputs else None
        if problem is not None:
            lost = OutputsNotKept(problem)
            change.effects.append(advance(live, lost, self._house.clock(), self._house.environment))

    async def end(self, broken: BrokenExecution, state: StateType = StateType.FAILED) -> Change:
        """End an execution that cannot be taken up."""
        return await self.give_up(Change(LiveExecution(broken.flow, broken.record)), broken.reason, state)

    async def give_up(
        self, change: Change, reason: str = INTERNAL_ERROR, state: StateType = StateType.FAILED
    ) -> Change:
        """End an execution that the engine cannot move on.

        The step broke off half-way, so the records in memory mean nothing any more: those of the
        repository are ended, or, of an execution that is only just being created, its header. What workers
        have reported meanwhile is kept.
        """
        execution_id, record = change.execution_id, change.live.record
        stored = await self._house.executions.load(execution_id)
        record, task_runs = stored if stored is not None else (record, [])
        known_states = len(record.state.histories)
        sequence = await self._house.executions.last_log_sequence(execution_id)
        timers = [timer.key for timer in await self._house.executions.timers(execution_id)]
        effects = end_execution(
            record,
            task_runs,
            sequence,
            timers,
            self._house.clock(),
            reason=reason,
            state=state,
            reports=change.reports,
        )
        live = LiveExecution(change.live.flow, record, sequence + len(effects.logs))
        given_up = Change(
            live,
            created=stored is None,
            effects=[effects],
            answers=change.answers,
            known_states=known_states,
            gatherings=change.gatherings,
            trigger_logs=change.trigger_logs,
        )
        self.changes[execution_id] = given_up
        # What else the round has for it meets an execution that is over, and not the records of before.
        self._house.live[execution_id] = live
        await self._spread(live, effects)
        return given_up

    async def _spread(self, live: LiveExecution, effects: Effects) -> None:
        await self.act_on_children(live, effects)
        if effects.replay:
            new = replay(
                live.record,
                (),
                live.flow,
                self._house.clock(),
                self._house.environment.new_id,
                in_its_place=True,
            )
            await self.begin_new(live.flow, new.execution)
        if effects.ended:
            await self.release(self._house.admission.leave(live.record))
            await self.tell_parent(live)

    async def start(self, live: LiveExecution, event: Begin | Restarted | TimerFired) -> None:
        """Let an execution begin, or go on after a restart, if its flow's concurrency limit lets it."""
        record = live.record
        waits = record.schedule_date is not None and record.schedule_date > self._house.clock()
        needs_slot = not waits and not record.refusals
        verdict = await self._house.admission.ask(live.flow, record) if needs_slot else Verdict.RUN
        match verdict:
            case Verdict.RUN:
                await self.apply(live, event)
            case Verdict.QUEUE:
                limit = live.flow.concurrency.limit if live.flow.concurrency is not None else 0
                await self.apply(live, Queued(limit))
            case Verdict.CANCEL:
                await self.apply(live, Refused(StateType.CANCELLED))
            case Verdict.FAIL:
                await self.apply(live, Refused(StateType.FAILED))

    async def fire_flow_triggers(self) -> None:
        """Start what follows from all states that the round has brought about, those it starts included."""
        triggers = self._house.flow_triggers
        if triggers.is_empty:
            return
        waiting = list(self.changes.values())
        while waiting:
            for change in waiting:
                for reaction in await triggers.react(change):
                    if reaction.warning is not None:
                        await self.apply(change.live, LogsWritten(change.execution_id, (reaction.warning,)))
                    await self.start_triggered(reaction)
            waiting = [
                change
                for change in self.changes.values()
                if change.known_states < len(change.live.record.state.histories)
            ]

    async def start_triggered(self, reaction: Reaction) -> Change | None:
        """Start what a Flow trigger has made; returns what the round does to it."""
        if reaction.firing is None:
            return None
        execution, logs = reaction.firing.execution, reaction.firing.logs
        if self._house.large_values is not None:
            try:
                await self._house.large_values.put_away_inputs(execution)
            except StorageError as error:
                execution.inputs = None
                execution.refusals = (*execution.refusals, f"The inputs cannot be stored: {error}")
        live = self._house.live[execution.id] = LiveExecution(reaction.flow, execution)
        self.changes[execution.id] = Change(live, created=True)
        if logs:
            await self.apply(live, LogsWritten(execution.id, logs))
        await self.start(live, Begin())
        # The engine may have given it up meanwhile: then it is another change.
        return self.changes[execution.id]

    async def release(self, execution_ids: Iterable[str]) -> None:
        for execution_id in execution_ids:
            await self.apply_to(execution_id, Released())

    async def begin_new(self, flow: Flow, execution: Execution) -> None:
        live = self._house.live[execution.id] = LiveExecution(flow, execution)
        change = self.changes[execution.id] = Change(live, created=True)
        if self._begun_inside == _MOST_BEGUN_INSIDE:
            # Flows that start one another without end must not keep this round from its end.
            change.effects.append(Effects(timers_set={SCHEDULE_TIMER: self._house.clock()}))
            return
        self._begun_inside += 1
        try:
            await self.start(live, Begin())
        finally:
            self._begun_inside -= 1

    async def fetch(self, execution_id: str) -> LiveExecution | None:
        """The execution in memory, read back if it is not there; None when there is none.

        Raises:
            BrokenExecution: there is one, and it cannot be taken up.
        """
        live = self._house.live.get(execution_id)
        if live is not None:
            return live
        found = await self._house.executions.load(execution_id)
        if found is None:
            return None
        record, task_runs = found
        try:
            flow = await self._house.definitions.get(
                record.tenant_id, record.namespace, record.flow_id, record.flow_revision
            )
        except (FlowNotFound, FlowUnreadable) as error:
            logger.error("Execution %s cannot go on: %s", execution_id, error)
            raise BrokenExecution(record, f"The execution cannot go on: {error}") from error
        sequence = await self._house.executions.last_log_sequence(execution_id)
        try:
            live = LiveExecution.restore(flow, record, task_runs, sequence)
        except Exception as error:
            logger.exception("Execution %s cannot be taken up again", execution_id)
            raise BrokenExecution(record, INTERNAL_ERROR, flow) from error
        self._house.live[execution_id] = live
        return live

    async def go_ahead(self, change: Change) -> None:
        """Let an execution go on whose records were changed."""
        if change.forced:
            if isinstance(change.forced, Refused):
                await self.release(self._house.admission.leave(change.live.record))
            else:
                self._house.admission.force(change.live.record)
            await self.apply(change.live, change.forced)
        else:
            begins = change.live.record.state.current is StateType.CREATED
            await self.start(change.live, Begin() if begins else Restarted())

    async def rework(self, command: ReworkCommand) -> Change:
        """Carry out a command on an execution that is not under way, or waits."""
        live = await self.fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        known_states = len(live.record.state.histories)
        change = await self._house.actions.carry_out(command, live)
        change.known_states = max(1, len(change.live.record.state.histories) - 1)
        if change.execution_id == command.execution_id:
            change.known_states = known_states
        elif isinstance(command, ReplayExecution) and mark_replayed(live.record):
            original = self.changes.setdefault(command.execution_id, Change(live, known_states=known_states))
            ended = live.record.state.current.is_terminated
            original.effects.append(Effects(header_changed=True, ended=ended))
        if change.execution_id in self.changes:
            earlier = self.changes[change.execution_id]
            change.known_states = min(change.known_states, earlier.known_states)
            change.gatherings, change.trigger_logs = earlier.gatherings, earlier.trigger_logs
            change.effects = [*earlier.effects, *change.effects]
            change.answers = [*earlier.answers, *change.answers]
        self.changes[change.execution_id] = change
        self._house.live[change.execution_id] = change.live
        return change
