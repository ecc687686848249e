"""Breakpoints: an execution stops before certain tasks begin, until somebody lets it go on.

Documentation page: ``docs/breakpoints.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

from windhover.engine.agreements import Agreements
from windhover.engine.frame import Node
from windhover.model.execution import Breakpoint
from windhover.model.log import LogLevel
from windhover.model.state import StateType


class Breakpoints(Agreements):
    """Stops at breakpoints, and goes on from them."""

    def stop_at_breakpoint(self, node: Node) -> bool:
        live, record = self.live, node.record
        if live.record.ordered_end is not None or live.record.state.current.is_terminated:
            return False
        if record.id in live.passed_breakpoints:
            live.passed_breakpoints.discard(record.id)
            return False
        found = next((point for point in live.record.breakpoints if _is_at(point, node)), None)
        if found is None:
            return False
        record.state.become(StateType.BREAKPOINT, self.now)
        self.changed(node)
        self.log(LogLevel.INFO, f"Stopped at the breakpoint before the task '{record.task_id}'.", node)
        self.header_state(StateType.BREAKPOINT)
        return True

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
                self.live.passed_breakpoints.add(node.record.id)
                node.record.state.become(node.record.state.histories[-2].state, self.now)
                self.changed(node)
        self.header_state(StateType.RETRYING if self.live.retrying else StateType.RUNNING)
        self.go_on()


def _is_at(point: Breakpoint, node: Node) -> bool:
    record = node.record
    return point.id == record.task_id and point.value in (None, record.value)
