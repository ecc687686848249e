"""What a step has still to do, in the order it is done, and where the execution stands meanwhile."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime

from windhover.engine.environment import EngineEnvironment
from windhover.engine.frame import Frame, Node
from windhover.engine.live import LiveExecution
from windhover.engine.recorder import Recorder
from windhover.expression import ExpressionError
from windhover.model.execution import Phase
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask

#: The timers of the next tries; the task run's id follows.
RETRY_TIMER = "retry:"

#: The timers that limit how long a task run may take; its id follows.
DEADLINE_TIMER = "timeout:"

#: The timers that begin the next round of a loop; the task run's id follows.
LOOP_TIMER = "loop:"

#: The timers that end pauses; the task run's id follows.
PAUSE_TIMER = "pause:"


class Agenda(Recorder):
    """What a step has still to do, and what its layers ask of one another.

    Whatever follows from a change is put on a list of things to do and done in that order, so that
    task runs are created level by level, and ten thousand skipped children need no deep recursion.
    """

    def __init__(self, live: LiveExecution, now: datetime, environment: EngineEnvironment) -> None:
        super().__init__(live, now, environment)
        self.todo: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        #: The flow asserts what must hold all the time.
        self.watches_assertions = False
        #: Task runs that change the execution, begun in this step: they do so when what began together with
        #: them has begun, too.
        self.changing: set[str] = set()
        #: The last loop that began to wait for its next round in this step.
        self.began_waiting: Node | None = None

    @abstractmethod
    def end(self, node: Node, state: StateType, at: datetime | None = None) -> None:
        """End a task run; what follows from that comes later."""

    @abstractmethod
    def settle(self, frame: Frame) -> None:
        """See whether the branch that runs is over, or the frame as a whole."""

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

    def later(self, action: Callable[..., None], *arguments: object) -> None:
        self.todo.append((action, arguments))

    def clear_timer(self, key: str) -> None:
        """Clear a timer, also one that was set in this very step."""
        self.effects.timers_set.pop(key, None)
        self.effects.timers_cleared.add(key)

    def drop_children(self, node: Node) -> None:
        """Remove all that ran inside a flow-control task."""
        for child in self.live.remove_children(node):
            task_run_id = child.record.id
            self.effects.task_runs.pop(task_run_id, None)
            self.effects.removed_task_runs.append(task_run_id)
            if not child.ended:
                self.clear_timer(RETRY_TIMER + task_run_id)

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

    def rests_in(self, frame: Frame) -> bool:
        """Nothing new starts in a frame: what runs while a pause waits, or in a shared directory, goes on."""
        if not self.resting or frame.shares_directory:
            return False
        return not any(node.record.phase is Phase.MEANWHILE for node in owners(frame))


def owners(frame: Frame) -> Iterator[Node]:
    """The task runs that a frame is inside of, nearest first."""
    while frame.owner is not None:
        yield frame.owner
        frame = frame.owner.frame


def may_start(node: Node) -> bool:
    """It was created, or taken over from another execution to begin anew."""
    if node.record.state.current is StateType.BREAKPOINT:
        return False
    unbegun = isinstance(node.task, FlowableTask) and node.body_frame is None and not node.ended
    return unbegun or node.record.state.current.is_created


def is_paused(node: Node) -> bool:
    """It waits for a person, or for its time; a loop between two rounds does not count."""
    return node.record.state.current is StateType.PAUSED and not node.waits_for_round
