"""Which task runs still have a place in another revision of their flow."""

from __future__ import annotations

from collections.abc import Sequence

from windhover.engine.frame import Frame, Node
from windhover.engine.live import flowable_frame, has_begun, root_frame
from windhover.model.execution import TaskRun
from windhover.model.flow import Flow
from windhover.model.task import Task
from windhover.plugin.flowable import FlowableTask

#: What a task may raise that is to read what another type, or it itself with other properties, has resolved.
_MEANINGLESS = (LookupError, TypeError, ValueError, AttributeError)


def still_placed(
    task_runs: Sequence[TaskRun], flow: Flow, listeners: Sequence[int], ran_in: Flow | None = None
) -> list[TaskRun]:
    """The task runs that have a place in this revision; they are given in the order of their creation.

    One has none if its task is gone, disabled or somewhere else, if what it ran in has none, or if its task
    can make nothing of what it had resolved, because it was of another type in the revision they ``ran_in``.
    ``listeners`` are those that were chosen at the end.
    """
    root = root_frame(flow, listeners)
    insides: dict[str, Frame] = {}
    placed = []
    for run in task_runs:
        parent = run.parent_task_run_id
        frame = root if parent is None else insides.get(parent)
        task = None if frame is None else _task_of(run, frame)
        if frame is None or task is None or (ran_in is not None and _retyped(task, ran_in)):
            continue
        if isinstance(task, FlowableTask) and has_begun(run):
            try:
                insides[run.id] = flowable_frame(Node(run, task, frame, 0), task.body(run.resolved))
            except _MEANINGLESS:
                continue
        placed.append(run)
    return placed


def _retyped(task: Task, ran_in: Flow) -> bool:
    """It controls others in another way than it did. Which work a worker has done does not matter."""
    before = ran_in.task_by_id(task.id)
    kinds = {type(each) for each in (before, task) if each is not None}
    return len(kinds) > 1 and any(issubclass(kind, FlowableTask) for kind in kinds)


def _task_of(run: TaskRun, frame: Frame) -> Task | None:
    try:
        row = frame.tasks(run.phase, run.lane)
    except LookupError:
        return None
    return next((task for task in row if task.id == run.task_id), None)
