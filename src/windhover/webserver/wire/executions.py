"""Executions and task runs in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from windhover.engine.messages import TaskProgressed
from windhover.model.execution import (
    Attempt,
    Breakpoint,
    Execution,
    ExecutionTrigger,
    JsonValue,
    Label,
    Phase,
    TaskFixture,
    TaskRun,
)
from windhover.model.state import State, StateType
from windhover.webserver.wire.dates import Instant, instant, optional_instant


class StateChangeJson(msgspec.Struct):
    """A state and when it was taken."""

    state: StateType
    date: Instant


class StateJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """The present state with its history, oldest first. ``duration`` is in seconds."""

    current: StateType
    histories: list[StateChangeJson]
    start_date: Instant
    duration: float | None = None
    end_date: Instant | None = None


class AttemptJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """One try of a task run."""

    state: StateJson
    worker_id: str | None = None
    log_file: str | None = None


class ProgressJson(msgspec.Struct, omit_defaults=True):
    """How far a running task says it is, from 0 to 1, and what it says about it."""

    fraction: float
    message: str = ""


class TaskRunJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """One run of a task. ``value`` and ``iteration`` are set on the direct children of a loop.

    ``progress`` is there while the task runs, if it tells.
    """

    tenant_id: str
    id: str
    execution_id: str
    namespace: str
    flow_id: str
    task_id: str
    state: StateJson
    parent_task_run_id: str | None = None
    value: str | None = None
    iteration: int | None = None
    attempts: list[AttemptJson] | None = None
    outputs: dict[str, JsonValue] | None = None
    dynamic: bool = False
    force_execution: bool = False
    progress: ProgressJson | None = None


class MetadataJson(msgspec.Struct, rename="camel"):
    """Counters that survive restart, replay and retry."""

    attempt_number: int
    original_created_date: Instant


class ExecutionJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """An execution. Keys without a value are left out; ``url`` is set in the answer to a start.

    ``waitsFor`` says why an execution does not run that is CREATED or QUEUED.
    """

    tenant_id: str
    id: str
    namespace: str
    flow_id: str
    flow_revision: int
    labels: list[Label]
    state: StateJson
    original_id: str
    deleted: bool
    metadata: MetadataJson
    task_run_list: list[TaskRunJson] | None = None
    inputs: dict[str, JsonValue] | None = None
    outputs: dict[str, JsonValue] | None = None
    variables: dict[str, JsonValue] | None = None
    parent_id: str | None = None
    trigger: ExecutionTrigger | None = None
    schedule_date: Instant | None = None
    kind: str | None = None
    breakpoints: list[Breakpoint] | None = None
    fixtures: list[TaskFixture] | None = None
    waits_for: str | None = None
    url: str | None = None


class ExecutionPageJson(msgspec.Struct):
    """One page of executions, without their task runs, and how many there are in all."""

    results: list[ExecutionJson]
    total: int


class LastExecutionJson(msgspec.Struct, rename="camel"):
    """The last execution of a flow, as lists of flows show it."""

    id: str
    namespace: str
    flow_id: str
    start_date: Instant
    status: StateType


_NO_PROGRESS: Mapping[str, TaskProgressed] = {}


def execution_json(
    execution: Execution,
    task_runs: Sequence[TaskRun] = (),
    *,
    url: str | None = None,
    progress: Mapping[str, TaskProgressed] = _NO_PROGRESS,
) -> ExecutionJson:
    """An execution as the API shows it; without task runs there is no ``taskRunList``.

    ``progress`` is what running tasks say, by task run.
    """
    metadata = execution.metadata
    return ExecutionJson(
        tenant_id=execution.tenant_id,
        id=execution.id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        flow_revision=execution.flow_revision,
        labels=execution.labels,
        state=state_json(execution.state),
        original_id=execution.original_id,
        deleted=execution.deleted,
        metadata=MetadataJson(metadata.attempt_number, instant(metadata.original_created_date)),
        task_run_list=[_task_run_json(run, execution, progress.get(run.id)) for run in task_runs] or None,
        inputs=execution.inputs,
        outputs=execution.outputs,
        variables=execution.variables,
        parent_id=execution.parent_id,
        trigger=execution.trigger,
        schedule_date=optional_instant(execution.schedule_date),
        kind=execution.kind,
        breakpoints=list(execution.breakpoints) or None,
        fixtures=list(execution.fixtures) or None,
        waits_for=_waits_for(execution),
        url=url,
    )


def _waits_for(execution: Execution) -> str | None:
    """Why an execution does not run though it has not ended; None when it does, or has ended."""
    if execution.state.current is not StateType.CREATED:
        return execution.waits_for
    if execution.schedule_date is not None:
        return f"Its date: {instant(execution.schedule_date)}."
    return "The executor has not begun it yet."


def state_json(state: State) -> StateJson:
    """A state as the API shows it."""
    return StateJson(
        current=state.current,
        histories=[StateChangeJson(change.state, instant(change.date)) for change in state.histories],
        start_date=instant(state.start_date),
        duration=state.duration,
        end_date=optional_instant(state.end_date),
    )


def _task_run_json(run: TaskRun, execution: Execution, progress: TaskProgressed | None) -> TaskRunJson:
    if progress is None or run.state.current.is_terminated:
        shown = None
    else:
        shown = ProgressJson(progress.fraction, progress.message)
    return TaskRunJson(
        tenant_id=execution.tenant_id,
        id=run.id,
        execution_id=run.execution_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        task_id=run.task_id,
        state=state_json(run.state),
        # What runs while a pause waits belongs to it, but clients know it as a task run of its own.
        parent_task_run_id=None if run.phase is Phase.MEANWHILE else run.parent_task_run_id,
        value=run.value,
        iteration=run.iteration,
        attempts=None if run.attempts is None else [_attempt_json(attempt) for attempt in run.attempts],
        outputs=run.outputs,
        dynamic=run.dynamic,
        force_execution=run.force_execution,
        progress=shown,
    )


def _attempt_json(attempt: Attempt) -> AttemptJson:
    return AttemptJson(state_json(attempt.state), attempt.worker_id, attempt.log_file)
