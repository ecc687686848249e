"""Going back: restarting an execution that failed, replaying one from a task, changing a task's state.

These work on the records of an execution that has ended. What they leave is an execution that is under
way again; the engine goes on from there as it would after a restart of the server.

Documentation page: ``docs/restart.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.engine.messages import CommandRefused, NothingToRestart, TaskRunNotFound
from windhover.model.execution import Execution, ExecutionMetadata, JsonValue, Label, Phase, Stage, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import State, StateType
from windhover.plugin.flowable import Body, FlowableTask

RESTARTED_LABEL = Label("system.restarted", "true")
REPLAY_LABEL = Label("system.replay", "true")

#: Of an execution that others are replays of.
REPLAYED_LABEL = Label("system.replayed", "true")

#: States of task runs that did not come to a good end: they are taken up again.
_UNSUCCESSFUL = frozenset({StateType.FAILED, StateType.KILLED, StateType.CANCELLED})


class Reworked(msgspec.Struct):
    """An execution under way again: its header, all its task runs, and the ids of those that are gone."""

    execution: Execution
    task_runs: list[TaskRun]
    removed: list[str] = msgspec.field(default_factory=list)


def restart(execution: Execution, task_runs: Sequence[TaskRun], flow: Flow, now: datetime) -> Reworked:
    """Take up again all that failed, or was stopped, in an execution that has ended.

    In one that ended as WARNING that is what failed and was allowed to. One that did not end well although
    all its task runs did (at its outputs, by a defect, by an agreement) goes on behind them; one that was
    ended before its first task run begins. The records are changed in place. Runs of errors, finally and
    afterExecution branches go; they are made anew if they are needed.

    Raises:
        NothingToRestart: nothing failed, or it could not run in the first place.
    """
    ended = execution.state.current
    kept, removed = _without_other_branches(task_runs)
    unsuccessful = [run for run in kept if run.phase is not Phase.MEANWHILE and _is_to_do(run, ended)]
    if not unsuccessful and not (kept and ended in _UNSUCCESSFUL):
        _check_that_it_may_begin(execution, task_runs)
    kept, inside = _take_up(kept, unsuccessful, flow, now)
    _go_back(execution, RESTARTED_LABEL, now)
    if execution.schedule_date is not None and execution.schedule_date > now:
        execution.schedule_date = None
    return Reworked(execution, kept, [*removed, *inside])


def change_state(
    execution: Execution,
    task_runs: Sequence[TaskRun],
    flow: Flow,
    task_run_id: str,
    state: StateType,
    now: datetime,
) -> Reworked:
    """Say that a task run of an ended execution ended otherwise, and go on from there.

    Raises:
        TaskRunNotFound: there is no such task run.
        CommandRefused: it ran in a directory that it shared with others, which is gone.
    """
    kept, removed = _without_other_branches(task_runs)
    run = _find(kept, task_run_id)
    directory = _directory_of(kept, run, flow)
    if directory is not None:
        raise CommandRefused(
            f"The tasks in a shared directory only run together: change the state of '{directory.task_id}'"
        )
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
    is taken over with its outputs; what came after it runs again. So does what did not end well in other
    lanes beside it, since the new execution could only fail for that. ``execution_id`` is that of the new
    execution, if it has been chosen. ``in_its_place``: whoever waits for the old one waits for the new one.

    Raises:
        TaskRunNotFound: there is no such task run.
    """
    header = _replayed_header(execution, flow, now, execution_id or new_id(), inputs)
    header.awaited_by = execution.awaited_by if in_its_place else None
    header.nesting = execution.nesting if in_its_place else 0
    if task_run_id is None:
        return Reworked(header, [])
    task_runs = _still_defined(task_runs, flow)
    chosen = _find(task_runs, task_run_id)
    # What a directory held is gone, so all that share it are run again.
    chosen = _directory_of(task_runs, chosen, flow) or chosen
    kept = _up_to(task_runs, chosen, flow)
    ids = {run.id: new_id() for run in kept}
    copies = [_copied(run, header.id, ids, now) for run in kept]
    again = next(copy for copy in copies if copy.id == ids[chosen.id])
    is_flowable = isinstance(flow.task_by_id(again.task_id), FlowableTask)
    if is_flowable:
        _clear(again)
    again.state.become(StateType.RUNNING if is_flowable else StateType.RESTARTED, now)
    _run_ancestors(copies, [again], now)
    for beside in _unsuccessful_beside(copies, again):
        copies = _with_unsuccessful_again(copies, beside, flow, now)
    header.state = execution.state.copy()
    header.state.become(StateType.RESTARTED, now)
    header.outputs = execution.outputs
    for position, copy in enumerate(copies):
        copy.position = position
    return Reworked(header, copies)


def restart_as(
    execution: Execution, task_runs: Sequence[TaskRun], flow: Flow, now: datetime, new_id: Callable[[], str]
) -> Reworked:
    """A new execution, of another revision, that takes up again what failed or was stopped in an old one.

    What ended well is taken over with its outputs. If the old one is paused, the new one goes on behind the
    pause that began first. The records given stay as they are.

    Raises:
        NothingToRestart: no task run failed of those that the revision still has.
    """
    header = _replayed_header(execution, flow, now, new_id(), None)
    header.state, header.awaited_by, header.nesting = execution.state.copy(), None, 0
    labels, attempt = header.labels, header.metadata.attempt_number
    known = _still_defined(task_runs, flow)
    ids = {run.id: new_id() for run in known}
    copies = [_copied(run, header.id, ids, now) for run in known]
    if execution.state.current is StateType.PAUSED:
        _pass_first_pause(known, copies, flow, now)
    new = restart(header, copies, flow, now)
    header.labels, header.metadata.attempt_number, header.outputs = labels, attempt, execution.outputs
    for position, run in enumerate(new.task_runs):
        run.position = position
    return Reworked(header, new.task_runs)


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
        labels=_labelled(
            [label for label in execution.labels if label.key != REPLAYED_LABEL.key], REPLAY_LABEL
        ),
        outputs=None,
        schedule_date=None,
        ordered_end=None,
        broken_slas=(),
        breakpoints=(),
        waits_for=None,
        refusals=(),
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
    if run is at or run.phase is Phase.MEANWHILE:
        return False
    if at.phase is Phase.MEANWHILE:
        return True
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


def _unsuccessful_beside(task_runs: Sequence[TaskRun], chosen: TaskRun) -> list[TaskRun]:
    """What did not end well in other lanes than the one that a replay begins in, at any level around it."""
    by_id = {run.id: run for run in task_runs}
    found = []
    for at in (chosen, *_ancestors(chosen, by_id)):
        if at.phase is Phase.TASKS:
            found += [
                run
                for run in task_runs
                if run.parent_task_run_id == at.parent_task_run_id
                and run.phase is Phase.TASKS
                and run.lane != at.lane
                and run.state.current in _UNSUCCESSFUL
            ]
    return found


def _with_unsuccessful_again(
    task_runs: Sequence[TaskRun], top: TaskRun, flow: Flow, now: datetime
) -> list[TaskRun]:
    """The task runs, with what did not end well in and under ``top`` taken up again.

    A failure that something between the two has dealt with stays as it is.
    """
    within = _inside(task_runs, [top.id]) | {top.id}
    kept, removed = _without_other_branches([run for run in task_runs if run.id in within], top)
    reaching: list[TaskRun] = []
    for run in kept:
        reaches = run is top or any(run.parent_task_run_id == parent.id for parent in reaching)
        if reaches and run.state.current in _UNSUCCESSFUL and run.phase is not Phase.MEANWHILE:
            reaching.append(run)
    _, inside = _take_up(kept, reaching, flow, now)
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
    )
    if not copy.state.current.is_terminated:
        # Another branch was still under way: it is done again.
        if copy.attempts and not copy.attempts[-1].state.current.is_terminated:
            copy.attempts[-1].state.become(StateType.RESUBMITTED, now)
        copy.state.become(StateType.RESTARTED, now)
    return copy


def _is_to_do(run: TaskRun, ended: StateType) -> bool:
    """A restart takes this task run up again, in an execution that has ended so."""
    if run.state.current in _UNSUCCESSFUL:
        return True
    was_allowed_to_fail = (
        run.state.current is StateType.WARNING
        and run.attempts is not None
        and run.attempts[-1].state.current is StateType.FAILED
    )
    return ended is StateType.WARNING and was_allowed_to_fail


def _check_that_it_may_begin(execution: Execution, task_runs: Sequence[TaskRun]) -> None:
    """See whether an execution in which there is nothing to take up can begin instead.

    Raises:
        NothingToRestart: it cannot.
    """
    ended = execution.state.current
    if ended is StateType.RETRIED:
        raise NothingToRestart("A new execution has taken its place.")
    if ended is StateType.FAILED:
        raise NothingToRestart("It failed before its first task; it can be replayed.")
    if ended not in _UNSUCCESSFUL or task_runs:
        raise NothingToRestart("Nothing in it failed or was stopped; it can be replayed.")


def _take_up(
    task_runs: Sequence[TaskRun], unsuccessful: Sequence[TaskRun], flow: Flow, now: datetime
) -> tuple[list[TaskRun], set[str]]:
    """Let these task runs be run again, in place; returns what is left, and the ids of those that are gone."""
    anew = _to_begin_anew(task_runs, unsuccessful, flow)
    again = _behind_others(task_runs, unsuccessful)
    gone = again | _inside(task_runs, anew | again)
    kept = [run for run in task_runs if run.id not in gone]
    taken_up = {run.id for run in unsuccessful} - gone
    _run_ancestors(kept, [run for run in kept if run.id in taken_up or run.id in anew], now)
    parents = {run.parent_task_run_id for run in kept}
    for run in kept:
        if run.id in anew:
            _clear(run)
            run.state.become(StateType.RESTARTED, now)
        elif run.id in taken_up:
            has_begun = run.id in parents or _has_something_to_run(run, flow)
            run.outcome = None
            run.stage = Stage.BODY if run.stage is Stage.EXPIRED else run.stage
            if not has_begun and isinstance(flow.task_by_id(run.task_id), FlowableTask):
                _clear(run)
            run.state.become(StateType.RUNNING if has_begun else StateType.RESTARTED, now)
    return kept, gone


def _without_other_branches(
    task_runs: Sequence[TaskRun], top: TaskRun | None = None
) -> tuple[list[TaskRun], list[str]]:
    """The task runs of normal branches, and the ids of all others with what is in them.

    ``top`` stays, whatever branch it belongs to.
    """
    other = {
        run.id for run in task_runs if run.phase not in (Phase.TASKS, Phase.MEANWHILE) and run is not top
    }
    gone = other | _inside(task_runs, other)
    return [run for run in task_runs if run.id not in gone], sorted(gone)


def _inside(task_runs: Sequence[TaskRun], of: Collection[str]) -> set[str]:
    """The ids of all that ran inside these task runs. A parent stands before its children."""
    inside: set[str] = set()
    for run in task_runs:
        if run.parent_task_run_id in of or run.parent_task_run_id in inside:
            inside.add(run.id)
    return inside


def _still_defined(task_runs: Sequence[TaskRun], flow: Flow) -> list[TaskRun]:
    """What ran of tasks that this revision of the flow still has."""
    by_id = {run.id: run for run in task_runs}
    gone = {
        run.id
        for run in task_runs
        if flow.task_by_id(run.task_id) is None
        and not _is_part(run, by_id.get(run.parent_task_run_id or ""), flow)
    }
    gone |= _inside(task_runs, gone)
    return [run for run in task_runs if run.id not in gone]


def _behind_others(task_runs: Sequence[TaskRun], unsuccessful: Sequence[TaskRun]) -> set[str]:
    """The ids of those to take up that stand behind another one in their lane: their turn comes after it.

    Such there are when something was killed, or its failure was allowed, and what came after it ran.
    """
    by_id = {run.id: run for run in task_runs}
    taken_up = {around.id for run in unsuccessful for around in (run, *_ancestors(run, by_id))}
    behind: set[str] = set()
    lanes: set[tuple[str | None, int]] = set()
    for run in task_runs:
        if run.id not in taken_up or run.phase is Phase.MEANWHILE:
            continue
        lane = (run.parent_task_run_id, run.lane)
        if lane in lanes:
            behind.add(run.id)
        lanes.add(lane)
    return behind


def _is_part(run: TaskRun, parent: TaskRun | None, flow: Flow) -> bool:
    """It ran as one of the tasks that a flow-control task is made of, which are written nowhere."""
    task = None if parent is None else flow.task_by_id(parent.task_id)
    if parent is None or not isinstance(task, FlowableTask):
        return False
    return any(part.id == run.task_id for lane in task.body(parent.resolved).lanes for part in lane.tasks)


def _to_begin_anew(task_runs: Sequence[TaskRun], unsuccessful: Sequence[TaskRun], flow: Flow) -> set[str]:
    """Flow-control task runs that cannot go on in the middle: loops that count rounds, shared directories
    (which are gone), and pauses that were killed while they waited."""
    by_id = {run.id: run for run in task_runs}
    anew: set[str] = set()
    for run in unsuccessful:
        if run.state.current is StateType.KILLED and _waited(run, flow):
            anew.add(run.id)
        for around in (run, *_ancestors(run, by_id)):
            body = _body(around, flow)
            if body is not None and (body.directory or body.rounds):
                anew.add(around.id)
    return anew


def _pass_first_pause(old: Sequence[TaskRun], copies: Sequence[TaskRun], flow: Flow, now: datetime) -> None:
    """Let the first pause that ``old`` waits in be one, in its copy, whose time is over."""
    for run, copy in zip(old, copies, strict=True):
        body = _body(run, flow)
        if run.state.current is StateType.PAUSED and body is not None and body.pause is not None:
            copy.state.become(StateType.FAILED, now)
            return


def _waited(run: TaskRun, flow: Flow) -> bool:
    body = _body(run, flow)
    before = [change.state for change in run.state.histories[:-1]]
    return body is not None and body.pause is not None and before[-1:] == [StateType.PAUSED]


def _directory_of(task_runs: Sequence[TaskRun], run: TaskRun, flow: Flow) -> TaskRun | None:
    """The outermost task run around this one whose children share a directory."""
    found = None
    for around in _ancestors(run, {other.id: other for other in task_runs}):
        body = _body(around, flow)
        if body is not None and body.directory:
            found = around
    return found


def _ancestors(run: TaskRun, by_id: Mapping[str, TaskRun]) -> Iterator[TaskRun]:
    parent = by_id.get(run.parent_task_run_id or "")
    while parent is not None:
        yield parent
        parent = by_id.get(parent.parent_task_run_id or "")


def _run_ancestors(task_runs: Sequence[TaskRun], of: Collection[TaskRun], now: datetime) -> None:
    by_id = {run.id: run for run in task_runs}
    for run in of:
        for parent in _ancestors(run, by_id):
            parent.outcome = None
            parent.stage = Stage.BODY
            parent.state.become(StateType.RUNNING, now)


def _body(run: TaskRun, flow: Flow) -> Body | None:
    """What a flow-control task run runs, once it has begun."""
    task = flow.task_by_id(run.task_id)
    return task.body(run.resolved) if isinstance(task, FlowableTask) and run.outputs is not None else None


def _has_something_to_run(run: TaskRun, flow: Flow) -> bool:
    body = _body(run, flow)
    return body is not None and not body.missing and (bool(body.lanes) or body.pause is not None)


def _clear(run: TaskRun) -> None:
    """Forget what a flow-control task run has come to, so that it begins anew."""
    run.outputs = run.resolved = run.outcome = None
    run.stage, run.rounds = Stage.BODY, 0


def _go_back(execution: Execution, label: Label, now: datetime) -> None:
    execution.state.become(StateType.RESTARTED, now)
    execution.ordered_end = None
    execution.broken_slas = ()
    execution.labels = _labelled(execution.labels, label)
    execution.metadata.attempt_number += 1


def mark_replayed(execution: Execution) -> bool:
    """Label an execution that was replayed; False when it is labelled already."""
    if REPLAYED_LABEL in execution.labels:
        return False
    execution.labels = _labelled(execution.labels, REPLAYED_LABEL)
    return True


def _labelled(labels: Sequence[Label], label: Label) -> list[Label]:
    return [*(other for other in labels if other.key != label.key), label]


def _find(task_runs: Sequence[TaskRun], task_run_id: str) -> TaskRun:
    for run in task_runs:
        if run.id == task_run_id:
            return run
    raise TaskRunNotFound(task_run_id)
