"""The end of an execution that the engine cannot move on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from windhover.engine.effects import Effects
from windhover.model.execution import Execution, TaskRun
from windhover.model.flow import Flow
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType


class BrokenExecution(Exception):
    """The stored records of an execution do not fit its flow, so it cannot go on."""

    def __init__(self, flow: Flow, record: Execution) -> None:
        super().__init__(f"Execution '{record.id}' cannot be taken up again; it has been ended as FAILED.")
        self.flow = flow
        self.record = record


def fail_execution(
    record: Execution,
    task_runs: Iterable[TaskRun],
    log_sequence: int,
    timers: Sequence[str],
    now: datetime,
) -> Effects:
    """End an execution, and all of it that has not ended, as FAILED, with a line that says so.

    The records are those of the repository; ``log_sequence`` is the number of its last log line and
    ``timers`` are the keys of its timers, none of which may ring any more.
    """
    effects = Effects(header_changed=True, state_changed=True, ended=True, timers_cleared=set(timers))
    for run in task_runs:
        if run.state.current.is_terminated:
            continue
        run.dispatch += 1
        run.state.become(StateType.FAILED, now)
        if run.attempts and not run.attempts[-1].state.current.is_terminated:
            run.attempts[-1].state.become(StateType.FAILED, now)
        effects.task_runs[run.id] = run
    if not record.state.current.is_terminated:
        record.state.become(StateType.FAILED, now)
    effects.logs.append(
        LogEntry(
            tenant_id=record.tenant_id,
            namespace=record.namespace,
            flow_id=record.flow_id,
            execution_id=record.id,
            timestamp=now,
            level=LogLevel.ERROR,
            message="The execution was ended because of an internal error; the server's log has the details.",
            sequence=log_sequence + 1,
        )
    )
    return effects
