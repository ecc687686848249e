"""Takes note of what a step changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from windhover.engine.effects import Effects
from windhover.engine.environment import EngineEnvironment
from windhover.engine.frame import Node
from windhover.engine.live import LiveExecution
from windhover.engine.rendering import Renderer
from windhover.model.execution import JsonValue
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import State, StateChange, StateType


class Recorder:
    """The execution that a step works on, and the effects that it gathers."""

    def __init__(self, live: LiveExecution, now: datetime, environment: EngineEnvironment) -> None:
        self.live = live
        self.now = now
        self.environment = environment
        self.effects = Effects()

    def changed(self, node: Node) -> None:
        self.effects.task_runs[node.record.id] = node.record

    def header_changed(self) -> None:
        self.effects.header_changed = True

    def header_state(self, state: StateType) -> None:
        if self.live.record.state.become(state, self.now):
            self.effects.header_changed = True
            self.effects.state_changed = True

    def passed(self, *states: StateType) -> State:
        """A state reached just now by way of others."""
        return State(states[-1], [StateChange(state, self.now) for state in states])

    def renderer(self, node: Node | None = None, extra: Mapping[str, JsonValue] | None = None) -> Renderer:
        return Renderer(self.live, self.environment, node, extra)

    def accept_logs(self, entries: Sequence[LogEntry]) -> None:
        """Number log lines; from here on their order is fixed. What is beyond the limit is dropped.

        Attempts have limits of their own; this one is for what tries again and again, or loops for ever.
        """
        limit = self.environment.max_log_lines
        for entry in entries:
            if self.live.log_sequence >= limit - 1:
                self._say_that_the_log_is_full()
                return
            self._number(entry)

    def _say_that_the_log_is_full(self) -> None:
        limit = self.environment.max_log_lines
        if self.live.log_sequence == limit - 1:
            message = f"The log is full (limit of an execution: {limit} lines); further lines are dropped."
            self._number(self._own_line(LogLevel.WARN, message))

    def _number(self, entry: LogEntry) -> None:
        self.live.log_sequence += 1
        entry.sequence = self.live.log_sequence
        self.effects.logs.append(entry)

    def log(
        self, level: LogLevel, message: str, node: Node | None = None, *, trigger_id: str | None = None
    ) -> None:
        """Write a line of the engine's own, so that no state comes about without a word.

        With ``trigger_id`` it is found among the lines of the trigger, too. When the log is full only
        warnings and errors are written: what tries again for ever must not fill it.
        """
        if level < LogLevel.WARN and self.live.log_sequence >= self.environment.max_log_lines - 1:
            self._say_that_the_log_is_full()
            return
        entry = self._own_line(level, self.live.masked(message))
        entry.trigger_id = trigger_id
        if node is not None:
            entry.task_id = node.record.task_id
            entry.task_run_id = node.record.id
            entry.attempt_number = max(0, len(node.record.attempts or ()) - 1)
        self._say_that_the_log_is_full()
        self._number(entry)

    def _own_line(self, level: LogLevel, message: str) -> LogEntry:
        record = self.live.record
        return LogEntry(
            tenant_id=record.tenant_id,
            namespace=record.namespace,
            flow_id=record.flow_id,
            execution_id=record.id,
            timestamp=self.now,
            level=level,
            message=message,
        )
