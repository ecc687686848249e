"""The log of triggers: what happened to them, apart from the executions they started.

Lines of triggers stand beside those of executions. In the place of an execution's id they have one that is
made of the trigger's, and their numbers are instants, so that several schedulers need not agree on them.
"""

from __future__ import annotations

from datetime import datetime

from windhover.model.log import LogEntry, LogLevel
from windhover.model.trigger_state import TriggerKey
from windhover.repository.instants import to_micros

_PREFIX = "trigger:"


def trigger_log_id(key: TriggerKey) -> str:
    """What the lines of a trigger have in the place of an execution's id."""
    return f"{_PREFIX}{key.tenant_id}/{key.namespace}/{key.flow_id}/{key.trigger_id}"


def is_trigger_log(execution_id: str) -> bool:
    """Whether a line belongs to a trigger and to no execution."""
    return execution_id.startswith(_PREFIX)


class TriggerJournal:
    """Makes the lines of triggers, no two of a process with the same number."""

    def __init__(self) -> None:
        self._last = 0

    def line(self, key: TriggerKey, level: LogLevel, message: str, at: datetime) -> LogEntry:
        self._last = max(self._last + 1, to_micros(at))
        return LogEntry(
            tenant_id=key.tenant_id,
            namespace=key.namespace,
            flow_id=key.flow_id,
            execution_id=trigger_log_id(key),
            timestamp=at,
            level=level,
            message=message,
            trigger_id=key.trigger_id,
            sequence=self._last,
        )
