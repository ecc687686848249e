"""The end of an execution that cannot go on: its flow cannot be read, or the engine has a defect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from windhover.engine.effects import Effects
from windhover.engine.messages import LogsWritten, TaskEnded
from windhover.model.execution import Attempt, Execution, Stage, TaskRun
from windhover.model.flow import Flow
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import State, StateType

#: What a log line says of a defect, whose details are for the operator alone.
INTERNAL_ERROR = "The execution was ended because of an internal error; the server's log has the details."
#: The same of something that was asked for.
NOT_CARRIED_OUT = (
    "This could not be carried out because of an internal error; the server's log has the details."
)

#: What workers have reported about an execution: it is kept though the execution cannot go on.
Report = TaskEnded | LogsWritten


class BrokenExecution(Exception):
    """A stored execution that cannot be taken up; ``reason`` is a sentence for its log.

    Either its flow is not to be had (a plugin is gone, say; then ``flow`` is None), or its records do not
    fit the flow.
    """

    def __init__(self, record: Execution, reason: str, flow: Flow | None = None) -> None:
        super().__init__(f"Execution '{record.id}' cannot be taken up: {reason}")
        self.record = record
        self.reason = reason
        self.flow = flow or Flow.model_construct(
            id=record.flow_id, namespace=record.namespace, revision=record.flow_revision, tasks=()
        )


def end_execution(
    record: Execution,
    task_runs: Iterable[TaskRun],
    log_sequence: int,
    timers: Sequence[str],
    now: datetime,
    *,
    reason: str = INTERNAL_ERROR,
    state: StateType = StateType.FAILED,
    reports: Iterable[Report] = (),
) -> Effects:
    """End an execution, and all of it that has not ended, in ``state``, with a line that says why.

    The records are those of the repository; ``log_sequence`` is the number of its last log line and
    ``timers`` are the keys of its timers, none of which may ring any more. ``reports`` are not in the
    repository yet: a task whose end was reported has done its work, and keeps that end and its outputs.
    """
    if record.state.current is StateType.KILLING:
        state = StateType.KILLED
    effects = Effects(header_changed=True, state_changed=True, ended=True, timers_cleared=set(timers))
    runs = {run.id: run for run in task_runs}
    for report in reports:
        if isinstance(report, TaskEnded):
            run = runs.get(report.task_run_id)
            if run is None or not _is_awaited(run, report):
                continue
            # What a worker does before and after the tasks of a flow-control task is not its end.
            if run.stage is Stage.BODY:
                _record_end(run, report)
                effects.task_runs[run.id] = run
        effects.logs.extend(report.logs)
        effects.metrics.extend(report.metrics)
    left = [run for run in runs.values() if not run.state.current.is_terminated]
    for run in left:
        run.dispatch += 1
        run.state.become(state, now)
        if run.attempts and not run.attempts[-1].state.current.is_terminated:
            run.attempts[-1].state.become(state, now)
        effects.task_runs[run.id] = run
    if left or not record.state.current.is_terminated:
        level = LogLevel.INFO if state is StateType.KILLED else LogLevel.ERROR
        effects.logs.extend(
            LogEntry(
                tenant_id=record.tenant_id,
                namespace=record.namespace,
                flow_id=record.flow_id,
                execution_id=record.id,
                timestamp=now,
                level=level,
                message=message,
            )
            for message in (*record.refusals, reason)
        )
        record.refusals = ()
    if not record.state.current.is_terminated:
        record.state.become(state, now)
    for sequence, entry in enumerate(effects.logs, log_sequence + 1):
        entry.sequence = sequence
    return effects


def _is_awaited(run: TaskRun, report: TaskEnded) -> bool:
    """Whether a report is about the attempt that is under way."""
    current = run.state.current
    return not current.is_terminated and current is not StateType.RETRYING and run.dispatch == report.dispatch


def _record_end(run: TaskRun, report: TaskEnded) -> None:
    at = report.at
    if run.attempts is None:
        run.attempts = []
    if not run.attempts or run.attempts[-1].state.current.is_terminated:
        run.attempts.append(Attempt(State.created(at), report.worker_id or None))
    attempt = run.attempts[-1]
    if report.state is not StateType.KILLED:
        attempt.state.become(StateType.RUNNING, at)
        run.state.become(StateType.RUNNING, at)
    attempt.state.become(report.state, at)
    attempt.log_file = report.log_file
    run.outputs = report.outputs
    run.state.become(report.state, at)
