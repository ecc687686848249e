"""Running an execution again as a new one: from its beginning, from a task run, or from what failed in it.

Documentation page: ``docs/restart.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.engine.lanes import LaneOrder, body_of
from windhover.engine.pauses import resumed_at
from windhover.engine.places import still_placed
from windhover.engine.restart import (
    RESTARTED_LABEL,
    UNSUCCESSFUL,
    Reworked,
    ancestors,
    behind_others,
    clear,
    find,
    inside_of,
    is_whole,
    labelled,
    restart,
    run_ancestors,
    take_up,
    without_other_branches,
)
from windhover.model.execution import Execution, ExecutionMetadata, JsonValue, Label, Phase, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import State, StateType
from windhover.plugin.flowable import FlowableTask
from windhover.util.nulls import without_nulls

REPLAY_LABEL = Label("system.replay", "true")

#: Of an execution that others are replays of.
REPLAYED_LABEL = Label("system.replayed", "true")


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
    ran_in: Flow | None = None,
) -> Reworked:
    """A new execution after the model of an old one: from its beginning, or from one of its task runs.

    ``flow`` is the revision to run, ``ran_in`` that of the old one. The records given stay as they are. What
    ran before the task run is taken over with its outputs; what came after it runs again. So does what did
    not end well in other lanes beside it, since the new execution could only fail for that. ``execution_id``
    is that of the new execution, if it has been chosen. ``in_its_place``: whoever waits for the old one waits
    for the new one.

    Raises:
        TaskRunNotFound: there is no such task run.
    """
    header = _replayed_header(execution, flow, now, execution_id or new_id(), inputs)
    header.awaited_by = execution.awaited_by if in_its_place else None
    header.nesting = execution.nesting if in_its_place else 0
    header.chain = execution.chain if in_its_place else 0
    header.lineage = execution.lineage if in_its_place else ()
    if task_run_id is None:
        return Reworked(header, [])
    task_runs = still_placed(task_runs, flow, execution.listeners, ran_in)
    chosen = find(task_runs, task_run_id)
    chosen = _whole_around(task_runs, chosen, flow)
    kept = _up_to(task_runs, chosen, flow)
    ids = {run.id: new_id() for run in kept}
    copies = [_copied(run, header.id, ids, now) for run in kept]
    again = next(copy for copy in copies if copy.id == ids[chosen.id])
    again.ahead = False
    goes_on = isinstance(flow.task_by_id(again.task_id), FlowableTask) and not is_whole(again, flow)
    if isinstance(flow.task_by_id(again.task_id), FlowableTask):
        clear(again)
    again.state.become(StateType.RUNNING if goes_on else StateType.RESTARTED, now)
    run_ancestors(copies, [again], now)
    beside = _unsuccessful_beside(copies, again)
    behind = behind_others(copies, beside, flow)
    gone = behind | inside_of(copies, behind)
    copies = [copy for copy in copies if copy.id not in gone]
    for top in beside:
        if top.id not in gone:
            copies = _with_unsuccessful_again(copies, top, flow, now)
    header.state = execution.state.copy()
    header.state.become(StateType.RESTARTED, now)
    header.outputs = execution.outputs
    LaneOrder(copies, flow).mark_what_is_ahead()
    for position, copy in enumerate(copies):
        copy.position = position
    return Reworked(header, copies)


def restart_as(
    execution: Execution,
    task_runs: Sequence[TaskRun],
    flow: Flow,
    now: datetime,
    new_id: Callable[[], str],
    *,
    ran_in: Flow | None = None,
) -> Reworked:
    """A new execution, of another revision, that takes up again what failed or was stopped in an old one.

    What ended well is taken over with its outputs. If the old one is paused, the new one goes on behind the
    pause that began first. ``ran_in`` is the revision of the old one. The records given stay as they are.

    Raises:
        NothingToRestart: no task run failed of those that the revision still has.
    """
    header = _replayed_header(execution, flow, now, new_id(), None, RESTARTED_LABEL)
    header.state, header.awaited_by = execution.state.copy(), None
    header.nesting = header.chain = 0
    header.lineage = ()
    labels, attempt = header.labels, header.metadata.attempt_number
    known = still_placed(task_runs, flow, execution.listeners, ran_in)
    ids = {run.id: new_id() for run in known}
    copies = [_copied(run, header.id, ids, now) for run in known]
    if execution.state.current is StateType.PAUSED:
        _pass_first_pause(known, copies, flow, now)
    new = restart(header, copies, flow, now)
    header.labels, header.metadata.attempt_number, header.outputs = labels, attempt, execution.outputs
    for position, run in enumerate(new.task_runs):
        run.position = position
    return Reworked(header, new.task_runs)


def mark_replayed(execution: Execution) -> bool:
    """Label an execution that was replayed; False when it is labelled already."""
    if REPLAYED_LABEL in execution.labels:
        return False
    execution.labels = labelled(execution.labels, REPLAYED_LABEL)
    return True


def _replayed_header(
    execution: Execution,
    flow: Flow,
    now: datetime,
    execution_id: str,
    inputs: Mapping[str, JsonValue] | None,
    label: Label = REPLAY_LABEL,
) -> Execution:
    another_revision = flow.revision is not None and flow.revision != execution.flow_revision
    return msgspec.structs.replace(
        execution,
        id=execution_id,
        parent_id=execution.id,
        state=State.created(now),
        flow_revision=flow.revision or execution.flow_revision,
        variables=(without_nulls(dict(flow.variables)) or None) if another_revision else execution.variables,
        inputs=dict(inputs) if inputs is not None else execution.inputs,
        labels=labelled([other for other in execution.labels if other.key != REPLAYED_LABEL.key], label),
        outputs=None,
        schedule_date=None,
        ordered_end=None,
        broken_slas=(),
        breakpoints=(),
        waits_for=None,
        paged=None,
        refusals=(),
        metadata=ExecutionMetadata(
            execution.metadata.attempt_number + 1, execution.metadata.original_created_date
        ),
    )


def _up_to(task_runs: Sequence[TaskRun], chosen: TaskRun, flow: Flow) -> list[TaskRun]:
    """The task runs that a replay from ``chosen`` takes over, and ``chosen`` itself."""
    by_id = {run.id: run for run in task_runs}
    order = LaneOrder(task_runs, flow)
    gone: set[str] = set()
    at: TaskRun | None = chosen
    while at is not None:
        parent = by_id.get(at.parent_task_run_id or "")
        later = _later_lanes(parent, at.lane, flow)
        for run in task_runs:
            if run.parent_task_run_id == at.parent_task_run_id and _comes_after(run, at, later, order):
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


def _whole_around(task_runs: Sequence[TaskRun], run: TaskRun, flow: Flow) -> TaskRun:
    """What has to be run again as a whole if this task run is: the outermost of what is around it."""
    whole = run
    for around in ancestors(run, {other.id: other for other in task_runs}):
        if is_whole(around, flow):
            whole = around
    return whole


def _comes_after(run: TaskRun, at: TaskRun, later: Collection[int], order: LaneOrder) -> bool:
    if run is at or run.phase is Phase.MEANWHILE:
        return False
    if at.phase is Phase.MEANWHILE:
        return True
    if run.phase != at.phase:
        return run.phase > at.phase or (run.phase is not Phase.TASKS and at.phase is Phase.TASKS)
    if run.lane == at.lane:
        return order.is_behind(run, at)
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


def _unsuccessful_beside(task_runs: Sequence[TaskRun], chosen: TaskRun) -> list[TaskRun]:
    """What did not end well in other lanes than the one that a replay begins in, at any level around it."""
    by_id = {run.id: run for run in task_runs}
    found = []
    for at in (chosen, *ancestors(chosen, by_id)):
        if at.phase is Phase.TASKS:
            found += [
                run
                for run in task_runs
                if run.parent_task_run_id == at.parent_task_run_id
                and run.phase is Phase.TASKS
                and run.lane != at.lane
                and run.state.current in UNSUCCESSFUL
            ]
    return found


def _with_unsuccessful_again(
    task_runs: Sequence[TaskRun], top: TaskRun, flow: Flow, now: datetime
) -> list[TaskRun]:
    """The task runs, with what did not end well in and under ``top`` taken up again.

    A failure that something between the two has dealt with stays as it is.
    """
    within = inside_of(task_runs, [top.id]) | {top.id}
    kept, removed = without_other_branches([run for run in task_runs if run.id in within], top)
    reaching: list[TaskRun] = []
    for run in kept:
        reaches = run is top or any(run.parent_task_run_id == parent.id for parent in reaching)
        if reaches and run.state.current in UNSUCCESSFUL and run.phase is not Phase.MEANWHILE:
            reaching.append(run)
    _, inside = take_up(kept, reaching, flow, now)
    gone = {*removed, *inside}
    return [run for run in task_runs if run.id not in gone]


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
        paged=None,
    )
    if not copy.state.current.is_terminated:
        # Another branch was still under way: it is done again.
        copy.lose_attempt(now)
        copy.state.become(StateType.RESTARTED, now)
    return copy


def _pass_first_pause(old: Sequence[TaskRun], copies: Sequence[TaskRun], flow: Flow, now: datetime) -> None:
    """Let the first pause that ``old`` waits in be one, in its copy, whose time is over."""
    for run, copy in zip(old, copies, strict=True):
        body = body_of(run, flow)
        if run.state.current is StateType.PAUSED and body is not None and body.pause is not None:
            copy.state.become(StateType.FAILED, now)
            copy.outputs = {**(copy.outputs or {}), "resumed": resumed_at(now, StateType.SUCCESS)}
            return
