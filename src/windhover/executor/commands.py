"""What people ask of executions, carried out within a round."""

from __future__ import annotations

import logging

from windhover.engine.agenda import is_paused
from windhover.engine.events import (
    Begin,
    ChildRestarted,
    KillRequested,
    LeaveBreakpoint,
    PauseRequested,
    Resume,
)
from windhover.engine.live import LiveExecution
from windhover.engine.messages import (
    ChangeTaskRunState,
    Command,
    CommandRefused,
    CreateExecution,
    DeleteExecution,
    ExecutionNotFound,
    IllegalExecutionState,
    KillExecution,
    LogsWritten,
    PauseExecution,
    RestartExecution,
    ResumeExecution,
    ResumeFromBreakpoint,
)
from windhover.executor.change import Answer, Change
from windhover.executor.children import link
from windhover.executor.failure import NOT_CARRIED_OUT, BrokenExecution
from windhover.executor.house import House
from windhover.executor.round import Round
from windhover.model.state import StateType
from windhover.queue.local import PendingCommand
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable

logger = logging.getLogger(__name__)


class Commands:
    """Carries out commands; each is answered once the round is committed."""

    def __init__(self, house: House, round: Round) -> None:
        self._house = house
        self._round = round

    async def carry_out(self, pending: PendingCommand) -> None:
        try:
            match pending.command:
                case CreateExecution() as command:
                    change = await self._create(command)
                case KillExecution() as command:
                    change = await self._kill(command)
                case PauseExecution() as command:
                    change = await self._pause(command)
                case ResumeExecution() as command:
                    change = await self._resume(command)
                case ResumeFromBreakpoint() as command:
                    change = await self._resume_from_breakpoint(command)
                case RestartExecution() | ChangeTaskRunState() as command:
                    change = await self._take_up_again(command)
                case DeleteExecution() as command:
                    change = await self._delete(command)
                case command:
                    change = await self._round.rework(command)
        except BrokenExecution as broken:
            if not pending.answer.done():
                pending.answer.set_exception(CommandRefused(str(broken)))
            return
        except CommandRefused as error:
            if not pending.answer.done():
                pending.answer.set_exception(error)
            self._forget_if_idle(pending.command)
            return
        except (RepositoryError, RepositoryUnavailable):
            raise
        except Exception:
            # A defect of ours must cost one command and not the server.
            logger.exception("%s cannot be carried out", type(pending.command).__name__)
            if not pending.answer.done():
                pending.answer.set_exception(CommandRefused(NOT_CARRIED_OUT))
            await self._throw_away(pending.command)
            return
        # Answered as accepted, before what follows begins in the same commit.
        answer = Answer(pending.answer, change.accepted())
        change.answers.append(answer)
        if isinstance(pending.command, CreateExecution):
            await self._round.start(change.live, Begin())
        elif change.reworked:
            await self._round.go_ahead(change)
            if change.forced is not None:  # then that it goes on is all there was to do
                answer.accepted = change.accepted()

    async def _throw_away(self, command: Command) -> None:
        """Let go of an execution on which a command broke off half-way."""
        id_ = command.execution.id if isinstance(command, CreateExecution) else command.execution_id
        change = self._round.changes.get(id_)
        if change is None:
            self._house.live.pop(id_, None)
        elif isinstance(command, CreateExecution):
            del self._round.changes[id_], self._house.live[id_]
        else:
            await self._round.give_up(change)

    def _forget_if_idle(self, command: Command) -> None:
        """Let go of an execution that was read back for a command which was refused."""
        if isinstance(command, CreateExecution) or command.execution_id in self._round.changes:
            return
        live = self._house.live.get(command.execution_id)
        if live is not None and not live.root.open:
            del self._house.live[command.execution_id]

    async def _create(self, command: CreateExecution) -> Change:
        record = command.execution
        try:
            flow = await self._house.definitions.get(
                record.tenant_id, record.namespace, record.flow_id, record.flow_revision
            )
        except (FlowNotFound, FlowUnreadable) as error:
            raise CommandRefused(str(error)) from None
        live = LiveExecution(flow, record)
        self._house.live[record.id] = live
        change = self._round.changes[record.id] = Change(live, created=True)
        if command.logs:
            await self._round.apply(live, LogsWritten(record.id, command.logs))
        return change

    async def _kill(self, command: KillExecution) -> Change:
        try:
            live = await self._round.fetch(command.execution_id)
        except BrokenExecution as broken:
            change = await self._round.end(broken, StateType.KILLED)
        else:
            if live is None:
                raise ExecutionNotFound(command.execution_id)
            change = await self._round.apply(live, KillRequested(command.actor, command.cascade))
        if command.cascade:
            await self._round.kill_descendants(change.live.record)
        return change

    async def _pause(self, command: PauseExecution) -> Change:
        live = await self._round.fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        if live.record.state.current is not StateType.RUNNING:
            raise IllegalExecutionState("The execution is not running")
        if live.record.ordered_end is not None:
            raise IllegalExecutionState("The execution is about to end")
        return await self._round.apply(live, PauseRequested(command.actor))

    async def _resume(self, command: ResumeExecution) -> Change:
        live = await self._round.fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        paused = live.record.state.current is StateType.PAUSED
        chosen = None if command.task_run_id is None else live.nodes.get(command.task_run_id)
        if not paused or (chosen is not None and not is_paused(chosen)):
            raise IllegalExecutionState(f"Execution '{command.execution_id}' is not paused, can't resume it")
        if command.logs:
            await self._round.apply(live, LogsWritten(live.record.id, command.logs))
        resume = Resume(
            command.inputs,
            command.actor,
            command.task_run_id,
            command.decision,
            command.comment,
            command.task,
        )
        return await self._round.apply(live, resume)

    async def _resume_from_breakpoint(self, command: ResumeFromBreakpoint) -> Change:
        live = await self._round.fetch(command.execution_id)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        if live.record.state.current is not StateType.BREAKPOINT:
            raise IllegalExecutionState(
                f"Execution '{command.execution_id}' is not at a breakpoint, can't resume it"
            )
        return await self._round.apply(live, LeaveBreakpoint(command.breakpoints, command.actor))

    async def _take_up_again(self, command: RestartExecution | ChangeTaskRunState) -> Change:
        """Let an execution go on; whoever still waits for others like it waits for it once more."""
        live = await self._round.fetch(command.execution_id)
        was = None if live is None else live.record.state.current
        change = await self._round.rework(command)
        record = change.live.record
        awaited_by = record.awaited_by
        if was is not None and was.is_terminated and awaited_by is not None and not change.created:
            event = ChildRestarted(
                awaited_by.task_run_id, record.id, was, link(record), awaited_by.generation
            )
            await self._round.apply_to(awaited_by.execution_id, event)
        return change

    async def _delete(self, command: DeleteExecution) -> Change:
        try:
            live = await self._round.fetch(command.execution_id)
        except BrokenExecution as broken:
            live = LiveExecution(broken.flow, broken.record)
        if live is None:
            raise ExecutionNotFound(command.execution_id)
        state = live.record.state.current
        if state is StateType.RETRIED:
            # Who waits for the execution that would have taken its place waits no longer.
            await self._round.apply(live, KillRequested())
        if not state.is_terminated:
            raise IllegalExecutionState(
                f"Execution '{command.execution_id}' is {state.value}; kill it before deleting it"
            )
        change = self._round.changes.setdefault(live.record.id, Change(live))
        change.deleted = True
        await self._round.release(self._house.admission.leave(live.record))
        change.delete_logs = command.logs
        change.delete_metrics = command.metrics
        change.delete_files = command.files
        return change
