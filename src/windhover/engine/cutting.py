"""Ends that do not follow from the task runs: somebody, or something, orders them."""

from __future__ import annotations

from windhover.engine.agenda import RETRY_TIMER, may_start
from windhover.engine.flow_control import FlowControl
from windhover.engine.frame import Frame, Node
from windhover.model.execution import OrderedEnd, Phase
from windhover.model.log import LogLevel
from windhover.model.state import StateType

#: The timer that ends the wait for task runs that were told to stop.
KILL_TIMER = "kill"

#: The timer that ends the ``finally`` branches of an execution that was killed.
FINALLY_TIMER = "finally"

#: The timer that lets a new execution take the place of one that was retried.
REPLAY_TIMER = "replay"

#: The timer that ends the wait for a turn.
QUEUE_TIMER = "queue"


class Cutting(FlowControl):
    """Ends an execution, or a part of it, from outside.

    Nothing new starts in what is cut, but for ``finally`` branches where they are wanted. What runs is told
    to stop, or may come to its own end. When the last has ended, what was cut takes the state ordered.
    """

    def order_end(
        self, state: StateType, *, stop: bool = False, finalize: bool = False, by: str | None = None
    ) -> None:
        """End the execution in ``state``. It is stored, so that a crash does not undo it.

        Of several ends the first counts, unless a kill comes: what runs on the way to an end, a ``finally``
        branch, does not turn it into another.
        """
        record, due = self.live.record, None
        if record.ordered_end is not None and state is not StateType.KILLED:
            state, stop = record.ordered_end.state, stop or record.ordered_end.stops
            by, due = record.ordered_end.by, record.ordered_end.due
        # What waits for its turn has nothing to clean up.
        finalize = finalize and record.state.current is not StateType.QUEUED
        record.ordered_end = OrderedEnd(state, stops=stop, finalizes=finalize, by=by, due=due)
        self.header_changed()
        if self.resting and self.runs_on():
            self.header_state(StateType.RUNNING)
        self.cut(self.live.root, state, stop=stop, finalize=finalize)
        # A branch that goes on may have stood still until now, in a pause.
        self.go_on()
        if stop and self.live.root.open:
            self.effects.timers_set[KILL_TIMER] = self.now + self.environment.kill_grace
            if finalize:
                limit = self.environment.kill_grace + self.environment.finally_limit
                self.effects.timers_set[FINALLY_TIMER] = self.now + limit

    def cut(self, frame: Frame, state: StateType, *, stop: bool = False, finalize: bool = False) -> None:
        """End a frame from outside: nothing more starts; it takes ``state`` when its last child has ended.

        With ``stop`` those still running are stopped, else they may finish. With ``finalize`` the ``finally``
        branches of all that has begun run nevertheless, and those that run already go on.
        """
        if frame.shares_directory and not stop:
            # It is one piece of work, which comes to its own end.
            return
        for child in frame.cut(state, stops=stop, finalizes=finalize):
            self.cut_child(child, state, stop=stop, finalize=finalize)
        if not frame.open:
            self.later(self.settle, frame)

    def cut_child(self, child: Node, state: StateType, *, stop: bool, finalize: bool) -> None:
        """End a task run from outside, with all that is in it."""
        if child.body_frame is not None:
            self.cut(child.body_frame, state, stop=stop, finalize=finalize)
            if stop and child.at_work:
                self.stop_leaf(child)
        elif child.record.state.current is StateType.RETRYING:
            self._give_up_retry(child)
            self.end_unrun(child, state)
        elif child.record.id in self.changing:
            return  # it has begun
        elif may_start(child) or child.record.state.current is StateType.BREAKPOINT:
            self.end_unrun(child, state)
        elif stop:
            self.stop_leaf(child)

    def runs_on(self) -> bool:
        """Something is to start in spite of what has been cut: only ``finally`` branches if all is to end."""
        end = self.live.record.ordered_end
        if end is None:
            return True
        frames = [self.live.root] if end.finalizes else []
        while frames:
            frame = frames.pop()
            if frame.has(Phase.FINALLY):
                return True
            frames.extend(node.body_frame for node in frame.open.values() if node.body_frame is not None)
        return False

    def runs_finally(self) -> bool:
        """A ``finally`` branch of what was cut is running."""
        frames = [self.live.root]
        while frames:
            frame = frames.pop()
            if frame.finalizes and frame.phase is Phase.FINALLY:
                return True
            frames.extend(node.body_frame for node in frame.open.values() if node.body_frame is not None)
        return False

    def finally_took_too_long(self) -> None:
        """End what still runs in the ``finally`` branches of an execution that was told to stop."""
        end = self.live.record.ordered_end
        if end is None or not end.finalizes:
            return
        self.log(LogLevel.ERROR, "The `finally` tasks took too long for an execution that is to stop.")
        self.order_end(end.state, stop=True)

    def execution_ends(self) -> None:
        record, root = self.live.record, self.live.root
        self.waits_no_longer()
        if record.ordered_end is None:
            return
        if record.ordered_end.due is not None:
            self.effects.timers_set[REPLAY_TIMER] = max(record.ordered_end.due, self.now)
        record.ordered_end = None
        root.cut_state = None
        root.finalizes = root.stops = False
        self.clear_timer(KILL_TIMER)
        self.clear_timer(FINALLY_TIMER)

    def waits_no_longer(self) -> None:
        """The execution has left the queue of its flow."""
        if self.live.record.waits_for is not None:
            self.live.record.waits_for = None
            self.clear_timer(QUEUE_TIMER)

    def _give_up_retry(self, node: Node) -> None:
        """Wait no longer for the next try of a task run."""
        self.clear_timer(RETRY_TIMER + node.record.id)
        self.live.retrying -= 1
        if not self.live.retrying and self.live.record.state.current is StateType.RETRYING and self.runs_on():
            self.header_state(StateType.RUNNING)
