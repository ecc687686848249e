"""The ``timeout`` of tasks that no worker runs: flow control, and tasks that start executions.

The ``timeout`` of a task that a worker runs is the worker's affair.

Documentation page: ``docs/limits.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta

from windhover.engine.agenda import DEADLINE_TIMER, LOOP_TIMER
from windhover.engine.batches import is_batch_under_way
from windhover.engine.frame import Frame, Node
from windhover.engine.pauses import Pauses
from windhover.expression import ExpressionError, to_text
from windhover.model.execution import Phase, Stage
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask
from windhover.util.durations import format_clock, read_time_limit


class Deadlines(Pauses):
    """Durable limits of how long task runs may take.

    The limit of a flow-control task is one of its normal branch: what runs there is killed, then its
    ``errors`` and ``finally`` branches run, and it ends as FAILED. That of a task that starts executions is
    one of each attempt: they are killed, and the attempt has failed.
    """

    @abstractmethod
    def give_up_stopped(self, within: Frame) -> None:
        """Wait no longer for task runs that were told to stop and have not."""

    def set_deadline(self, node: Node) -> None:
        limit = self._time_limit(node)
        if limit is not None:
            self.effects.timers_set[DEADLINE_TIMER + node.record.id] = self.now + limit

    def _time_limit(self, node: Node) -> timedelta | None:
        try:
            return read_time_limit(to_text(self.renderer(node).render(node.task.timeout)))
        except (ExpressionError, ValueError) as error:
            self.log(LogLevel.ERROR, f"The `timeout` cannot be read and does not count: {error}", node)
            return None

    def set_deadlines_again(self) -> None:
        """Limit anew what goes on after a restart of the execution."""
        frames = [self.live.root]
        while frames:
            for node in frames.pop().open.values():
                frame = node.body_frame
                if frame is None:
                    continue
                frames.append(frame)
                if node.task.timeout is not None and frame.body.pause is None and frame.phase is Phase.TASKS:
                    self.set_deadline(node)

    def deadline_is_over(self, task_run_id: str) -> None:
        node = self.live.nodes.get(task_run_id)
        if node is None or node.ended or node.frame.tells_to_stop(node):
            return
        if isinstance(node.task, FlowableTask):
            frame = node.body_frame
            if frame is not None and frame.is_expired:
                self.give_up_stopped(frame)
            elif frame is not None and frame.cut_state is None:
                self._expire(node, frame)
        elif self.is_child_under_way(node):
            self._expire_attempt(node)

    def _expire(self, node: Node, frame: Frame) -> None:
        """Stop the normal branch of a flow-control task; what follows a failure follows."""
        if frame.phase is not Phase.TASKS or frame.closing:
            return
        self._tell(node)
        was_at_work, waited = node.at_work, self.waits_for_somebody()
        if node.waits_for_round:
            self.clear_timer(LOOP_TIMER + node.record.id)
            self.let_go()
            node.record.state.become(StateType.RUNNING, self.now)
        if was_at_work:
            self.stop_leaf(node)
        node.record.stage = Stage.EXPIRED
        node.record.outcome = StateType.FAILED
        self.changed(node)
        for child in list(frame.open.values()):
            if child.record.phase is Phase.TASKS:
                self.cut_child(child, StateType.KILLED, stop=True, finalize=True)
        self._wake(waited)
        if frame.open:
            due = self.now + self.environment.kill_grace
            self.effects.timers_set[DEADLINE_TIMER + node.record.id] = due
        self.later(self.settle, frame)

    def _expire_attempt(self, node: Node) -> None:
        """Kill the executions that a task waits for, longer than it may; it ends when they have."""
        if node.record.outcome is StateType.FAILED:
            return
        self._tell(node)
        if is_batch_under_way(node):
            self.stop_batches(node, StateType.FAILED)
        else:
            self.stop_leaf(node)
            node.record.outcome = StateType.FAILED
            self.changed(node)

    def _tell(self, node: Node) -> None:
        limit = self._time_limit(node)
        self.log(LogLevel.ERROR, f"Timeout after {format_clock(limit or timedelta())}", node)

    def _wake(self, waited: bool) -> None:
        """Go on if what the execution stood still for is gone: breakpoints, or pauses it ``waited`` in."""
        state = self.live.record.state.current
        if state is StateType.BREAKPOINT:
            states = (node.record.state.current for node in self.open_leaves())
            gone = all(each is not StateType.BREAKPOINT for each in states)
        else:
            gone = self.resting and waited and not self.waits_for_somebody()
        if gone:
            if state is StateType.BREAKPOINT:
                self.header_state(self.state_without_breakpoints())
            else:
                self.run_again()
            self.go_on()
