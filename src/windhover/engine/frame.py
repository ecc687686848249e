"""The bookkeeping of a running list of tasks: of the flow itself, or of one flow-control task run.

A frame is derived: it follows from the definition and the task runs, and is rebuilt from them when an
execution is read back. While the execution is in memory it is kept up to date step by step, so that
the end of a child never asks for a look at its siblings.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from windhover.model.execution import Phase, Stage, TaskRun
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.flowable import Body, OnFailure


class Node:
    """A task run with its definition and its place: in which frame, lane and position it runs."""

    __slots__ = ("body_frame", "frame", "position", "record", "task")

    def __init__(self, record: TaskRun, task: Task, frame: Frame, position: int) -> None:
        self.record = record
        self.task = task
        self.frame = frame
        self.position = position
        #: The frame of its own children, when the task is a flow-control task that has begun.
        self.body_frame: Frame | None = None

    @property
    def ended(self) -> bool:
        return self.record.state.current.is_terminated

    @property
    def at_work(self) -> bool:
        """A worker has the flow-control task itself, before or after its children."""
        return self.record.stage in (Stage.OPENING, Stage.CLOSING) and not self.ended

    @property
    def waits_for_round(self) -> bool:
        """It is a loop between two rounds."""
        return self.record.stage in (Stage.WAITING, Stage.HOLDING) and not self.ended

    @property
    def is_part(self) -> bool:
        """It counts as the task around it, with the value that one has in a loop."""
        frame, record = self.frame, self.record
        return record.phase is Phase.TASKS and (frame.body.directory or frame.body.lanes[record.lane].chained)

    @property
    def in_loop(self) -> bool:
        """It runs once for each value of a loop, which counts its ``iteration``."""
        frame, record = self.frame, self.record
        return record.phase is Phase.TASKS and frame.body.lanes[record.lane].iteration is not None

    @property
    def directory(self) -> Node | None:
        """The task run whose shared working directory this one works in."""
        if self.body_frame is not None and self.body_frame.body.directory:
            return self
        frame = self.frame
        return frame.owner if frame.body.directory and self.record.phase is Phase.TASKS else None


class Frame:
    """Lanes under way, children not yet ended, and how the ended ones ended."""

    __slots__ = (
        "_begun",
        "_dependents",
        "_enabled",
        "_ready",
        "_waiting_for",
        "ahead",
        "body",
        "closing",
        "cut_state",
        "end_counts",
        "finalizes",
        "lanes",
        "next_lane",
        "nodes",
        "open",
        "owner",
        "phase",
        "phase_position",
        "phase_tasks",
        "state_beside",
        "stops",
    )

    def __init__(self, owner: Node | None, body: Body, phase_tasks: dict[Phase, tuple[Task, ...]]) -> None:
        #: The task run this is the inside of; None for the flow itself.
        self.owner = owner
        self.body = body
        #: The enabled tasks of the branches besides the normal one.
        self.phase_tasks = phase_tasks
        self.phase = Phase.TASKS
        #: The position reached in the branch that ``phase`` names, when it is not the normal one.
        self.phase_position = 0
        #: Children that have not ended, by task run id, in the order they were created.
        self.open: dict[str, Node] = {}
        #: All children, in the order they were created.
        self.nodes: list[Node] = []
        #: How many children of the normal branch ended in which state.
        self.end_counts: dict[StateType, int] = {}
        #: The lanes of the normal branch that are under way, and the position reached in each.
        self.lanes: dict[int, int] = {}
        #: By lane and position, those that have run while others before them have not, after a restart.
        self.ahead: dict[int, dict[int, Node]] = {}
        self._begun: set[int] = set()
        self.next_lane = 0
        #: Set when the frame is ended from outside: no child is started any more, and the owner takes
        #: this state as soon as the last running one has ended.
        self.cut_state: StateType | None = None
        #: It was cut, and those still running have been told to stop.
        self.stops = False
        #: It was cut, and its ``finally`` branch runs nevertheless: when the last running one has ended.
        self.finalizes = False
        #: The last branch is over; only what still runs in others is waited for.
        self.closing = False
        #: The state in which the branches end that still run while it is closing.
        self.state_beside: StateType | None = None
        self._enabled: tuple[Sequence[Task], tuple[Task, ...]] = ((), ())
        # Only for lanes that wait for others: how many of those have not ended, who waits for a
        # lane, and which lanes may start (a heap: those written first start first).
        # A lane without enabled tasks holds nobody up.
        self._waiting_for: dict[int, int] = {}
        self._dependents: dict[int, list[int]] = {}
        self._ready: list[int] | None = None
        if body.after:
            busy = [i for i, lane in enumerate(body.lanes) if enabled(lane.tasks)]
            for lane in busy:
                before = set(body.after.get(lane, ())).intersection(busy)
                if before:
                    self._waiting_for[lane] = len(before)
                for other in before:
                    self._dependents.setdefault(other, []).append(lane)
            self._ready = [lane for lane in busy if lane not in self._waiting_for]

    @property
    def is_cut(self) -> bool:
        """Nothing is started in it. Its ``finally`` branch, once that runs, is like any other."""
        return self.cut_state is not None and not (self.finalizes and self.phase is Phase.FINALLY)

    def cut(self, state: StateType, *, stops: bool, finalizes: bool) -> list[Node]:
        """End this frame from outside; returns the children that have to end before it does.

        A ``finally`` branch that runs already goes on if branches like it are to run. What has been told to
        stop is not told otherwise by an end that would let it finish.
        """
        has_begun = self.owner is not None or bool(self.nodes)
        self.finalizes = (
            finalizes
            and has_begun
            and not self.closing
            and self.phase <= Phase.FINALLY
            and self.has(Phase.FINALLY)
        )
        if stops or not self.stops:
            self.cut_state, self.stops = state, stops
        if self.finalizes:
            return [node for node in self.open.values() if node.record.phase is not Phase.FINALLY]
        return list(self.open.values())

    def tells_to_stop(self, child: Node) -> bool:
        """A child that runs has been told to stop, because of what happened to this frame."""
        if self.is_expired and child.record.phase is Phase.TASKS:
            return True
        finishes = self.finalizes and child.record.phase is Phase.FINALLY
        return self.cut_state is not None and self.stops and not finishes

    @property
    def shares_directory(self) -> bool:
        """Its tasks share a directory, and are not done in there yet."""
        return self.body.directory and self.phase is Phase.TASKS

    @property
    def is_expired(self) -> bool:
        """It is the inside of a task run whose time is over."""
        return self.owner is not None and self.owner.record.stage is Stage.EXPIRED

    @property
    def waits_for_the_stopped(self) -> bool:
        """Its time is over, and something of its normal branch has not stopped yet."""
        return self.is_expired and self.phase is Phase.TASKS and bool(self.open)

    @property
    def failed(self) -> bool:
        if StateType.FAILED in self.end_counts:
            policy = self.body.on_failure
            if policy is OnFailure.STOP or (policy is OnFailure.CARRY_ON and self.exhausted):
                return True
        return self.owner is not None and self.owner.record.outcome is StateType.FAILED

    @property
    def exhausted(self) -> bool:
        """No lane is under way and none is left to start."""
        if self.lanes:
            return False
        if self._ready is not None:
            return not self._ready and not self._waiting_for
        return self.next_lane >= len(self.body.lanes)

    def tasks(self, phase: Phase, lane: int) -> tuple[Task, ...]:
        """The enabled tasks of a lane."""
        if phase is not Phase.TASKS:
            return self.phase_tasks[phase]
        tasks = self.body.lanes[lane].tasks
        # The lanes of a loop share one list of tasks: remembering the last list makes this a look-up.
        last, found = self._enabled
        if last is not tasks:
            found = enabled(tasks)
            self._enabled = (tasks, found)
        return found

    def has(self, phase: Phase) -> bool:
        """There is an enabled task in that branch."""
        return bool(self.phase_tasks.get(phase))

    def take_lane(self) -> int | None:
        """Start the next lane that may start and return its index; None when there is none now."""
        limit = self.body.limit
        if limit and len(self.lanes) >= limit:
            return None
        if self._ready is not None:
            if not self._ready:
                return None
            lane = heappop(self._ready)
        elif self.next_lane < len(self.body.lanes):
            lane = self.next_lane
            self.next_lane += 1
        else:
            return None
        self.lanes[lane] = 0
        return lane

    def lane_done(self, lane: int) -> None:
        """Take note that the last task of a lane of the normal branch has ended."""
        del self.lanes[lane]
        for dependent in self._dependents.get(lane, ()):
            if dependent not in self._waiting_for:
                continue
            left = self._waiting_for[dependent] - 1
            if left:
                self._waiting_for[dependent] = left
            else:
                del self._waiting_for[dependent]
                assert self._ready is not None, "only frames with dependencies have dependents"
                heappush(self._ready, dependent)

    def child_ended(self, node: Node) -> None:
        """Take an ended child out of the open ones and count it."""
        self.open.pop(node.record.id, None)
        if node.record.phase is Phase.TASKS:
            state = node.record.state.current
            self.end_counts[state] = self.end_counts.get(state, 0) + 1

    def next_position(self, phase: Phase, lane: int, position: int) -> int | None:
        """What follows a position in its lane; None when nothing is left to run there."""
        done = self.ahead.get(lane, ()) if phase is Phase.TASKS else ()
        position += 1
        while position in done:
            position += 1
        return position if position < len(self.tasks(phase, lane)) else None

    def gone_past(self, lane: int, position: int | None) -> list[Node]:
        """Take note that a lane goes on at this position, or is over (None); returns what had run ahead and
        whose turn that was."""
        ahead = self.ahead.get(lane)
        if not ahead:
            return []
        return [ahead.pop(each) for each in list(ahead) if position is None or each < position]

    def _begin_again(self, lane: int) -> None:
        """Take note of a lane that has begun: with any of its tasks, if others were put before it since."""
        self._begun.add(lane)
        self.next_lane = max(self.next_lane, lane + 1)
        # After a replay a lane may have run though one it waits for is done again.
        if self._ready is not None and self._waiting_for.pop(lane, None) is None:
            self._ready.remove(lane)
            heapify(self._ready)

    def restore(self, node: Node) -> None:
        """Take note of a stored child, given in the order of creation."""
        record = node.record
        if record.phase is Phase.MEANWHILE:
            if not node.ended:
                self.open[record.id] = node
            return
        if record.phase > self.phase:
            self.phase = record.phase
        if record.phase is Phase.TASKS:
            self._restore_in_lane(node)
        else:
            self.phase_position = node.position
        if node.ended:
            self.child_ended(node)
        else:
            self.open[record.id] = node

    def _restore_in_lane(self, node: Node) -> None:
        lane = node.record.lane
        if lane not in self._begun:
            self._begin_again(lane)
            self.lanes[lane] = -1
        if node.record.ahead:
            self.ahead.setdefault(lane, {})[node.position] = node
        else:
            # Not in the order of their creation: some of those before may have been created anew.
            self.lanes[lane] = max(self.lanes[lane], node.position)

    def all_restored(self) -> None:
        """Take note of the lanes that are over, when all children are restored."""
        busy = {node.record.lane for node in self.open.values() if node.record.phase is Phase.TASKS}
        for lane, position in list(self.lanes.items()):
            if lane not in busy and self.next_position(Phase.TASKS, lane, position) is None:
                self.lane_done(lane)


def enabled(tasks: Sequence[Task]) -> tuple[Task, ...]:
    return tuple(task for task in tasks if not task.disabled)
