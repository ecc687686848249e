"""Tasks that share one working directory: preparing it, going through its tasks, clearing it away."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime

from windhover.engine.effects import Effects
from windhover.engine.environment import EngineEnvironment
from windhover.engine.frame import Node
from windhover.engine.live import LiveExecution, flowable_frame
from windhover.engine.messages import SharedDirectory, TaskEnded
from windhover.engine.rounds import Rounds
from windhover.expression import ExpressionError
from windhover.model.execution import Attempt, Stage
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask
from windhover.plugin.task import TaskDefinition


class Directories(Rounds):
    """The life of shared working directories.

    A worker prepares the directory on behalf of the flow-control task itself, runs each of its tasks in
    it, and at the end collects what is to stay. A directory never outlives its worker: when that is
    lost, all of the flow-control task begins again in a new one.
    """

    def __init__(self, live: LiveExecution, now: datetime, environment: EngineEnvironment) -> None:
        super().__init__(live, now, environment)
        self._to_open: list[Node] = []

    @abstractmethod
    def send_job(self, node: Node, task: TaskDefinition) -> None:
        """Hand a task run to a worker, to do ``task``."""

    def open_directory(self, node: Node) -> None:
        frame = node.body_frame
        assert frame is not None, "a flow-control task that has begun has a frame"
        opening = None if frame.is_cut else _flowable(node).opening()
        if opening is None:
            node.record.stage = Stage.BODY
            self.later(self.fill, frame)
        else:
            node.record.stage = Stage.OPENING
            self.send_job(node, opening)

    def close_directory(self, node: Node) -> None:
        frame, record = node.body_frame, node.record
        assert frame is not None, "a flow-control task that has begun has a frame"
        closing = _flowable(node).closing(record.resolved or {}, failed=frame.failed)
        if closing is None:
            self.release_directory(node)
            self.settle(frame)
        else:
            record.stage = Stage.CLOSING
            self.send_job(node, closing)

    def release_directory(self, node: Node) -> None:
        record = node.record
        if record.stage is Stage.CLOSED:
            return
        record.stage = Stage.CLOSED
        self.changed(node)
        self.effects.directories_released.append(_name(node))

    def directory_taken_up(self, node: Node, worker_id: str) -> None:
        """Remember which worker has the directory that a task run works in."""
        owner = node.directory
        attempts = None if owner is None else owner.record.attempts
        if owner is not None and attempts and attempts[-1].worker_id is None:
            attempts[-1].worker_id = worker_id
            self.changed(owner)

    def directory_work_ended(self, node: Node, event: TaskEnded) -> None:
        """A worker is done with what it had to do before the tasks, or after them."""
        frame, record = node.body_frame, node.record
        if not node.at_work or frame is None:
            return
        opened = record.stage is Stage.OPENING
        record.stage = Stage.BODY
        self.changed(node)
        if event.state is StateType.KILLED:
            self.cut(frame, frame.cut_state or StateType.KILLED, stop=True, finalize=frame.finalizes)
        elif event.state is StateType.FAILED:
            record.outcome = StateType.FAILED
            self.release_directory(node)
        elif opened:
            record.resolved = event.outputs
        else:
            self.live.outputs_changed(node, event.outputs or {})
            self.release_directory(node)
        self.later(self.fill, frame)

    def refuse_in_directory(self, node: Node, error: ExpressionError) -> None:
        """The task has no task run then: whether there is to be one is what cannot be told."""
        owner = node.directory
        assert owner is not None, "only tasks in a directory come here"
        assert owner.body_frame is not None, "it holds the task"
        self.log(LogLevel.ERROR, f"Failed evaluating runIf: {error}", node)
        self.live.remove(node)
        node.frame.nodes.remove(node)
        self.effects.task_runs.pop(node.record.id, None)
        self.effects.removed_task_runs.append(node.record.id)
        owner.record.outcome = StateType.FAILED
        self.changed(owner)
        self.settle(owner.body_frame)

    def begin_directories_again(self) -> None:
        """Begin anew what was done in shared directories, because all workers are gone.

        They are opened when all else is settled: what is cut short then is not begun any more.
        """
        for node in list(self.live.nodes.values()):
            frame = node.body_frame
            is_begun = node.directory is node and frame is not None and not node.ended
            is_stopped = frame is not None and (frame.cut_state is not None or frame.is_expired)
            if is_begun and not is_stopped and node.record.stage is not Stage.CLOSED:
                self._begin_again(node)
                self._to_open.append(node)

    def finish(self) -> Effects:
        effects = super().finish()
        if self._to_open:
            for node in self._to_open:
                self.open_directory(node)
            self._to_open = []
            effects = super().finish()
        return effects

    def _begin_again(self, node: Node) -> None:
        """Forget what was done in a directory that is gone with its worker; then it is opened anew."""
        record = node.record
        self.drop_children(node)
        record.lose_attempt(self.now)
        record.add_attempt(Attempt(self.passed(StateType.CREATED, StateType.RUNNING)))
        record.stage, record.outcome, record.resolved = Stage.OPENING, None, None
        node.body_frame = flowable_frame(node, _flowable(node).body(None))
        self.changed(node)

    def shared_directory(self, node: Node) -> SharedDirectory | None:
        """Where a job of this task run works, if not in a directory of its own."""
        owner = node.directory
        if owner is None or owner.record.stage is Stage.CLOSED:
            return None
        attempts = owner.record.attempts
        return SharedDirectory(_name(owner), attempts[-1].worker_id if attempts else None)


def _name(node: Node) -> str:
    """The name of the directory of a task run: another one for each time it is begun."""
    return f"{node.record.id}-shared-{len(node.record.attempts or ())}"


def _flowable(node: Node) -> FlowableTask:
    assert isinstance(node.task, FlowableTask), "only flow-control tasks have a shared directory"
    return node.task
