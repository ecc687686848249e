"""What people do to executions that are over, or wait: restart, replay, change, label, force."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from windhover.engine.agenda import is_paused
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
    SetLabels,
    UnqueueExecution,
)
from windhover.engine.restart import (
    RESTARTED_LABEL,
    Reworked,
    change_state,
    replay,
    restart,
    restart_as,
)
from windhover.engine.step import SCHEDULE_TIMER
from windhover.executor.change import Change
from windhover.model.flow import Flow
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


#: What lets an execution go on that waits for a person.
_LETS_GO: dict[StateType, EngineEvent] = {
    StateType.PAUSED: Resume(),
    StateType.BREAKPOINT: LeaveBreakpoint(),
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
        """The change that a command asks for.

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
                return self._force_run(live)
            case UnqueueExecution():
                return self._unqueue(command, live)

    async def _restart(self, command: RestartExecution, live: LiveExecution) -> Change:
        record = live.record
        if record.state.current is StateType.PAUSED:
            return self._restart_paused(live)
        if not record.state.current.is_terminated:
            raise IllegalExecutionState(
                "Execution must be terminated or paused and not killed to be restarted, "
                f"current state is '{record.state.current.value}' !"
            )
        now = self._clock()
        if command.revision is None or command.revision == record.flow_revision:
            runs = [node.record for node in live.nodes.values()]
            return self._changed(restart(record, runs, live.flow, now), live.flow, live.log_sequence)
        flow = await self._revision(live, command.revision)
        runs = [node.record for node in live.nodes.values()]
        change = self._changed(restart_as(record, runs, flow, now, self._environment.new_id), flow, 0)
        change.created = True
        return change

    def _restart_paused(self, live: LiveExecution) -> Change:
        """The pause that began first is over, as if somebody had resumed it."""
        if not any(is_paused(node) for node in live.nodes.values()):
            raise NothingToRestart
        record = live.record
        record.labels = [
            *(each for each in record.labels if each.key != RESTARTED_LABEL.key),
            RESTARTED_LABEL,
        ]
        return Change(live, effects=[Effects(header_changed=True)], reworked=True, forced=Resume())

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
            task_run_id=command.task_run_id,
            inputs=command.inputs,
            execution_id=command.new_id,
        )
        new.execution.breakpoints = command.breakpoints
        change = self._changed(new, flow, 0)
        change.created = True
        return change

    def _change_task_run(self, command: ChangeTaskRunState, live: LiveExecution) -> Change:
        if not live.record.state.current.is_terminated:
            raise IllegalExecutionState(
                "You can only change the state of a task run for a terminated non killed execution."
            )
        if not command.state.is_terminated:
            raise IllegalExecutionState("You can only change the state of a task run to a terminal state.")
        runs = [node.record for node in live.nodes.values()]
        new = change_state(live.record, runs, live.flow, command.task_run_id, command.state, self._clock())
        return self._changed(new, live.flow, live.log_sequence)

    def _change_status(self, command: ChangeStatus, live: LiveExecution) -> Change:
        if not live.record.state.current.is_terminated:
            raise IllegalExecutionState("You can only change the status of a terminated execution.")
        if not command.state.is_terminated:
            raise IllegalExecutionState("You can only change the status of an execution to a terminal state.")
        live.record.state.become(command.state, self._clock())
        return Change(live, effects=[Effects(header_changed=True, state_changed=True, ended=True)])

    def _set_labels(self, command: SetLabels, live: LiveExecution) -> Change:
        if not live.record.state.current.is_terminated:
            raise IllegalExecutionState("The execution is not terminated")
        present = {label.key: label for label in live.record.labels}
        given = {label.key: label for label in command.labels}
        merged = {**present, **given}
        live.record.labels = list(merged.values())
        return Change(live, effects=[Effects(header_changed=True, ended=True)])

    def _force_run(self, live: LiveExecution) -> Change:
        record = live.record
        if record.state.current.is_terminated:
            raise IllegalExecutionState("Only non terminated executions can be forced run.")
        if record.refusals:
            raise IllegalExecutionState("The execution cannot run: " + "; ".join(record.refusals))
        effects = Effects(header_changed=True)
        forced = _LETS_GO.get(record.state.current, Released())
        if record.state.current is StateType.CREATED:
            record.schedule_date = None
            effects.timers_cleared.add(SCHEDULE_TIMER)
        return Change(live, effects=[effects], reworked=True, forced=forced)

    def _unqueue(self, command: UnqueueExecution, live: LiveExecution) -> Change:
        if live.record.state.current is not StateType.QUEUED:
            raise IllegalExecutionState("Only QUEUED execution can be unqueued")
        forced: EngineEvent = Released()
        if command.state.is_terminated:
            forced = Refused(command.state)
        elif command.state is not StateType.RUNNING:
            raise IllegalExecutionState(f"An execution cannot leave the queue as {command.state.value}")
        return Change(live, effects=[Effects()], reworked=True, forced=forced)

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
        except (FlowNotFound, FlowUnreadable) as error:
            raise CommandRefused(str(error)) from None
