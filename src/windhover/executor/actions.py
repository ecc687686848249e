"""What people do to executions that are over, or wait: restart, replay, change, label, force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from windhover.engine.agenda import is_paused
from windhover.engine.cutting import QUEUE_TIMER
from windhover.engine.effects import Effects
from windhover.engine.environment import EngineEnvironment
from windhover.engine.events import EngineEvent, LeaveBreakpoint, Refused, Released, Resume
from windhover.engine.live import LiveExecution, NoPlaceForTaskRun
from windhover.engine.messages import (
    ChangeStatus,
    ChangeTaskRunState,
    CommandRefused,
    ForceRun,
    IllegalExecutionState,
    NothingToRestart,
    ReplayExecution,
    RestartExecution,
    RevisionNotFound,
    SetLabels,
    UnqueueExecution,
)
from windhover.engine.pause_inputs import needs_decision
from windhover.engine.pauses import asks_for_decision
from windhover.engine.recorder import Recorder
from windhover.engine.replay import replay, restart_as
from windhover.engine.restart import RESTARTED_LABEL, Reworked, change_state, labelled, restart
from windhover.engine.step import SCHEDULE_TIMER
from windhover.executor.change import Change
from windhover.executor.children import link
from windhover.model.flow import Flow
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable

ReworkCommand = (
    RestartExecution
    | ReplayExecution
    | ChangeTaskRunState
    | ChangeStatus
    | SetLabels
    | ForceRun
    | UnqueueExecution
)


#: States in which an execution may end that somebody takes out of the queue.
_UNQUEUED_AS = (StateType.FAILED, StateType.CANCELLED)

#: States in which an execution waits for something that it can be forced past; in others it runs already.
_WAITS = (StateType.CREATED, StateType.QUEUED, StateType.PAUSED, StateType.BREAKPOINT, StateType.RETRYING)

#: How an execution goes on that cannot be restarted where it stands.
_INSTEAD = {
    StateType.CREATED: "; it can be forced to run",
    StateType.QUEUED: "; it can be unqueued",
    StateType.BREAKPOINT: "; it can be resumed",
}


class Actions:
    """Carries such commands out on the records of one execution."""

    def __init__(
        self, definitions: FlowDefinitions, environment: EngineEnvironment, clock: Callable[[], datetime]
    ) -> None:
        self._definitions = definitions
        self._environment = environment
        self._clock = clock

    async def carry_out(self, command: ReworkCommand, live: LiveExecution) -> Change:
        """The change that a command asks for, with a line of the log that says who asked.

        Raises:
            CommandRefused: it cannot be carried out.
        """
        match command:
            case RestartExecution():
                return await self._restart(command, live)
            case ReplayExecution():
                return await self._replay(command, live)
            case ChangeTaskRunState():
                return self._change_task_run(command, live)
            case ChangeStatus():
                return self._change_status(command, live)
            case SetLabels():
                return self._set_labels(command, live)
            case ForceRun():
                return self._force_run(command, live)
            case UnqueueExecution():
                return self._unqueue(command, live)

    async def _restart(self, command: RestartExecution, live: LiveExecution) -> Change:
        record = live.record
        state = record.state.current
        if not state.is_terminated and state is not StateType.PAUSED:
            raise IllegalExecutionState(
                "Execution must be terminated or paused to be restarted, "
                f"current state is '{state.value}'{_INSTEAD.get(state, '; it can be replayed')}"
            )
        if state is StateType.PAUSED:
            if live.held_by is None and not any(is_paused(node) for node in live.nodes.values()):
                raise NothingToRestart("It can be resumed.")
            _check_that_it_may_go_on(live)
        now, runs = self._clock(), [node.record for node in live.nodes.values()]
        if command.revision is not None:
            flow = await self._revision(live, command.revision)
            new = restart_as(record, runs, flow, now, self._environment.new_id, ran_in=live.flow)
            change = self._changed(new, flow, 0)
            change.created = True
            return self._noted(change, f"Execution {link(record)} restarted here", command.actor)
        if state is StateType.PAUSED:
            # The pause that began first is over, as if somebody had resumed it.
            record.labels = labelled(record.labels, RESTARTED_LABEL)
            resume = Resume(actor=command.actor)
            return Change(live, effects=[Effects(header_changed=True)], reworked=True, forced=resume)
        change = self._changed(restart(record, runs, live.flow, now), live.flow, live.log_sequence)
        return self._noted(change, "Execution restarted", command.actor)

    async def _replay(self, command: ReplayExecution, live: LiveExecution) -> Change:
        flow = live.flow
        if command.revision is not None and command.revision != live.record.flow_revision:
            flow = await self._revision(live, command.revision)
        runs = [node.record for node in live.nodes.values()]
        new = replay(
            live.record,
            runs,
            flow,
            self._clock(),
            self._environment.new_id,
            task_run_id=None if command.refusals else command.task_run_id,
            inputs=command.inputs,
            execution_id=command.new_id,
            ran_in=live.flow,
        )
        new.execution.breakpoints, new.execution.refusals = command.breakpoints, command.refusals
        change = self._changed(new, flow, 0)
        change.created = True
        return self._noted(
            change, f"Execution {link(live.record)} replayed here", command.actor, command.logs
        )

    def _change_task_run(self, command: ChangeTaskRunState, live: LiveExecution) -> Change:
        if not live.record.state.current.is_terminated:
            raise IllegalExecutionState(
                "You can only change the state of a task run for a terminated non killed execution."
            )
        if not command.state.is_terminated:
            raise IllegalExecutionState("You can only change the state of a task run to a terminal state.")
        runs = [node.record for node in live.nodes.values()]
        new = change_state(live.record, runs, live.flow, command.task_run_id, command.state, self._clock())
        change = self._changed(new, live.flow, live.log_sequence)
        task_id = change.live.nodes[command.task_run_id].record.task_id
        follows = "restarted"
        if command.state is StateType.CANCELLED:
            follows, change.forced = "cancelled", Refused(command.state, by_hand=True)
        text = f"Execution {follows}: the state of task '{task_id}' was changed to {command.state.value}"
        return self._noted(change, text, command.actor)

    def _change_status(self, command: ChangeStatus, live: LiveExecution) -> Change:
        if not command.state.is_terminated:
            raise IllegalExecutionState("You can only change the status of an execution to a terminal state.")
        if not live.record.state.current.is_terminated:
            raise IllegalExecutionState("You can only change the status of a terminated execution.")
        text = f"Status changed from {live.record.state.current.value} to {command.state.value}"
        live.record.state.become(command.state, self._clock())
        change = Change(live, effects=[Effects(header_changed=True, state_changed=True, ended=True)])
        return self._noted(change, text, command.actor)

    def _set_labels(self, command: SetLabels, live: LiveExecution) -> Change:
        if not live.record.state.current.is_terminated:
            raise IllegalExecutionState("The execution is not terminated")
        present = {label.key: label for label in live.record.labels}
        given = {label.key: label for label in command.labels}
        merged = {**present, **given}
        live.record.labels = list(merged.values())
        return Change(live, effects=[Effects(header_changed=True, ended=True)])

    def _force_run(self, command: ForceRun, live: LiveExecution) -> Change:
        record = live.record
        if record.state.current.is_terminated:
            raise IllegalExecutionState("Only non terminated executions can be forced run.")
        if record.refusals:
            raise IllegalExecutionState("The execution cannot run: " + "; ".join(record.refusals))
        if record.state.current not in _WAITS:
            return Change(live)
        effects = _waits_no_longer(live)
        change = Change(live, effects=[effects], reworked=True)
        match record.state.current:
            case StateType.PAUSED:
                _check_that_it_may_go_on(live)
                change.forced = Resume(actor=command.actor)
            case StateType.BREAKPOINT:
                change.forced = LeaveBreakpoint(actor=command.actor)
            case state:
                change.forced = Released()
                if state is StateType.CREATED:
                    record.schedule_date = None
                    effects.timers_cleared.add(SCHEDULE_TIMER)
                self._noted(change, "Execution forced to run", command.actor)
        return change

    def _unqueue(self, command: UnqueueExecution, live: LiveExecution) -> Change:
        if live.record.state.current is not StateType.QUEUED:
            raise IllegalExecutionState("Only QUEUED execution can be unqueued")
        forced: EngineEvent = Released()
        text = "Execution taken out of the queue"
        if command.state in _UNQUEUED_AS:
            forced = Refused(command.state, by_hand=True)
            text += f" as {command.state.value}"
        elif command.state is not StateType.RUNNING:
            raise IllegalExecutionState(
                f"Invalid target state: {command.state.value}. Valid states are: "
                f"[{', '.join(state.value for state in (StateType.RUNNING, *_UNQUEUED_AS))}]"
            )
        change = Change(live, effects=[_waits_no_longer(live)], reworked=True, forced=forced)
        return self._noted(change, text, command.actor)

    def _noted(self, change: Change, text: str, actor: str | None, more: Sequence[LogEntry] = ()) -> Change:
        """The change, with a line in the log of its execution that says who wanted it, and ``more``."""
        recorder = Recorder(change.live, self._clock(), self._environment)
        recorder.log(LogLevel.INFO, f"{text}{f' by {actor}' if actor else ''}.")
        recorder.accept_logs(more)
        change.effects.append(recorder.effects)
        return change

    def _changed(self, reworked: Reworked, flow: Flow, log_sequence: int) -> Change:
        try:
            live = LiveExecution.restore(flow, reworked.execution, reworked.task_runs, log_sequence)
        except NoPlaceForTaskRun as error:
            raise CommandRefused(f"{error} in revision {flow.revision}") from None
        effects = Effects(
            header_changed=True,
            state_changed=True,
            task_runs={run.id: run for run in reworked.task_runs},
            removed_task_runs=reworked.removed,
        )
        return Change(live, effects=[effects], reworked=True)

    async def _revision(self, live: LiveExecution, revision: int) -> Flow:
        record = live.record
        try:
            return await self._definitions.get(record.tenant_id, record.namespace, record.flow_id, revision)
        except FlowNotFound as error:
            raise RevisionNotFound(str(error)) from None
        except FlowUnreadable as error:
            raise CommandRefused(str(error)) from None


def _waits_no_longer(live: LiveExecution) -> Effects:
    """Take an execution out of the queue of its flow, before its turn has come."""
    live.record.waits_for = None
    return Effects(header_changed=True, timers_cleared={QUEUE_TIMER})


def _check_that_it_may_go_on(live: LiveExecution) -> None:
    """See that a paused execution does not wait for a decision, which nobody may pass by.

    Raises:
        IllegalExecutionState: it does.
    """
    paused = [node for node in live.nodes.values() if is_paused(node)]
    first = min(paused, key=lambda node: node.record.position, default=None)
    if first is not None and asks_for_decision(first):
        raise IllegalExecutionState(needs_decision(live.record.id))
