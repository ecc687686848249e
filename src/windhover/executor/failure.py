"""The end of an execution that the engine cannot move on."""

from __future__ import annotations

from datetime import datetime

from windhover.engine.effects import Effects
from windhover.engine.live import LiveExecution
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType


def fail_execution(live: LiveExecution, now: datetime) -> Effects:
    """End an execution, and all of it that has not ended, as FAILED, with a line that says so."""
    effects = Effects(header_changed=True, state_changed=True, ended=True)
    record = live.record
    for node in live.nodes.values():
        if node.ended:
            continue
        node.record.dispatch += 1
        node.record.state.become(StateType.FAILED, now)
        attempts = node.record.attempts
        if attempts and not attempts[-1].state.current.is_terminated:
            attempts[-1].state.become(StateType.FAILED, now)
        effects.task_runs[node.record.id] = node.record
    if not record.state.current.is_terminated:
        record.state.become(StateType.FAILED, now)
    live.log_sequence += 1
    effects.logs.append(
        LogEntry(
            tenant_id=record.tenant_id,
            namespace=record.namespace,
            flow_id=record.flow_id,
            execution_id=record.id,
            timestamp=now,
            level=LogLevel.ERROR,
            message="The execution was ended because of an internal error; the server's log has the details.",
            sequence=live.log_sequence,
        )
    )
    return effects
