"""Breakpoints: an execution stops before certain tasks begin, until somebody lets it go on.

Documentation page: ``docs/breakpoints.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

from windhover.engine.agenda import is_paused
from windhover.engine.agreements import Agreements
from windhover.engine.frame import Node
from windhover.model.execution import Breakpoint
from windhover.model.log import LogLevel
from windhover.model.state import StateType


class Breakpoints(Agreements):
    """Stops at breakpoints, and goes on from them."""

    def stop_at_breakpoint(self, node: Node) -> bool:
        header, record = self.live.record, node.record
        if header.ordered_end is not None or header.state.current.is_terminated or _was_passed(node):
            return False
        if not any(_is_at(point, node) for point in header.breakpoints):
            return False
        record.state.become(StateType.BREAKPOINT, self.now)
        self.changed(node)
        self.log(LogLevel.INFO, f"Stopped at the breakpoint before the task '{record.task_id}'.", node)
        self.header_state(StateType.BREAKPOINT)
        return True

    def order_end(
        self, state: StateType, *, stop: bool = False, finalize: bool = False, by: str | None = None
    ) -> None:
        """End the execution in ``state``; what goes on in it waits for nobody any more."""
        super().order_end(state, stop=stop, finalize=finalize, by=by)
        for node in self.open_leaves():
            if node.frame.tells_to_stop(node) or not stop:
                continue
            if node.record.state.current is StateType.BREAKPOINT:
                self._pass(node)
            elif is_paused(node) and node.body_frame is not None and node.body_frame.cut_state is None:
                self.log(LogLevel.WARN, "Nobody is waited for: the execution is about to end.", node)
                self.end_pause(node, StateType.SUCCESS)

    def _pass(self, node: Node) -> None:
        """Let a task run begin that stands at a breakpoint."""
        node.record.state.become(node.record.state.histories[-2].state, self.now)
        self.changed(node)

    def resume_from_breakpoint(self, breakpoints: Sequence[Breakpoint] | None, actor: str | None) -> None:
        """Begin the tasks before which the execution stands; ``breakpoints`` are the new ones, if given."""
        record = self.live.record
        if record.state.current is not StateType.BREAKPOINT:
            return
        if breakpoints is not None:
            record.breakpoints = tuple(breakpoints)
        by = f" by {actor}" if actor else ""
        self.log(LogLevel.INFO, f"Execution resumed from its breakpoint{by}.")
        for node in self.open_leaves():
            if node.record.state.current is StateType.BREAKPOINT:
                self._pass(node)
        self.header_state(self.state_without_breakpoints())
        self.go_on()


def _was_passed(node: Node) -> bool:
    """It stood at a breakpoint, was let go on, and has not begun since: a pause may have kept it."""
    before = node.record.state.histories[:-1]
    return bool(before) and before[-1].state is StateType.BREAKPOINT


def _is_at(point: Breakpoint, node: Node) -> bool:
    record = node.record
    return point.id == record.task_id and point.value in (None, record.value)
