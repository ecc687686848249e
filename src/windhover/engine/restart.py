"""Going back: restarting an execution that failed, replaying one from a task, changing a task's state.

These work on the records of an execution that has ended. What they leave is an execution that is under
way again; the engine goes on from there as it would after a restart of the server.

Documentation page: ``docs/restart.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from windhover.engine.frame import enabled
from windhover.engine.messages import NothingToRestart, TaskRunNotFound
from windhover.model.execution import Execution, ExecutionMetadata, JsonValue, Label, Phase, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import State, StateType
from windhover.plugin.flowable import FlowableTask

RESTARTED_LABEL = Label("system.restarted", "true")
REPLAY_LABEL = Label("system.replay", "true")

#: States of task runs that a restart takes up again.
_UNSUCCESSFUL = frozenset({StateType.FAILED, StateType.KILLED})


@dataclass(slots=True)
class Reworked:
    """An execution under way again: its header, all its task runs, and the ids of those that are gone."""

    execution: Execution
    task_runs: list[TaskRun]
    removed: list[str] = field(default_factory=list)


def restart(execution: Execution, task_runs: Sequence[TaskRun], flow: Flow, now: datetime) -> Reworked:
    """Take up again all that failed, or was killed, in an execution that has ended.

    The records are changed in place. Runs of errors, finally and afterExecution branches go; they are
    made anew if they are needed.

    Raises:
        NothingToRestart: no task run failed.
    """
    kept, removed = _without_other_branches(task_runs)
    unsuccessful = [run for run in kept if run.state.current in _UNSUCCESSFUL]
    if not unsuccessful:
        raise NothingToRestart
    parents = {run.parent_task_run_id for run in kept}
    for run in unsuccessful:
        has_children = run.id in parents or _is_begun_flowable(run, flow)
        run.state.become(StateType.RUNNING if has_children else StateType.RESTARTED, now)
    _run_ancestors(kept, unsuccessful, now)
    _go_back(execution, RESTARTED_LABEL, now)
    return Reworked(execution, kept, removed)


def change_state(
    execution: Execution, task_runs: Sequence[TaskRun], task_run_id: str, state: StateType, now: datetime
) -> Reworked:
    """Say that a task run of an ended execution ended otherwise, and go on from there.

    Raises:
        TaskRunNotFound: there is no such task run.
    """
    kept, removed = _without_other_branches(task_runs)
    run = _find(kept, task_run_id)
    run.state.become(state, now)
    if run.attempts:
        run.attempts[-1].state.become(state, now)
    _run_ancestors(kept, [run], now)
    _go_back(execution, RESTARTED_LABEL, now)
    return Reworked(execution, kept, removed)


def replay(
    execution: Execution,
    task_runs: Sequence[TaskRun],
    flow: Flow,
    now: datetime,
    new_id: Callable[[], str],
    *,
    task_run_id: str | None = None,
    inputs: Mapping[str, JsonValue] | None = None,
    execution_id: str | None = None,
    in_its_place: bool = False,
) -> Reworked:
    """A new execution after the model of an old one: from its beginning, or from one of its task runs.

    ``flow`` is the revision to run. The records given stay as they are. What ran before the task run
    is taken over with its outputs; what came after it runs again. ``execution_id`` is that of the new
    execution, if it has been chosen. ``in_its_place``: whoever waits for the old one waits for the new one.

    Raises:
        TaskRunNotFound: there is no such task run.
    """
    header = _replayed_header(execution, flow, now, execution_id or new_id(), inputs)
    header.awaited_by = execution.awaited_by if in_its_place else None
    if task_run_id is None:
        return Reworked(header, [])
    chosen = _find(task_runs, task_run_id)
    kept = _up_to(task_runs, chosen, flow)
    ids = {run.id: new_id() for run in kept}
    copies = [_copied(run, header.id, ids, now) for run in kept]
    again = next(copy for copy in copies if copy.id == ids[chosen.id])
    is_flowable = isinstance(flow.task_by_id(again.task_id), FlowableTask)
    again.state.become(StateType.RUNNING if is_flowable else StateType.RESTARTED, now)
    _run_ancestors(copies, [again], now)
    header.state = execution.state.copy()
    header.state.become(StateType.RESTARTED, now)
    header.outputs = execution.outputs
    for position, copy in enumerate(copies):
        copy.position = position
    return Reworked(header, copies)


def _replayed_header(
    execution: Execution,
    flow: Flow,
    now: datetime,
    execution_id: str,
    inputs: Mapping[str, JsonValue] | None,
) -> Execution:
    another_revision = flow.revision is not None and flow.revision != execution.flow_revision
    return msgspec.structs.replace(
        execution,
        id=execution_id,
        parent_id=execution.id,
        state=State.created(now),
        flow_revision=flow.revision or execution.flow_revision,
        variables=(dict(flow.variables) or None) if another_revision else execution.variables,
        inputs=dict(inputs) if inputs is not None else execution.inputs,
        labels=_labelled(execution.labels, REPLAY_LABEL),
        outputs=None,
        schedule_date=None,
        metadata=ExecutionMetadata(
            execution.metadata.attempt_number + 1, execution.metadata.original_created_date
        ),
    )


def _up_to(task_runs: Sequence[TaskRun], chosen: TaskRun, flow: Flow) -> list[TaskRun]:
    """The task runs that a replay from ``chosen`` takes over, and ``chosen`` itself."""
    by_id = {run.id: run for run in task_runs}
    gone: set[str] = set()
    at: TaskRun | None = chosen
    while at is not None:
        parent = by_id.get(at.parent_task_run_id or "")
        later = _later_lanes(parent, at.lane, flow)
        for run in task_runs:
            if run.parent_task_run_id == at.parent_task_run_id and _comes_after(run, at, later):
                gone.add(run.id)
        at = parent
    kept = []
    for run in task_runs:
        parent_id = run.parent_task_run_id
        if run.id in gone or parent_id in gone or parent_id == chosen.id:
            gone.add(run.id)
        else:
            kept.append(run)
    return kept


def _comes_after(run: TaskRun, at: TaskRun, later: Collection[int]) -> bool:
    if run is at:
        return False
    if run.phase != at.phase:
        return run.phase > at.phase or (run.phase is not Phase.TASKS and at.phase is Phase.TASKS)
    if run.lane == at.lane:
        return run.position > at.position
    return run.lane in later


def _later_lanes(parent: TaskRun | None, lane: int, flow: Flow) -> Collection[int]:
    """The lanes beside ``lane`` that come after it: all later ones where they run one by one, and those
    that depend on it."""
    task = None if parent is None else flow.task_by_id(parent.task_id)
    if parent is None or not isinstance(task, FlowableTask):
        return ()
    body = task.body(parent.resolved)
    if body.after:
        later = {lane}
        while more := {i for i, before in body.after.items() if later.intersection(before)} - later:
            later |= more
        return later - {lane}
    return range(lane + 1, len(body.lanes)) if body.limit == 1 else ()


def _copied(run: TaskRun, execution_id: str, ids: Mapping[str, str], now: datetime) -> TaskRun:
    copy = msgspec.structs.replace(
        run,
        id=ids[run.id],
        execution_id=execution_id,
        parent_task_run_id=None if run.parent_task_run_id is None else ids[run.parent_task_run_id],
        state=run.state.copy(),
        attempts=None
        if run.attempts is None
        else [msgspec.structs.replace(attempt, state=attempt.state.copy()) for attempt in run.attempts],
    )
    if not copy.state.current.is_terminated:
        # Another branch was still under way: it is done again.
        if copy.attempts and not copy.attempts[-1].state.current.is_terminated:
            copy.attempts[-1].state.become(StateType.RESUBMITTED, now)
        copy.state.become(StateType.RESTARTED, now)
    return copy


def _without_other_branches(task_runs: Sequence[TaskRun]) -> tuple[list[TaskRun], list[str]]:
    """The task runs of normal branches, and the ids of all others with what is in them."""
    gone: set[str] = set()
    for run in task_runs:
        if run.phase is not Phase.TASKS or run.parent_task_run_id in gone:
            gone.add(run.id)
    return [run for run in task_runs if run.id not in gone], sorted(gone)


def _run_ancestors(task_runs: Sequence[TaskRun], of: Collection[TaskRun], now: datetime) -> None:
    by_id = {run.id: run for run in task_runs}
    for run in of:
        parent = by_id.get(run.parent_task_run_id or "")
        while parent is not None:
            parent.state.become(StateType.RUNNING, now)
            parent = by_id.get(parent.parent_task_run_id or "")


def _is_begun_flowable(run: TaskRun, flow: Flow) -> bool:
    task = flow.task_by_id(run.task_id)
    return isinstance(task, FlowableTask) and run.outputs is not None and bool(enabled(tuple(task.nested())))


def _go_back(execution: Execution, label: Label, now: datetime) -> None:
    execution.state.become(StateType.RESTARTED, now)
    execution.labels = _labelled(execution.labels, label)
    execution.metadata.attempt_number += 1


def _labelled(labels: Sequence[Label], label: Label) -> list[Label]:
    return [*(other for other in labels if other.key != label.key), label]


def _find(task_runs: Sequence[TaskRun], task_run_id: str) -> TaskRun:
    for run in task_runs:
        if run.id == task_run_id:
            return run
    raise TaskRunNotFound(task_run_id)
