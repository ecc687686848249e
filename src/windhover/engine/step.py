"""One event's way through an execution: what workers report, what people ask for, what time brings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from windhover.engine.agenda import DEADLINE_TIMER, LOOP_TIMER, PAUSE_TIMER, RETRY_TIMER, is_paused, owners
from windhover.engine.agreements import SLA_TIMER
from windhover.engine.batches import BATCH_TIMER, is_batch_task, is_batch_under_way
from windhover.engine.cutting import FINALLY_TIMER, KILL_TIMER, QUEUE_TIMER, REPLAY_TIMER
from windhover.engine.events import KillRequested, Resume
from windhover.engine.frame import Frame, Node
from windhover.engine.messages import (
    Job,
    JobIdentity,
    KillTaskRun,
    LogsWritten,
    TaskEnded,
    TaskStarted,
)
from windhover.engine.pauses import asks_for_decision
from windhover.engine.retries import next_execution, next_try, retry_of
from windhover.engine.spill import holds_stored_values
from windhover.engine.subflows import definition_of
from windhover.engine.turns import Turns
from windhover.engine.variables import execution_variables, revealed_inputs
from windhover.expression import ExpressionError
from windhover.model.execution import Attempt, JsonValue, Phase, TaskRun
from windhover.model.log import LogLevel
from windhover.model.retry import Retry
from windhover.model.state import State, StateChange, StateType
from windhover.plugin.definition import static_properties
from windhover.plugin.executable import ExecutableTask
from windhover.plugin.execution_update import ExecutionUpdate, ExecutionUpdateTask
from windhover.plugin.flowable import FlowableTask, soften
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.task import TaskDefinition
from windhover.util.instants import instant_text
from windhover.util.nulls import without_nulls

SCHEDULE_TIMER = "schedule"


class Step(Turns):
    """Handles one event; :meth:`finish` then does all that follows from it."""

    # ---------------------------------------------------------------- the execution as a whole

    def begin(self) -> None:
        record = self.live.record
        if record.state.current is not StateType.CREATED or self.live.nodes:
            return
        if record.refusals:
            self.end_refused()
            return
        if record.schedule_date is not None and record.schedule_date > self.now:
            self.effects.timers_set[SCHEDULE_TIMER] = record.schedule_date
            return
        self.watch_durations(max(record.state.start_date, record.schedule_date or record.state.start_date))
        self.later(self.fill, self.live.root)

    def timer_fired(self, key: str) -> None:
        self.effects.timers_cleared.add(key)
        if key == SCHEDULE_TIMER:
            self.begin()
        elif key == KILL_TIMER:
            self.give_up_stopped(self.live.root)
        elif key == FINALLY_TIMER:
            self.finally_took_too_long()
        elif key == QUEUE_TIMER:
            self.waited_too_long()
        elif key == REPLAY_TIMER:
            # Meanwhile somebody may have said that a task of it ended otherwise: then it goes on itself.
            self.effects.replay = self.live.record.state.current is StateType.RETRIED
        elif key.startswith(RETRY_TIMER):
            self._try_again(key.removeprefix(RETRY_TIMER))
        elif key.startswith(PAUSE_TIMER):
            self.pause_is_over(key.removeprefix(PAUSE_TIMER))
        elif key.startswith(LOOP_TIMER):
            self.next_round(key.removeprefix(LOOP_TIMER))
        elif key.startswith(BATCH_TIMER):
            self.start_more_batches(key.removeprefix(BATCH_TIMER))
        elif key.startswith(DEADLINE_TIMER):
            self.deadline_is_over(key.removeprefix(DEADLINE_TIMER))
        elif key.startswith(SLA_TIMER):
            self.duration_is_over(key.removeprefix(SLA_TIMER))

    def kill(self, event: KillRequested) -> None:
        """End the execution as KILLED. Its ``finally`` branches run, unless it is killed again meanwhile."""
        record = self.live.record
        by = f" by {event.actor}" if event.actor else ""
        stood_still = False
        if self.live.root.phase is Phase.AFTER_EXECUTION:
            stood_still = not record.state.current.is_terminated
            self.end_again()
        if record.state.current.is_terminated:
            if event.to_be_replaced:
                self.log(LogLevel.INFO, f"Execution killed{by}: no new one takes its place.")
                self.clear_timer(REPLAY_TIMER)
                self.header_state(StateType.KILLED)
                self.effects.ended = not self.live.root.open
            stopped = record.ordered_end is not None and record.ordered_end.stops
            if (self.live.root.open or stood_still) and not stopped:
                self.log(LogLevel.INFO, f"The tasks after the end of the execution are stopped{by}.")
                self.order_end(StateType.KILLED, stop=True)
            return
        again = record.state.current is StateType.KILLING
        waited = record.state.current is StateType.QUEUED
        if again and not self.runs_finally():
            return
        self.log(LogLevel.INFO, f"Execution killed{' again' * again}{by}.")
        self.interrupt_pause()
        self.header_state(StateType.KILLING)
        self.effects.timers_cleared.update((SCHEDULE_TIMER, QUEUE_TIMER))
        self.order_end(StateType.KILLED, stop=True, finalize=not again and not waited)
        if not event.cascade:
            # Nobody stops the executions that are waited for, so they are waited for no longer.
            self.effects.children_to_kill.clear()
            self.effects.batches_to_kill.clear()
            for node in self.open_leaves():
                if self.is_child_under_way(node) and _told_to_stop(node):
                    self.clear_timer(DEADLINE_TIMER + node.record.id)
                    self.end(node, StateType.KILLED)

    def resume(self, event: Resume) -> None:
        """Go on after a pause; what was given for its inputs has been checked."""
        if self.live.record.state.current is not StateType.PAUSED:
            return
        who = event.actor or event.task
        self.log(LogLevel.INFO, f"Execution resumed{f' by {who}' if who else ''}.")
        if self.live.held_by is not None:
            self.wait_no_longer_for_a_round()
            return
        paused = [node for node in self.open_leaves() if is_paused(node)]
        if not paused:
            self.run_again()
            self.go_on()
            return
        first = min(paused, key=lambda node: node.record.position)
        chosen = next((node for node in paused if node.record.id == event.task_run_id), first)
        if asks_for_decision(chosen):
            self.decide(chosen, event.decision, event)
            return
        given = without_nulls(dict(event.inputs or {}))
        chosen.record.outputs = {**(chosen.record.outputs or {}), "onResume": given}
        self.end_pause(chosen, StateType.SUCCESS, by=event.actor)

    def pause(self, actor: str | None) -> None:
        """Let nothing new start until the execution is resumed."""
        record = self.live.record
        if record.state.current is StateType.RUNNING and record.ordered_end is None:
            by = f" by {actor}" if actor else ""
            self.log(LogLevel.INFO, f"Execution paused{by}: nothing new starts until it is resumed.")
            self.header_state(StateType.PAUSED)

    def recover(self) -> None:
        record = self.live.record
        if record.state.current is StateType.CREATED and not self.live.nodes:
            self.begin()
            return
        if not self.resting:
            # What a failure beside it has cut short is so again, before anything ends in it.
            self.go_on()
            self.finish()
        self._end_stopped()
        self.begin_directories_again()
        if not self.resting:
            self.go_on()
        for node in self.open_leaves():
            self._hand_out_again(node)
        if record.state.current is StateType.RETRYING and not self.live.retrying:
            self.header_state(StateType.RUNNING)

    def _end_stopped(self) -> None:
        """What was told to stop has stopped: its worker is gone."""
        for node in self.open_leaves():
            if _told_to_stop(node) and not self.is_child_under_way(node):
                self._close_attempt(node, StateType.KILLED, self.now)
                self.end(node, StateType.KILLED)

    def go_ahead(self) -> None:
        """Go on with an execution that was reworked, or whose turn has come."""
        record = self.live.record
        if record.state.current.is_created:
            # One that waits for its date may be forced to run before.
            self.watch_durations(self.now)
        if record.state.current is StateType.RESTARTED:
            self.set_deadlines_again()
        if record.waits_for is not None:
            self.log(LogLevel.INFO, "Execution leaves the queue: its turn has come.")
            self.waits_no_longer()
        for node in self.open_leaves():
            if node.record.state.current is StateType.RETRYING:
                self.clear_timer(RETRY_TIMER + node.record.id)
                self._try_again(node.record.id)
        self.header_state(StateType.RUNNING)
        self.go_on()

    # ---------------------------------------------------------------- what workers report

    def task_started(self, event: TaskStarted) -> None:
        node = self._awaited(event.task_run_id, event.dispatch)
        if node is None:
            return
        if node.directory is not None:
            self.directory_taken_up(node, event.worker_id)
        if not isinstance(node.task, FlowableTask):
            self._take_up(node, event.at, event.worker_id)

    def task_ended(self, event: TaskEnded) -> None:
        node = self._awaited(event.task_run_id, event.dispatch)
        if node is None:
            return
        record = node.record
        self.accept_logs(event.logs)
        self.effects.metrics.extend(event.metrics)
        if isinstance(node.task, FlowableTask):
            self.directory_work_ended(node, event)
            return
        if event.state is not StateType.KILLED:
            self._take_up(node, event.at, event.worker_id)
        if event.cached and record.attempts:
            record.attempts[-1].state = State.created(record.attempts[-1].state.start_date)
        self._close_attempt(node, event.state, event.at, event.log_file)
        record.outputs = event.outputs
        self.end_attempt(node, event.state, event.at)

    def logs_written(self, event: LogsWritten) -> None:
        self.accept_logs(event.logs)
        self.effects.metrics.extend(event.metrics)

    def _awaited(self, task_run_id: str, dispatch: int) -> Node | None:
        """The task run that a message is about, unless the message comes from an attempt that is over."""
        node = self.live.nodes.get(task_run_id)
        if node is None or node.ended or node.record.dispatch != dispatch:
            return None
        return None if node.record.state.current is StateType.RETRYING else node

    def _take_up(self, node: Node, at: datetime, worker_id: str | None) -> None:
        """Begin an attempt, unless one is open."""
        record = node.record
        if record.attempts and not record.attempts[-1].state.current.is_terminated:
            return
        histories = [StateChange(StateType.CREATED, at), StateChange(StateType.RUNNING, at)]
        record.add_attempt(Attempt(State(StateType.RUNNING, histories), worker_id))
        record.state.become(StateType.RUNNING, at)
        self.changed(node)

    def _close_attempt(self, node: Node, state: StateType, at: datetime, log_file: str | None = None) -> None:
        attempts = node.record.attempts
        if attempts and not attempts[-1].state.current.is_terminated:
            attempts[-1].state.become(state, at)
            attempts[-1].log_file = log_file

    # ---------------------------------------------------------------- the end of an attempt

    def end_attempt(self, node: Node, state: StateType, at: datetime, *, softened: bool = True) -> None:
        """End the task run, or try it again. What is not ``softened`` fails although it may."""
        if state is StateType.FAILED and not _told_to_stop(node) and not node.frame.is_cut:
            retry = retry_of(self.live, node)
            if retry is not None and self._retry(node, retry, at):
                return
        own = node.task.retry
        warns = own is not None and own.warning_on_retry
        if warns and state is StateType.SUCCESS and node.record.tries > 1:
            state = StateType.WARNING
        self.end(node, soften(node.task, state) if softened else state, at)

    def _retry(self, node: Node, retry: Retry, at: datetime) -> bool:
        """Arrange for another try; False when none is left."""
        if retry.behavior == "CREATE_NEW_EXECUTION":
            header = self.live.record
            is_over = header.state.current.is_terminated or self.live.root.phase is Phase.AFTER_EXECUTION
            if header.ordered_end is not None or is_over:
                return False  # it ends, or has ended, and nothing takes its place
            due = next_execution(self.live, retry, self.now)
            if due is not None:
                self._retry_as_new_execution(node, due, at)
            return due is not None
        due = next_try(retry, node.record, self.now)
        if due is None:
            return False
        record = node.record
        record.state.become(StateType.FAILED, at)
        record.state.become(StateType.RETRYING, self.now)
        if record.outputs is not None:
            self.live.keep_outputs(node)
        self.changed(node)
        self.log(LogLevel.INFO, f"The attempt failed; the next one is due at {instant_text(due)}.", node)
        self.effects.timers_set[RETRY_TIMER + record.id] = due
        self.live.retrying += 1
        header = self.live.record
        if not self.resting and header.ordered_end is None and not header.state.current.is_terminated:
            self.header_state(StateType.RETRYING)
        return True

    def _try_again(self, task_run_id: str) -> None:
        node = self.live.nodes.get(task_run_id)
        if node is None or node.record.state.current is not StateType.RETRYING:
            return
        node.record.state.become(StateType.CREATED, self.now)
        self.changed(node)
        self.live.retrying -= 1
        if not self.live.retrying and self.live.record.state.current is StateType.RETRYING:
            self.header_state(StateType.RUNNING)
        self.later(self.start, node)

    def _retry_as_new_execution(self, node: Node, due: datetime, at: datetime) -> None:
        """Let a new execution take the place of this one."""
        node.record.state.become(StateType.FAILED, at)
        text = f"The execution failed; a new one takes its place at {instant_text(due)}."
        self.log(LogLevel.INFO, text, node)
        self.end(node, StateType.RETRIED)
        self.order_end(StateType.RETRIED, stop=True)
        assert self.live.record.ordered_end is not None
        self.live.record.ordered_end = msgspec.structs.replace(self.live.record.ordered_end, due=due)

    # ---------------------------------------------------------------- beginning tasks

    def start_leaf(self, node: Node) -> None:
        assert isinstance(node.task, TaskDefinition), "only flow-control tasks are anything else"
        plugin = node.task.plugin
        if node.task.timeout is not None and issubclass(plugin, ExecutableTask):
            self.set_deadline(node)
        if is_batch_task(node):
            self.begin_batches(node, node.task)
        elif issubclass(plugin, ExecutableTask):
            self.start_child(node, node.task)
        elif issubclass(plugin, ExecutionUpdateTask):
            # Later: what was created together with it begins first, and sees the execution as it was before.
            self.changing.add(node.record.id)
            self.later(self._update_execution, node, node.task)
        else:
            # In a shared directory the tasks follow one another on one worker, without a queue between.
            shared = node.directory is not None
            node.record.state.become(StateType.RUNNING if shared else StateType.SUBMITTED, self.now)
            self.send_job(node, node.task)

    def stop_leaf(self, node: Node) -> None:
        record = node.record
        if is_batch_under_way(node):
            self.stop_batches(node)
        elif self.is_child_under_way(node):
            self.effects.children_to_kill.append((record.outputs or {})["executionId"])
        elif isinstance(node.task, TaskDefinition) and issubclass(node.task.plugin, ExecutableTask):
            # It was asked for in this very step, and has no id yet.
            self.effects.batches_to_kill.append(record.id)
        else:
            self.effects.kills.append(KillTaskRun(record.execution_id, record.id, record.dispatch))

    def _hand_out_again(self, node: Node) -> None:
        """Give a task run to another worker because the one that had it is gone."""
        record = node.record
        if record.state.current is StateType.RETRYING:
            self.live.retrying += 1
        elif (
            isinstance(node.task, FlowableTask)
            or record.state.current.is_created
            or record.state.current is StateType.BREAKPOINT
            or self.is_child_under_way(node)
        ):
            return
        elif issubclass(definition_of(node).plugin, ExecutableTask):
            self.start_leaf(node)
        else:
            record.lose_attempt(self.now)
            self.send_job(node, definition_of(node))

    def send_job(self, node: Node, task: TaskDefinition) -> None:
        """Hand a task run to a worker, to do ``task``."""
        record, header = node.record, self.live.record
        record.dispatch += 1
        self.changed(node)
        identity = JobIdentity(
            tenant_id=header.tenant_id,
            namespace=header.namespace,
            flow_id=header.flow_id,
            flow_revision=header.flow_revision,
            execution_id=header.id,
            task_id=record.task_id,
            task_run_id=record.id,
            attempt=0 if isinstance(node.task, FlowableTask) else len(record.attempts or ()),
            dispatch=record.dispatch,
        )
        variables = execution_variables(self.live, self.environment, node, task=task)
        inputs = revealed_inputs(self.live, self.environment)
        holds_stored, secrets = self.live.outputs.holds_stored or inputs.holds_stored, inputs.secrets
        if header.trigger is not None and not holds_stored:
            holds_stored = holds_stored_values(header.trigger.variables)
        # Of tasks that run after the end: the outputs are put away once the step is over.
        holds_stored = holds_stored or bool(header.outputs)
        began = None if isinstance(node.task, FlowableTask) else first_begun(record)
        directory = self.shared_directory(node)
        self.effects.jobs.append(Job(identity, task, variables, began, holds_stored, secrets, directory))

    def rendered(
        self, node: Node, task: TaskDefinition, extra: Mapping[str, JsonValue] | None = None
    ) -> dict[str, JsonValue]:
        renderer = self.renderer(node, extra)
        static = static_properties(task.plugin)
        return {
            name: value if name in static else renderer.render(value)
            for name, value in task.properties.items()
            if value is not None
        }

    def refuse_task(self, node: Node, error: Exception) -> None:
        """Fail a task run that the engine cannot carry out; ``allowFailure`` does not cover a wrong flow."""
        self.log(LogLevel.ERROR, str(error), node)
        if node.task.timeout is not None:
            self.clear_timer(DEADLINE_TIMER + node.record.id)
        if not node.record.attempts or node.record.attempts[-1].state.current.is_terminated:
            node.record.add_attempt(Attempt(self.passed(StateType.FAILED)))
        self._close_attempt(node, StateType.FAILED, self.now)
        self.end_attempt(node, StateType.FAILED, self.now, softened=False)

    # ---------------------------------------------------------------- tasks that change the execution

    def _update_execution(self, node: Node, task: TaskDefinition) -> None:
        self.changing.discard(node.record.id)
        try:
            bound = task.bind(self.rendered(node, task))
            assert isinstance(bound, ExecutionUpdateTask)
            update = bound.update(self.live.record)
        except (ExpressionError, InvalidProperties, ValueError) as error:
            self.refuse_task(node, error)
            return
        # Not earlier: `taskrun.attemptsCount` counts the attempts before this one.
        self._take_up(node, self.now, None)
        self._apply_update(node, update)

    def _apply_update(self, node: Node, update: ExecutionUpdate) -> None:
        record = self.live.record
        if update.labels is not None:
            record.labels = list(update.labels)
            self.header_changed()
        if update.variables is not None:
            record.variables = without_nulls(update.variables)
            self.header_changed()
        state = update.end or StateType.SUCCESS
        self._close_attempt(node, state, self.now)
        self.end(node, state)
        if update.end is not None:
            self.log(LogLevel.INFO, f"Execution ended as {update.end.value} by the task.", node)
            self.order_end(update.end, stop=update.end is StateType.KILLED, by=node.record.id)

    # ---------------------------------------------------------------- told to stop, and silent

    def give_up_stopped(self, within: Frame) -> None:
        for node in self.open_leaves():
            if not _told_to_stop(node) or self.is_child_under_way(node) or not _is_within(node, within):
                continue
            node.record.dispatch += 1
            self._close_attempt(node, StateType.KILLED, self.now)
            self.log(
                LogLevel.WARN,
                "The task did not end in time after the kill; its result is no longer waited for.",
                node,
            )
            self.end(node, StateType.KILLED)


def _told_to_stop(node: Node) -> bool:
    """It ends as KILLED as soon as its worker says so."""
    if node.at_work and node.body_frame is not None:
        return node.body_frame.cut_state is not None and node.body_frame.stops
    return node.frame.tells_to_stop(node)


def _is_within(node: Node, frame: Frame) -> bool:
    return node.frame is frame or any(owner.frame is frame for owner in owners(node.frame))


def first_begun(record: TaskRun) -> datetime | None:
    """When the work was first begun, if the workers that had it since then were lost; else None."""
    first = None
    for attempt in reversed(record.attempts or ()):
        if attempt.state.current is not StateType.RESUBMITTED:
            break
        first = attempt.state.start_date
    return first
