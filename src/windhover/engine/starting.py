"""How frames start their children: lane by lane, task by task."""

from __future__ import annotations

from windhover.engine.agenda import Agenda, may_start
from windhover.engine.frame import Frame, Node
from windhover.engine.live import flowable_frame
from windhover.expression import ExpressionError, truthy
from windhover.model.execution import Attempt, Phase, Stage, TaskFixture, TaskRun
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.executable import ExecutableTask
from windhover.plugin.execution_update import ExecutionUpdateTask
from windhover.plugin.flowable import FlowableTask, soften
from windhover.plugin.task import TaskDefinition


class Starting(Agenda):
    """Creates the task runs of frames and begins them."""

    def fill(self, frame: Frame) -> None:
        """Start as many lanes of the normal branch as may be under way."""
        while not (frame.phase is not Phase.TASKS or frame.failed or frame.is_cut or self.rests_in(frame)):
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
        if frame.body.rounds and frame.owner is not None:
            # What follows the last round counts to it.
            follows = phase is not Phase.TASKS and frame.nodes
            iteration = frame.nodes[0].record.iteration if follows else frame.owner.record.rounds
        if phase is Phase.TASKS:
            self.go_past(frame, lane, position)
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

    def go_past(self, frame: Frame, lane: int, position: int | None) -> None:
        """Record of what has run ahead that its turn is over, as its lane goes on here, or is over (None)."""
        for node in frame.gone_past(lane, position):
            node.record.ahead = False
            self.changed(node)

    def start(self, node: Node) -> None:
        """Begin a task run that was created."""
        if not may_start(node):
            return
        if node.frame.is_cut:
            self.end_unrun(node, node.frame.cut_state or StateType.KILLED)
            return
        if node.record.phase is not Phase.MEANWHILE and self.rests_in(node.frame):
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
            if _is_done_by_engine(node.task):
                node.record.add_attempt(Attempt(self.passed(StateType.FAILED)))
            self.end(node, StateType.FAILED)
            return
        if not wanted:
            self._skip(node)
        elif isinstance(node.task, FlowableTask):
            self._start_flowable(node, node.task)
        elif (fixture := self._fixture_of(node)) is not None:
            self._end_as_in_test(node, fixture)
        else:
            self.start_leaf(node)

    def end_unrun(self, node: Node, state: StateType) -> None:
        """End a task run that does not begin, or not again, because what it is in ends as ``state``.

        It does not count as done: a failure before its next try remains, and what never ran was skipped.
        """
        attempts = node.record.attempts
        if state not in (StateType.SUCCESS, StateType.WARNING):
            self.end(node, state)
        elif attempts and attempts[-1].state.current is StateType.FAILED:
            self.end(node, StateType.FAILED)
        else:
            self._skip(node)

    def _skip(self, node: Node) -> None:
        node.record.add_attempt(Attempt(self.passed(StateType.CREATED, StateType.SKIPPED)))
        self._show_outputs(node)
        self.end(node, StateType.SKIPPED)

    def _fixture_of(self, node: Node) -> TaskFixture | None:
        record = node.record
        for fixture in self.live.record.fixtures:
            if fixture.id == record.task_id and fixture.value in (None, record.value):
                return fixture
        return None

    def _end_as_in_test(self, node: Node, fixture: TaskFixture) -> None:
        """End a task run as the fixture of a test says, without running it."""
        state, record = fixture.state, node.record
        self.log(LogLevel.INFO, f"Not run: in this test it ends as {state.value}.", node)
        try:
            record.outputs = dict(self.renderer(node).render(fixture.outputs or {}))
        except ExpressionError as error:
            self.log(LogLevel.ERROR, f"The outputs of the fixture cannot be rendered. Cause: {error}", node)
            state = StateType.FAILED
        record.add_attempt(Attempt(self.passed(StateType.CREATED, state)))
        self.end(node, soften(node.task, state))

    def _show_outputs(self, node: Node) -> None:
        """A flow-control task tells what it would have done even when it is skipped."""
        if isinstance(node.task, FlowableTask):
            try:
                resolved = node.task.resolve(self.renderer(node))
                node.record.outputs = node.task.outputs(resolved)
            except (ExpressionError, ValueError):
                node.record.outputs = None
            else:
                # Somebody may say later that it has run, or replay from it: what has outputs has a body.
                node.record.resolved = resolved

    def _wanted(self, node: Node) -> bool:
        run_if = node.task.run_if
        return run_if == "true" or truthy(self.renderer(node).render(run_if))

    def _start_flowable(self, node: Node, task: FlowableTask) -> None:
        record = node.record
        record.state.become(StateType.RUNNING, self.now)
        attempt = Attempt(self.passed(StateType.CREATED, StateType.RUNNING))
        record.add_attempt(attempt)
        record.stage, record.outcome, record.rounds = Stage.BODY, None, 0
        try:
            record.resolved = task.resolve(self.renderer(node))
            body = task.body(record.resolved)
            record.outputs = task.outputs(record.resolved)
        except (ExpressionError, ValueError) as error:
            self.log(LogLevel.ERROR, f"Unable to resolve state from the Flowable task: {error}", node)
            record.outputs = {}
            self.end(node, StateType.FAILED)  # not what `allowFailure` is for: the flow is wrong
            return
        self.live.keep_outputs(node)
        node.body_frame = flowable_frame(node, body)
        self.changed(node)
        if task.timeout is not None and body.pause is None:
            self.set_deadline(node)
        if body.missing is not None:
            flow = self.live.record
            self.log(
                LogLevel.WARN,
                f"No task found on flow '{flow.namespace}.{flow.flow_id}', task '{task.id}', "
                f"execution '{flow.id}': {body.missing}",
                node,
            )
            self.end(node, soften(task, StateType.FAILED))
        elif body.pause is not None:
            self.begin_pause(node, task)
        elif body.directory:
            self.open_directory(node)
        else:
            self.later(self.fill, node.body_frame)


def _is_done_by_engine(task: Task) -> bool:
    """No worker has to do with it, nor has it tasks of its own: whatever goes wrong is an attempt."""
    return isinstance(task, TaskDefinition) and issubclass(task.plugin, (ExecutableTask, ExecutionUpdateTask))
