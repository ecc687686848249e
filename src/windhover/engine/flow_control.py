"""The rules of flow control: what starts, what a child's end means, when a branch or a whole is over."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from windhover.engine.effects import Effects
from windhover.engine.environment import EngineEnvironment
from windhover.engine.flow_outputs import FlowOutputError, resolve_outputs
from windhover.engine.frame import Frame, Node
from windhover.engine.listeners import choose_listeners
from windhover.engine.live import LiveExecution, flowable_frame
from windhover.engine.loop_rounds import conclude, look_at_lane
from windhover.engine.recorder import Recorder
from windhover.expression import ExpressionError, truthy
from windhover.model.execution import Attempt, Phase, Stage, TaskRun
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask, guess_state, soften

#: The phase that follows when one is over.
_NEXT_PHASE = {Phase.TASKS: Phase.FINALLY, Phase.ERRORS: Phase.FINALLY}


class FlowControl(Recorder):
    """Moves the frames of an execution.

    Whatever follows from a change is put on a list of things to do and done in that order, so that
    task runs are created level by level, and ten thousand skipped children need no deep recursion.
    """

    def __init__(self, live: LiveExecution, now: datetime, environment: EngineEnvironment) -> None:
        super().__init__(live, now, environment)
        self._todo: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._goes_on = False
        #: The flow asserts what must hold all the time.
        self.watches_assertions = False
        #: The last loop that began to wait for its next round in this step.
        self.began_waiting: Node | None = None

    @abstractmethod
    def start_leaf(self, node: Node) -> None:
        """Begin a task run that has no children."""

    @abstractmethod
    def stop_leaf(self, node: Node) -> None:
        """Stop a task run under way; it ends when its worker, or its own execution, says so."""

    @abstractmethod
    def cut(self, frame: Frame, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        """End a frame from outside."""

    @abstractmethod
    def set_deadline(self, node: Node) -> None:
        """Limit how long a task run may take by the ``timeout`` of its task."""

    @abstractmethod
    def stop_at_breakpoint(self, node: Node) -> bool:
        """Whether the execution stops before a task run begins; nothing new starts then."""

    @abstractmethod
    def look_at_assertions(self) -> None:
        """See whether what the flow asserts still holds."""

    @abstractmethod
    def execution_ends(self) -> None:
        """Clear what watches over an execution that takes its end state."""

    @abstractmethod
    def begin_pause(self, node: Node, task: FlowableTask) -> None:
        """Let a task run, and the execution with it, wait."""

    @abstractmethod
    def end_round(self, frame: Frame) -> None:
        """A round of a loop is over, and nothing in it failed."""

    @abstractmethod
    def open_directory(self, node: Node) -> None:
        """Prepare the directory that the children of a task run share, then start them."""

    @abstractmethod
    def close_directory(self, node: Node) -> None:
        """Do what is left to do in a shared directory, then go on."""

    @abstractmethod
    def release_directory(self, node: Node) -> None:
        """Let the shared directory of a task run be removed."""

    @abstractmethod
    def refuse_in_directory(self, node: Node, error: ExpressionError) -> None:
        """Fail a task in a shared directory whose ``runIf`` cannot be rendered."""

    def finish(self) -> Effects:
        """Do all that follows, and return what came of it."""
        todo = self._todo
        while todo or self._goes_on:
            if todo:
                if self.watches_assertions:
                    self.look_at_assertions()
                action, arguments = todo.popleft()
                action(*arguments)
            else:
                self._goes_on = False
                root, state = self.live.root, self.live.record.state.current
                if not self.effects.ended and (
                    not state.is_terminated or root.phase is Phase.AFTER_EXECUTION
                ):
                    self._go_on(root)
        return self.effects

    def later(self, action: Callable[..., None], *arguments: object) -> None:
        self._todo.append((action, arguments))

    def clear_timer(self, key: str) -> None:
        """Clear a timer, also one that was set in this very step."""
        self.effects.timers_set.pop(key, None)
        self.effects.timers_cleared.add(key)

    def drop_children(self, node: Node) -> None:
        """Remove all that ran inside a flow-control task."""
        for task_run_id in self.live.remove_children(node):
            self.effects.task_runs.pop(task_run_id, None)
            self.effects.removed_task_runs.append(task_run_id)

    def open_leaves(self) -> list[Node]:
        """All task runs under way that wait for something other than their own children."""
        found = []
        frames = [self.live.root]
        while frames:
            for node in frames.pop().open.values():
                if node.body_frame is None or is_paused(node) or node.at_work:
                    found.append(node)
                if node.body_frame is not None and not node.at_work:
                    frames.append(node.body_frame)
        return found

    @property
    def resting(self) -> bool:
        """Nothing new starts: the execution is paused, at a breakpoint, or waits for its turn. What is under
        way goes on."""
        state = self.live.record.state.current
        if state is StateType.PAUSED:
            return self.live.held_by is None
        return state in (StateType.BREAKPOINT, StateType.QUEUED)

    def _rests(self, frame: Frame) -> bool:
        """Nothing new starts in a frame: what runs while a pause waits, or in a shared directory, goes on."""
        if not self.resting or frame.shares_directory:
            return False
        return not any(node.record.phase is Phase.MEANWHILE for node in owners(frame))

    # ---------------------------------------------------------------- starting

    def fill(self, frame: Frame) -> None:
        """Start as many lanes of the normal branch as may be under way."""
        while not (frame.phase is not Phase.TASKS or frame.failed or frame.is_cut or self._rests(frame)):
            lane = frame.take_lane()
            if lane is None:
                break
            if frame.tasks(Phase.TASKS, lane):
                self.create(frame, Phase.TASKS, lane, 0)
            else:
                frame.lane_done(lane)
        self.settle(frame)

    def create(self, frame: Frame, phase: Phase, lane: int, position: int) -> None:
        """Create the task run of one place in a frame, and start it when all that came before is done."""
        live = self.live
        task = frame.tasks(phase, lane)[position]
        place = frame.body.lanes[lane] if phase is Phase.TASKS else None
        iteration = None if place is None else place.iteration
        if frame.body.rounds and phase is Phase.TASKS and frame.owner is not None:
            iteration = frame.owner.record.rounds
        if phase is Phase.TASKS:
            frame.lanes[lane] = position
        elif phase is not Phase.MEANWHILE:
            frame.phase_position = position
        record = TaskRun(
            id=self.environment.new_id(),
            execution_id=live.record.id,
            task_id=task.id,
            state=self.passed(StateType.CREATED),
            parent_task_run_id=None if frame.owner is None else frame.owner.record.id,
            value=None if place is None else place.value,
            iteration=iteration,
            position=live.size,
            phase=phase,
            lane=lane,
            force_execution=phase is Phase.AFTER_EXECUTION,
        )
        node = live.add(record, task, frame, position)
        frame.open[record.id] = node
        self.changed(node)
        if live.record.state.current.is_created:
            self.header_state(StateType.RUNNING)
        self.later(self.start, node)

    def start(self, node: Node) -> None:
        """Begin a task run that was created."""
        if not may_start(node):
            return
        if node.frame.is_cut:
            self.end(node, node.frame.cut_state or StateType.KILLED)
            return
        if node.record.phase is not Phase.MEANWHILE and self._rests(node.frame):
            return
        if self.live.record.breakpoints and self.stop_at_breakpoint(node):
            return
        try:
            wanted = self._wanted(node)
        except ExpressionError as error:
            if node.directory is not None and node.directory is not node:
                self.refuse_in_directory(node, error)
                return
            self.log(
                LogLevel.ERROR,
                f"Failed to evaluate the runIf condition for task {node.task.id}. Cause: {error}",
                node,
            )
            self.end(node, StateType.FAILED)
            return
        if not wanted:
            attempt = Attempt(self.passed(StateType.CREATED, StateType.SKIPPED))
            node.record.attempts = [*(node.record.attempts or ()), attempt]
            self._show_outputs(node)
            self.end(node, StateType.SKIPPED)
        elif isinstance(node.task, FlowableTask):
            self._start_flowable(node, node.task)
        else:
            self.start_leaf(node)

    def _show_outputs(self, node: Node) -> None:
        """A flow-control task tells what it would have done even when it is skipped."""
        if isinstance(node.task, FlowableTask):
            try:
                node.record.outputs = node.task.outputs(node.task.resolve(self.renderer(node)))
            except (ExpressionError, ValueError):
                node.record.outputs = None

    def _wanted(self, node: Node) -> bool:
        run_if = node.task.run_if
        return run_if == "true" or truthy(self.renderer(node).render(run_if))

    def _start_flowable(self, node: Node, task: FlowableTask) -> None:
        record = node.record
        record.state.become(StateType.RUNNING, self.now)
        attempt = Attempt(self.passed(StateType.CREATED, StateType.RUNNING))
        record.attempts = [*(record.attempts or ()), attempt]
        record.stage, record.outcome, record.rounds = Stage.BODY, None, 0
        try:
            record.resolved = task.resolve(self.renderer(node))
            body = task.body(record.resolved)
            record.outputs = task.outputs(record.resolved)
        except (ExpressionError, ValueError) as error:
            self.log(LogLevel.ERROR, f"Unable to resolve state from the Flowable task: {error}", node)
            self.end(node, soften(task, StateType.FAILED))
            return
        self.live.keep_outputs(node)
        node.body_frame = flowable_frame(node, body)
        self.changed(node)
        if task.timeout is not None and body.pause is None:
            self.set_deadline(node)
        if body.missing:
            flow = self.live.record
            self.log(
                LogLevel.WARN,
                f"No task found on flow '{flow.namespace}.{flow.flow_id}', task '{task.id}', "
                f"execution '{flow.id}'",
                node,
            )
            self.end(node, soften(task, StateType.FAILED))
        elif body.pause is not None:
            self.begin_pause(node, task)
        elif body.directory:
            self.open_directory(node)
        else:
            self.later(self.fill, node.body_frame)

    # ---------------------------------------------------------------- ending

    def end(self, node: Node, state: StateType, at: datetime | None = None) -> None:
        """End a task run; what follows from that comes later."""
        record = node.record
        if isinstance(node.task, FlowableTask) and node.task.concludes:
            state = conclude(self, node, node.task, state)
        record.state.become(state, at or self.now)
        if isinstance(node.task, FlowableTask):
            self._end_flowable(node, state, at or self.now)
        if record.outputs is not None:
            self.live.keep_outputs(node)
        self.changed(node)
        node.frame.child_ended(node)
        self.later(self._after_child, node)

    def _end_flowable(self, node: Node, state: StateType, at: datetime) -> None:
        record = node.record
        if record.attempts:
            record.attempts[-1].state.become(state, at)
        if record.stage in (Stage.WAITING, Stage.HOLDING):
            self.clear_timer(LOOP_TIMER + record.id)
            self.live.held_by = None if self.live.held_by == record.id else self.live.held_by
            record.stage = Stage.BODY
        if node.directory is node:
            self.release_directory(node)
        if node.task.timeout is not None:
            self.clear_timer(DEADLINE_TIMER + record.id)

    def _after_child(self, node: Node) -> None:
        """Decide what the end of a child lets begin."""
        frame, record = node.frame, node.record
        following = frame.next_position(record.phase, record.lane, node.position)
        if record.phase is Phase.TASKS and following is None:
            frame.lane_done(record.lane)
            if frame.body.watched:
                look_at_lane(self, frame, node)
        if frame.is_cut or record.phase is Phase.MEANWHILE or self._rests(frame):
            self.settle(frame)
        elif record.phase is Phase.TASKS:
            if following is None or frame.failed or frame.phase is not Phase.TASKS:
                self.fill(frame)
            else:
                self.create(frame, Phase.TASKS, record.lane, following)
        elif following is not None:
            self.create(frame, record.phase, record.lane, following)
        else:
            self._end_phase(frame)

    def settle(self, frame: Frame) -> None:
        """See whether the branch that runs is over, or the frame as a whole."""
        owner = frame.owner
        if owner is not None and owner.at_work:
            return
        if frame.is_cut or frame.closing:
            if not frame.open and frame.finalizes and not frame.closing:
                self._enter(frame, Phase.FINALLY)
            elif not frame.open:
                self._close(frame)
        elif owner is not None and (owner.waits_for_round or is_paused(owner) or frame.waits_for_the_stopped):
            return
        elif frame.phase is Phase.TASKS and not self._rests(frame) and (frame.failed or frame.exhausted):
            if owner is not None and frame.body.directory and owner.record.stage is Stage.BODY:
                self.close_directory(owner)
            elif frame.body.rounds and not frame.failed:
                self.end_round(frame)
            else:
                self.end_normal_branch(frame)

    def end_normal_branch(self, frame: Frame) -> None:
        """Go over to what follows the normal branch."""
        if frame.body.directory and is_ended_around(frame):
            # It came to its own end in something that had already been ended.
            frame.closing = True
            self.settle(frame)
        elif frame.failed and frame.has(Phase.ERRORS):
            self._enter(frame, Phase.ERRORS)
        else:
            self._end_phase(frame)

    def _end_phase(self, frame: Frame) -> None:
        phase = _NEXT_PHASE.get(frame.phase)
        if phase is not None and frame.has(phase):
            self._enter(frame, phase)
            return
        if frame.phase is Phase.AFTER_EXECUTION:
            if not self.live.record.state.current.is_terminated:
                # It was replayed from one of these tasks.
                self.header_state(self._end_state(frame))
            self.effects.ended = True
            return
        frame.closing = True
        if frame.open:
            # A branch of its own still runs somewhere beside the failure: it starts nothing new.
            state = self._end_state(frame)
            for child in list(frame.open.values()):
                if child.body_frame is not None and child.record.phase is not Phase.MEANWHILE:
                    self.cut(child.body_frame, state)
        else:
            self._close(frame)

    def _enter(self, frame: Frame, phase: Phase) -> None:
        frame.phase = phase
        self.create(frame, phase, 0, 0)

    def _close(self, frame: Frame) -> None:
        """The last child has ended: so does what is around."""
        state = frame.cut_state or self._end_state(frame)
        if frame.owner is None:
            self._end_flow(state)
        elif not frame.owner.ended:
            self.end(frame.owner, state)

    def _end_state(self, frame: Frame) -> StateType:
        if frame.owner is None:
            return guess_state(frame.end_counts)
        task = frame.owner.task
        assert isinstance(task, FlowableTask)
        counts = frame.end_counts
        if frame.is_expired:
            counts = {StateType.FAILED: 1}
        elif frame.owner.record.outcome is not None:
            counts = {**counts, frame.owner.record.outcome: 1}
        return task.end_state(counts)

    def _end_flow(self, state: StateType) -> None:
        root = self.live.root
        if self.live.record.state.current.is_terminated:
            if root.cut_state is not None:
                # What ran after the end was stopped.
                self.execution_ends()
                self.effects.ended = True
            return
        root.closing = True
        self.header_state(state)
        # Outputs belong to an end that was reached, not to one that was ordered.
        if root.cut_state is None and not self._render_outputs():
            self.header_state(StateType.FAILED)
        self.execution_ends()
        self._follow_end()

    def end_unstarted(self, state: StateType) -> None:
        """End an execution of which nothing has run."""
        root = self.live.root
        self.header_state(state)
        self.execution_ends()
        root.closing = True
        self._follow_end()

    def _follow_end(self) -> None:
        """Run what comes after the end, if there is anything."""
        choose_listeners(self)
        if self.live.root.has(Phase.AFTER_EXECUTION):
            self._enter(self.live.root, Phase.AFTER_EXECUTION)
        else:
            self.effects.ended = True

    def _render_outputs(self) -> bool:
        flow, record = self.live.flow, self.live.record
        if not flow.outputs:
            return True
        try:
            resolved = resolve_outputs(
                flow.outputs,
                self.renderer(),
                encrypt=self.environment.encrypt,
                maximum=self.environment.max_flow_outputs,
            )
        except FlowOutputError as error:
            # After a failure outputs are often missing; the line must not hide what really went wrong.
            failed = record.state.current is StateType.FAILED
            self.log(LogLevel.WARN if failed else LogLevel.ERROR, str(error))
            return False
        for warning in resolved.warnings:
            self.log(LogLevel.WARN, warning)
        record.outputs = resolved.values
        return True

    # ---------------------------------------------------------------- going on

    def go_on(self) -> None:
        """Start what may start anywhere, after a rest or a restart of the server.

        It is done when nothing else is left to do: a child whose end has not been followed up yet would
        look like a lane that stands still.
        """
        self._goes_on = True

    def _go_on(self, frame: Frame) -> None:
        # The children of now: the frame may start others, which need no push. It comes first itself,
        # because it may cut short what they would go on with.
        children = list(frame.open.values())
        self._go_on_with(frame, {(child.record.phase, child.record.lane) for child in children})
        for child in children:
            if child.body_frame is not None:
                if not child.ended:
                    self._go_on(child.body_frame)
            elif may_start(child):
                self.later(self.start, child)

    def _go_on_with(self, frame: Frame, busy: Collection[tuple[Phase, int]]) -> None:
        """Let the lanes that stand still, of all but the busy ones, take their next step."""
        owner = frame.owner
        if owner is not None and (owner.at_work or owner.waits_for_round):
            return
        if frame.is_cut or frame.closing:
            self.settle(frame)
        elif owner is not None and is_paused(owner):
            return
        elif frame.phase is Phase.TASKS:
            for lane, position in list(frame.lanes.items()):
                following = frame.next_position(Phase.TASKS, lane, position)
                if (Phase.TASKS, lane) not in busy and not frame.failed and following is not None:
                    self.create(frame, Phase.TASKS, lane, following)
            self.fill(frame)
        elif (frame.phase, 0) not in busy:
            if frame.phase_position + 1 < len(frame.tasks(frame.phase, 0)):
                self.create(frame, frame.phase, 0, frame.phase_position + 1)
            else:
                self._end_phase(frame)


def owners(frame: Frame) -> Iterator[Node]:
    """The task runs that a frame is inside of, nearest first."""
    while frame.owner is not None:
        yield frame.owner
        frame = frame.owner.frame


def is_ended_around(frame: Frame) -> bool:
    """Something that a frame is inside of is ended already, and only waits for what still runs."""
    return any(
        node.frame.is_cut or (node.frame.closing and node.record.phase is not Phase.AFTER_EXECUTION)
        for node in owners(frame)
    )


def may_start(node: Node) -> bool:
    """It was created, or taken over from another execution to begin anew."""
    unbegun = isinstance(node.task, FlowableTask) and node.body_frame is None and not node.ended
    return unbegun or node.record.state.current.is_created


def is_paused(node: Node) -> bool:
    """It waits for a person, or for its time; a loop between two rounds does not count."""
    return node.record.state.current is StateType.PAUSED and not node.waits_for_round


#: The timers of the next tries; the task run's id follows.
RETRY_TIMER = "retry:"

#: The timers that limit how long a task run may take; its id follows.
DEADLINE_TIMER = "timeout:"

#: The timers that begin the next round of a loop; the task run's id follows.
LOOP_TIMER = "loop:"
