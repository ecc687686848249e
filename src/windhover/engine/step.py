"""The rules by which an execution moves: what starts, what a child's end means, when something is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from windhover.engine.effects import Effects
from windhover.engine.environment import EngineEnvironment
from windhover.engine.flow_outputs import FlowOutputError, resolve_outputs
from windhover.engine.frame import Frame, Node
from windhover.engine.live import LiveExecution, flowable_frame
from windhover.engine.messages import Job, JobIdentity, KillTaskRun, LogsWritten, TaskEnded, TaskStarted
from windhover.engine.rendering import Renderer
from windhover.engine.variables import execution_variables
from windhover.expression import ExpressionError, truthy
from windhover.model.execution import Attempt, Phase, TaskRun
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import State, StateChange, StateType
from windhover.model.task import Task
from windhover.plugin.flowable import FlowableTask, guess_state
from windhover.plugin.task import TaskDefinition

SCHEDULE_TIMER = "schedule"
KILL_TIMER = "kill"

#: The phase that follows when one is over, in order of preference.
_NEXT_PHASES: dict[Phase, tuple[Phase, ...]] = {
    Phase.TASKS: (Phase.FINALLY,),
    Phase.ERRORS: (Phase.FINALLY,),
    Phase.FINALLY: (),
}


class Step:
    """One event's way through the execution.

    Whatever follows from a change is put on a list of things to do and done in that order, so that
    task runs are created level by level, and ten thousand skipped children need no deep recursion.
    """

    def __init__(self, live: LiveExecution, now: datetime, environment: EngineEnvironment) -> None:
        self.live = live
        self.now = now
        self.environment = environment
        self.effects = Effects()
        self._todo: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()

    def finish(self) -> Effects:
        todo = self._todo
        while todo:
            action, arguments = todo.popleft()
            action(*arguments)
        return self.effects

    def _later(self, action: Callable[..., None], *arguments: object) -> None:
        self._todo.append((action, arguments))

    # ---------------------------------------------------------------- events

    def begin(self) -> None:
        record = self.live.record
        if record.state.current is not StateType.CREATED or self.live.nodes:
            return
        if record.schedule_date is not None and record.schedule_date > self.now:
            self.effects.timers_set[SCHEDULE_TIMER] = record.schedule_date
            return
        self._later(self._fill, self.live.root)

    def timer_fired(self, key: str) -> None:
        self.effects.timers_cleared.add(key)
        if key == SCHEDULE_TIMER:
            self.begin()
        elif key == KILL_TIMER:
            self._stop_waiting_for_killed()

    def task_started(self, event: TaskStarted) -> None:
        node = self._awaited(event.task_run_id, event.dispatch)
        if node is not None:
            self._take_up(node, event.at, event.worker_id)

    def task_ended(self, event: TaskEnded) -> None:
        node = self._awaited(event.task_run_id, event.dispatch)
        if node is None:
            return
        record = node.record
        self._accept_logs(event.logs)
        self.effects.metrics.extend(event.metrics)
        if record.state.current is not StateType.RUNNING and event.state is not StateType.KILLED:
            self._take_up(node, event.at, event.worker_id)
        self._close_attempt(node, event.state, event.at, event.log_file)
        record.outputs = event.outputs
        self._end(node, soften(node.task, event.state), event.at)

    def logs_written(self, event: LogsWritten) -> None:
        self._accept_logs(event.logs)
        self.effects.metrics.extend(event.metrics)

    def kill(self, actor: str | None) -> None:
        record = self.live.record
        if record.state.current.is_terminated or record.state.current is StateType.KILLING:
            return
        by = f" by {actor}" if actor else ""
        self._log(LogLevel.INFO, f"Execution killed{by}.")
        self._header_state(StateType.KILLING)
        self.effects.timers_cleared.add(SCHEDULE_TIMER)
        self._cut(self.live.root, StateType.KILLED, kill=True)
        if self.effects.kills:
            self.effects.timers_set[KILL_TIMER] = self.now + self.environment.kill_grace

    def recover(self) -> None:
        record = self.live.record
        if record.state.current is StateType.CREATED and not self.live.nodes:
            self.begin()
            return
        if record.state.current is StateType.KILLING:
            self._cut(self.live.root, StateType.KILLED)
            for node in _open_leaves(self.live.root):
                self._close_attempt(node, StateType.KILLED, self.now)
                self._end(node, StateType.KILLED)
            return
        self._resume_closing(self.live.root)
        for node in _open_leaves(self.live.root):
            self._hand_out_again(node)

    def _resume_closing(self, frame: Frame) -> None:
        """Find out again which frames only wait for stragglers, and cut those short."""
        if not any(child.record.phase is frame.phase for child in frame.open.values()) and (
            frame.phase is not Phase.TASKS or frame.failed
        ):
            self._end_phase(frame)
        elif frame.phase is Phase.TASKS and frame.failed:
            self._settle(frame)
        for child in frame.open.values():
            if child.body_frame is not None and not self._is_cut(child.body_frame):
                self._resume_closing(child.body_frame)

    # ---------------------------------------------------------------- starting

    def _fill(self, frame: Frame) -> None:
        """Start as many lanes of the normal branch as may be under way."""
        while frame.phase is Phase.TASKS and not frame.failed and not self._is_cut(frame):
            lane = frame.take_lane()
            if lane is None:
                break
            if frame.tasks(Phase.TASKS, lane):
                self._create(frame, Phase.TASKS, lane, 0)
            else:
                frame.lane_done(lane)
        self._settle(frame)

    def _create(self, frame: Frame, phase: Phase, lane: int, position: int) -> None:
        live = self.live
        task = frame.tasks(phase, lane)[position]
        place = frame.body.lanes[lane] if phase is Phase.TASKS else None
        record = TaskRun(
            id=self.environment.new_id(),
            execution_id=live.record.id,
            task_id=task.id,
            state=State(StateType.CREATED, [StateChange(StateType.CREATED, self.now)]),
            parent_task_run_id=None if frame.owner is None else frame.owner.record.id,
            value=None if place is None else place.value,
            iteration=None if place is None else place.iteration,
            position=live.size,
            phase=phase,
            lane=lane,
            force_execution=phase is Phase.AFTER_EXECUTION,
        )
        node = live.add(record, task, frame, position)
        frame.open[record.id] = node
        self._changed(node)
        if live.record.state.current.is_created:
            self._header_state(StateType.RUNNING)
        self._later(self._start, node)

    def _start(self, node: Node) -> None:
        if node.ended:
            return
        if self._is_cut(node.frame):
            self._end(node, node.frame.cut_state or StateType.KILLED)
            return
        try:
            wanted = self._wanted(node)
        except ExpressionError as error:
            self._log(
                LogLevel.ERROR,
                f"Failed to evaluate the runIf condition for task {node.task.id}. Cause: {error}",
                node,
            )
            self._end(node, StateType.FAILED)
            return
        if not wanted:
            node.record.attempts = [Attempt(self._passed(StateType.CREATED, StateType.SKIPPED))]
            self._end(node, StateType.SKIPPED)
        elif isinstance(node.task, FlowableTask):
            self._start_flowable(node, node.task)
        else:
            self._hand_out(node)

    def _wanted(self, node: Node) -> bool:
        run_if = node.task.run_if
        return run_if == "true" or truthy(self._renderer(node).render(run_if))

    def _start_flowable(self, node: Node, task: FlowableTask) -> None:
        record = node.record
        record.state.become(StateType.RUNNING, self.now)
        record.attempts = [Attempt(self._passed(StateType.CREATED, StateType.RUNNING))]
        try:
            record.resolved = task.resolve(self._renderer(node))
            body = task.body(record.resolved)
            record.outputs = task.outputs(record.resolved)
        except (ExpressionError, ValueError) as error:
            self._log(LogLevel.ERROR, f"Unable to resolve state from the Flowable task: {error}", node)
            self._end(node, StateType.FAILED)
            return
        self.live.keep_outputs(node)
        node.body_frame = flowable_frame(node, body)
        self._changed(node)
        if body.missing:
            flow = self.live.record
            self._log(
                LogLevel.WARN,
                f"No task found on flow '{flow.namespace}.{flow.flow_id}', task '{task.id}', "
                f"execution '{flow.id}'",
                node,
            )
            self._end(node, soften(task, StateType.FAILED))
        else:
            self._later(self._fill, node.body_frame)

    def _hand_out(self, node: Node) -> None:
        node.record.state.become(StateType.SUBMITTED, self.now)
        self._send_job(node)

    def _hand_out_again(self, node: Node) -> None:
        """Give a task run to another worker because the one that had it is gone."""
        record = node.record
        self._close_attempt(node, StateType.RESUBMITTED, self.now)
        if record.state.current is StateType.CREATED:
            self._hand_out(node)
        else:
            self._send_job(node)

    def _send_job(self, node: Node) -> None:
        record, header = node.record, self.live.record
        record.dispatch += 1
        self._changed(node)
        assert isinstance(node.task, TaskDefinition), "only tasks that do work are handed out"
        identity = JobIdentity(
            tenant_id=header.tenant_id,
            namespace=header.namespace,
            flow_id=header.flow_id,
            flow_revision=header.flow_revision,
            execution_id=header.id,
            task_id=record.task_id,
            task_run_id=record.id,
            attempt=len(record.attempts or ()),
            dispatch=record.dispatch,
        )
        variables = execution_variables(self.live, self.environment, node)
        self.effects.jobs.append(
            Job(identity, node.task, variables, began(record), self.live.outputs.holds_stored)
        )

    # ---------------------------------------------------------------- running

    def _awaited(self, task_run_id: str, dispatch: int) -> Node | None:
        """The task run that a message is about, unless the message comes from an attempt that is over."""
        node = self.live.nodes.get(task_run_id)
        if node is None or node.ended or node.record.dispatch != dispatch:
            return None
        return node

    def _take_up(self, node: Node, at: datetime, worker_id: str) -> None:
        record = node.record
        if record.attempts is None:
            record.attempts = []
        if record.attempts and not record.attempts[-1].state.current.is_terminated:
            return
        histories = [StateChange(StateType.CREATED, at), StateChange(StateType.RUNNING, at)]
        record.attempts.append(Attempt(State(StateType.RUNNING, histories), worker_id))
        record.state.become(StateType.RUNNING, at)
        self._changed(node)

    # ---------------------------------------------------------------- ending

    def _end(self, node: Node, state: StateType, at: datetime | None = None) -> None:
        record = node.record
        record.state.become(state, at or self.now)
        if isinstance(node.task, FlowableTask) and record.attempts:
            record.attempts[-1].state.become(state, at or self.now)
        if record.outputs is not None:
            self.live.keep_outputs(node)
        self._changed(node)
        node.frame.child_ended(node)
        self._later(self._after_child, node)

    def _close_attempt(self, node: Node, state: StateType, at: datetime, log_file: str | None = None) -> None:
        attempts = node.record.attempts
        if attempts and not attempts[-1].state.current.is_terminated:
            attempts[-1].state.become(state, at)
            attempts[-1].log_file = log_file

    def _after_child(self, node: Node) -> None:
        """Decide what the end of a child lets begin."""
        frame, record = node.frame, node.record
        last = frame.is_last(node)
        if record.phase is Phase.TASKS and last:
            frame.lane_done(record.lane)
        if self._is_cut(frame):
            self._settle(frame)
        elif record.phase is Phase.TASKS:
            if last or frame.failed or frame.phase is not Phase.TASKS:
                self._fill(frame)
            else:
                self._create(frame, Phase.TASKS, record.lane, node.position + 1)
        elif not last:
            self._create(frame, record.phase, record.lane, node.position + 1)
        else:
            self._end_phase(frame)

    def _settle(self, frame: Frame) -> None:
        """See whether the branch that runs is over, or the frame as a whole."""
        if self._is_cut(frame) or frame.closing:
            if not frame.open:
                self._close(frame)
        elif frame.phase is Phase.TASKS:
            if frame.failed and frame.has(Phase.ERRORS):
                self._enter(frame, Phase.ERRORS)
            elif frame.failed or frame.exhausted:
                self._end_phase(frame)

    def _end_phase(self, frame: Frame) -> None:
        for phase in _NEXT_PHASES.get(frame.phase, ()):
            if frame.has(phase):
                self._enter(frame, phase)
                return
        if frame.phase is Phase.AFTER_EXECUTION:
            self.effects.ended = True
            return
        frame.closing = True
        if frame.open:
            # A branch of its own still runs somewhere beside the failure: it starts nothing new.
            state = self._end_state(frame)
            for child in list(frame.open.values()):
                if child.body_frame is not None:
                    self._cut(child.body_frame, state)
        else:
            self._close(frame)

    def _enter(self, frame: Frame, phase: Phase) -> None:
        frame.phase = phase
        self._create(frame, phase, 0, 0)

    def _close(self, frame: Frame) -> None:
        """The last child has ended: so does what is around."""
        state = frame.cut_state or self._end_state(frame)
        if frame.owner is None:
            self._end_flow(state)
        elif not frame.owner.ended:
            self._end(frame.owner, state)

    def _end_state(self, frame: Frame) -> StateType:
        if frame.owner is None:
            return guess_state(frame.end_counts)
        task = frame.owner.task
        assert isinstance(task, FlowableTask)
        return soften(task, task.end_state(frame.end_counts))

    def _end_flow(self, state: StateType) -> None:
        root = self.live.root
        if self.live.record.state.current.is_terminated:
            return
        self.effects.timers_cleared.add(KILL_TIMER)
        self._header_state(state)
        if not self._render_outputs() and state is not StateType.KILLED:
            self._header_state(StateType.FAILED)
        root.cut_state = None
        if root.has(Phase.AFTER_EXECUTION):
            self._enter(root, Phase.AFTER_EXECUTION)
        else:
            self.effects.ended = True

    def _render_outputs(self) -> bool:
        flow, record = self.live.flow, self.live.record
        if not flow.outputs:
            return True
        renderer = Renderer(self.live, self.environment)
        try:
            resolved = resolve_outputs(flow.outputs, renderer)
        except FlowOutputError as error:
            self._log(LogLevel.ERROR, str(error))
            return False
        for warning in resolved.warnings:
            self._log(LogLevel.WARN, warning)
        record.outputs = resolved.values
        return True

    # ---------------------------------------------------------------- cutting short

    def _is_cut(self, frame: Frame) -> bool:
        return frame.cut_state is not None

    def _cut(self, frame: Frame, state: StateType, *, kill: bool = False) -> None:
        """End a frame from outside: nothing more starts; it takes ``state`` when its last child has ended.

        With ``kill`` those still running are stopped, else they may finish.
        """
        frame.cut_state = state
        for child in list(frame.open.values()):
            if child.body_frame is not None:
                self._cut(child.body_frame, state, kill=kill)
            elif kill and child.record.dispatch == 0:
                self._end(child, state)
            elif kill:
                record = child.record
                self.effects.kills.append(KillTaskRun(record.execution_id, record.id, record.dispatch))
        if not frame.open:
            self._later(self._settle, frame)

    def _stop_waiting_for_killed(self) -> None:
        if self.live.record.state.current is not StateType.KILLING:
            return
        for node in list(_open_leaves(self.live.root)):
            node.record.dispatch += 1
            self._close_attempt(node, StateType.KILLED, self.now)
            self._log(
                LogLevel.WARN,
                "The task did not end in time after the kill; its result is no longer waited for.",
                node,
            )
            self._end(node, StateType.KILLED)

    # ---------------------------------------------------------------- records

    def _changed(self, node: Node) -> None:
        self.effects.task_runs[node.record.id] = node.record

    def _header_state(self, state: StateType) -> None:
        if self.live.record.state.become(state, self.now):
            self.effects.header_changed = True
            self.effects.state_changed = True

    def _passed(self, *states: StateType) -> State:
        return State(states[-1], [StateChange(state, self.now) for state in states])

    def _renderer(self, node: Node) -> Renderer:
        return Renderer(self.live, self.environment, node)

    def _accept_logs(self, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            self.live.log_sequence += 1
            entry.sequence = self.live.log_sequence
            self.effects.logs.append(entry)

    def _log(self, level: LogLevel, message: str, node: Node | None = None) -> None:
        record = self.live.record
        entry = LogEntry(
            tenant_id=record.tenant_id,
            namespace=record.namespace,
            flow_id=record.flow_id,
            execution_id=record.id,
            timestamp=self.now,
            level=level,
            message=message,
        )
        if node is not None:
            entry.task_id = node.record.task_id
            entry.task_run_id = node.record.id
            entry.attempt_number = max(0, len(node.record.attempts or ()) - 1)
        self._accept_logs([entry])


def soften(task: Task, state: StateType) -> StateType:
    """Apply ``allowFailure`` and ``allowWarning`` to an end state."""
    if state is StateType.FAILED and task.allow_failure:
        state = StateType.WARNING
    if state is StateType.WARNING and task.allow_warning:
        state = StateType.SUCCESS
    return state


def began(record: TaskRun) -> datetime | None:
    """When the work was first begun, if the workers that had it since then were lost; else None."""
    first = None
    for attempt in reversed(record.attempts or ()):
        if attempt.state.current is not StateType.RESUBMITTED:
            break
        first = attempt.state.start_date
    return first


def _open_leaves(frame: Frame) -> list[Node]:
    """All task runs under way that have no children of their own."""
    found = []
    frames = [frame]
    while frames:
        for node in frames.pop().open.values():
            if node.body_frame is not None:
                frames.append(node.body_frame)
            else:
                found.append(node)
    return found
