"""Going back: restarting an execution that failed, changing the state of a task run.

These work on the records of an execution that has ended. What they leave is an execution that is under
way again; the engine goes on from there as it would after a restart of the server.

Documentation page: ``docs/restart.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from windhover.engine.lanes import LaneOrder, body_of
from windhover.engine.messages import CommandRefused, NothingToRestart, TaskRunNotFound
from windhover.model.execution import Execution, Label, Phase, Stage, TaskRun
from windhover.model.flow import Flow
from windhover.model.state import StateType
from windhover.plugin.flowable import FlowableTask

RESTARTED_LABEL = Label("system.restarted", "true")

#: States of task runs that did not come to a good end: they are taken up again. What is RETRIED has failed;
#: it is met where the execution that was to take the place of this one did not come.
UNSUCCESSFUL = frozenset({StateType.FAILED, StateType.KILLED, StateType.CANCELLED, StateType.RETRIED})


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
    if ended is StateType.RETRIED:
        raise NothingToRestart("A new execution has taken its place.")
    kept, removed = without_other_branches(task_runs)
    notices = {run.id for run in kept if run.phase is Phase.MEANWHILE}
    notices |= inside_of(kept, notices)
    unsuccessful = [run for run in kept if run.id not in notices and _is_to_do(run, ended)]
    if not unsuccessful and not (kept and ended in UNSUCCESSFUL):
        _check_that_it_may_begin(execution)
    kept, inside = take_up(kept, unsuccessful, flow, now)
    LaneOrder(kept, flow).mark_what_is_ahead()
    _go_back(execution, now)
    execution.labels = labelled(execution.labels, RESTARTED_LABEL)
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

    If that is CANCELLED, the execution is too, with all that is around the task run: nothing goes on.

    Raises:
        TaskRunNotFound: there is no such task run.
        CommandRefused: it ran in a directory that it shared with others, which is gone.
    """
    kept, removed = without_other_branches(task_runs)
    run = find(kept, task_run_id)
    directory = directory_of(kept, run, flow)
    if directory is not None:
        raise CommandRefused(
            f"The tasks in a shared directory only run together: change the state of '{directory.task_id}'"
        )
    _end_as(run, state, now)
    if state is StateType.CANCELLED:
        for around in ancestors(run, {other.id: other for other in kept}):
            _end_as(around, state, now)
        _forget_end(execution)
    else:
        run_ancestors(kept, [run], now)
        LaneOrder(kept, flow).mark_what_is_ahead()
        _go_back(execution, now)
    return Reworked(execution, kept, removed)


def _end_as(run: TaskRun, state: StateType, now: datetime) -> None:
    run.state.become(state, now)
    run.outcome = None
    if run.attempts:
        run.attempts[-1].state.become(state, now)


def _is_to_do(run: TaskRun, ended: StateType) -> bool:
    """A restart takes this task run up again, in an execution that has ended so."""
    if run.state.current in UNSUCCESSFUL:
        return True
    if ended is not StateType.WARNING or run.state.current is not StateType.WARNING:
        return False
    # Attempts of flow control, and of tasks that start executions, end as their task runs do.
    failed = run.outcome is StateType.FAILED
    return failed or (run.attempts is not None and run.attempts[-1].state.current is StateType.FAILED)


def _check_that_it_may_begin(execution: Execution) -> None:
    """See whether an execution in which there is nothing to take up can begin instead.

    Raises:
        NothingToRestart: it cannot.
    """
    ended = execution.state.current
    if ended not in UNSUCCESSFUL:
        raise NothingToRestart("Nothing in it failed or was stopped; it can be replayed.")
    if ended is StateType.FAILED or execution.refusals:
        raise NothingToRestart("It failed before its first task; it can be replayed.")


def take_up(
    task_runs: Sequence[TaskRun], unsuccessful: Sequence[TaskRun], flow: Flow, now: datetime
) -> tuple[list[TaskRun], set[str]]:
    """Let these task runs be run again, in place; returns what is left, and the ids of what is gone."""
    anew = _to_begin_anew(task_runs, unsuccessful, flow)
    again = behind_others(task_runs, unsuccessful, flow)
    gone = again | inside_of(task_runs, anew | again)
    kept = [run for run in task_runs if run.id not in gone]
    taken_up = {run.id for run in unsuccessful} - gone
    run_ancestors(kept, [run for run in kept if run.id in taken_up or run.id in anew], now)
    parents = {run.parent_task_run_id for run in kept}
    for run in kept:
        if run.id in anew:
            clear(run)
            run.state.become(StateType.RESTARTED, now)
        elif run.id in taken_up:
            has_begun = run.id in parents or _has_something_to_run(run, flow)
            run.outcome = None
            run.stage = Stage.BODY if run.stage is Stage.EXPIRED else run.stage
            if not has_begun and isinstance(flow.task_by_id(run.task_id), FlowableTask):
                clear(run)
            run.state.become(StateType.RUNNING if has_begun else StateType.RESTARTED, now)
    return kept, gone


def without_other_branches(
    task_runs: Sequence[TaskRun], top: TaskRun | None = None
) -> tuple[list[TaskRun], list[str]]:
    """The task runs of normal branches, and the ids of all others with what is in them.

    ``top`` stays, whatever branch it belongs to.
    """
    other = {
        run.id for run in task_runs if run.phase not in (Phase.TASKS, Phase.MEANWHILE) and run is not top
    }
    gone = other | inside_of(task_runs, other)
    return [run for run in task_runs if run.id not in gone], sorted(gone)


def inside_of(task_runs: Sequence[TaskRun], of: Collection[str]) -> set[str]:
    """The ids of all that ran inside these task runs. A parent stands before its children."""
    inside: set[str] = set()
    for run in task_runs:
        if run.parent_task_run_id in of or run.parent_task_run_id in inside:
            inside.add(run.id)
    return inside


def behind_others(task_runs: Sequence[TaskRun], unsuccessful: Sequence[TaskRun], flow: Flow) -> set[str]:
    """The ids of those to take up that stand behind another one in their lane: their turn comes after it.

    Such there are when something was killed, or its failure was allowed, and what came after it ran.
    """
    by_id = {run.id: run for run in task_runs}
    taken_up = {around.id for run in unsuccessful for around in (run, *ancestors(run, by_id))}
    order = LaneOrder(task_runs, flow)
    behind: set[str] = set()
    first: dict[tuple[str | None, Phase, int], TaskRun] = {}
    for run in task_runs:
        if run.id not in taken_up or run.phase is Phase.MEANWHILE:
            continue
        lane = (run.parent_task_run_id, run.phase, run.lane)
        before = first.get(lane)
        if run.ahead:
            behind.add(run.id)
        elif before is None:
            first[lane] = run
        elif order.is_behind(run, before):
            behind.add(run.id)
        else:
            behind.add(before.id)
            first[lane] = run
    return behind


def _to_begin_anew(task_runs: Sequence[TaskRun], unsuccessful: Sequence[TaskRun], flow: Flow) -> set[str]:
    """Flow-control task runs that cannot go on in the middle: loops that count rounds, shared directories
    (which are gone), and pauses that were ended from outside while they waited."""
    by_id = {run.id: run for run in task_runs}
    anew: set[str] = set()
    for run in unsuccessful:
        if _waited(run, flow):
            anew.add(run.id)
        for around in (run, *ancestors(run, by_id)):
            if is_whole(around, flow):
                anew.add(around.id)
    return anew


def is_whole(run: TaskRun, flow: Flow) -> bool:
    """A flow-control task run that cannot be gone into again: what its directory held is gone, or its
    rounds are counted from the first."""
    body = body_of(run, flow)
    return body is not None and (body.directory or body.rounds)


def _waited(run: TaskRun, flow: Flow) -> bool:
    """A pause that nobody has answered, and whose time was not over, when something else ended it."""
    body = body_of(run, flow)
    if body is None or body.pause is None or not run.outputs:
        return body is not None and body.pause is not None
    resumed = run.outputs.get("resumed") or {}
    return "decision" not in run.outputs and resumed.get("to") in (None, StateType.KILLING.value)


def directory_of(task_runs: Sequence[TaskRun], run: TaskRun, flow: Flow) -> TaskRun | None:
    """The outermost task run around this one whose children share a directory."""
    found = None
    for around in ancestors(run, {other.id: other for other in task_runs}):
        body = body_of(around, flow)
        if body is not None and body.directory:
            found = around
    return found


def ancestors(run: TaskRun, by_id: Mapping[str, TaskRun]) -> Iterator[TaskRun]:
    parent = by_id.get(run.parent_task_run_id or "")
    while parent is not None:
        yield parent
        parent = by_id.get(parent.parent_task_run_id or "")


def run_ancestors(task_runs: Sequence[TaskRun], of: Collection[TaskRun], now: datetime) -> None:
    by_id = {run.id: run for run in task_runs}
    for run in of:
        for parent in ancestors(run, by_id):
            parent.outcome, parent.ahead = None, False
            parent.stage = Stage.BODY
            parent.state.become(StateType.RUNNING, now)


def _has_something_to_run(run: TaskRun, flow: Flow) -> bool:
    body = body_of(run, flow)
    if run.attempts and any(change.state is StateType.SKIPPED for change in run.attempts[-1].state.histories):
        return False  # it has never begun: somebody has said that it failed
    return body is not None and not body.missing and (bool(body.lanes) or body.pause is not None)


def clear(run: TaskRun) -> None:
    """Forget what a flow-control task run has come to, so that it begins anew."""
    run.outputs = run.resolved = run.outcome = None
    run.stage, run.rounds = Stage.BODY, 0


def _go_back(execution: Execution, now: datetime) -> None:
    execution.state.become(StateType.RESTARTED, now)
    _forget_end(execution)


def _forget_end(execution: Execution) -> None:
    execution.ordered_end = None
    execution.broken_slas = ()
    execution.metadata.attempt_number += 1


def labelled(labels: Sequence[Label], label: Label) -> list[Label]:
    return [*(other for other in labels if other.key != label.key), label]


def find(task_runs: Sequence[TaskRun], task_run_id: str) -> TaskRun:
    for run in task_runs:
        if run.id == task_run_id:
            return run
    raise TaskRunNotFound(task_run_id)
