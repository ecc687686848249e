"""Which task runs of a lane come before which.

That of their creation is another order: after a restart one of those in front may have been created anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from windhover.model.execution import Phase, TaskRun
from windhover.model.flow import Flow
from windhover.model.task import Task
from windhover.plugin.flowable import Body, FlowableTask


class LaneOrder:
    """The order of task runs within their lanes, as the flow has it."""

    def __init__(self, task_runs: Sequence[TaskRun], flow: Flow) -> None:
        self._task_runs = task_runs
        self._flow = flow
        self._by_id = {run.id: run for run in task_runs}
        self._bodies: dict[str, Body] = {}
        self._places: dict[tuple[str | None, int], dict[str, int]] = {}

    def is_behind(self, run: TaskRun, other: TaskRun) -> bool:
        """Of two in the same lane of the same branch, the turn of ``run`` comes after that of ``other``."""
        if run.phase is not Phase.TASKS:
            return run.position > other.position  # in other branches nothing runs ahead
        return self._place(run) > self._place(other)

    def mark_what_is_ahead(self) -> None:
        """Record of what has ended behind a task run that is under way again that it has run ahead."""
        under_way = {
            _lane(run): run
            for run in self._task_runs
            if run.phase is Phase.TASKS and not run.state.current.is_terminated
        }
        for run in self._task_runs:
            first = under_way.get(_lane(run)) if run.phase is Phase.TASKS else None
            if first is not None:
                run.ahead = self.is_behind(run, first)

    def _place(self, run: TaskRun) -> int:
        lane = _lane(run)
        if lane not in self._places:
            self._places[lane] = {task.id: place for place, task in enumerate(self._tasks(run))}
        return self._places[lane][run.task_id]

    def _tasks(self, run: TaskRun) -> Sequence[Task]:
        """Those of the lane in which a task run is."""
        if run.parent_task_run_id is None:
            return self._flow.tasks
        return self._body(run.parent_task_run_id).lanes[run.lane].tasks

    def _body(self, task_run_id: str) -> Body:
        """What the task run runs; it has begun, as something has run in it."""
        if task_run_id not in self._bodies:
            body = body_of(self._by_id[task_run_id], self._flow)
            assert body is not None, "only what has begun has something inside"
            self._bodies[task_run_id] = body
        return self._bodies[task_run_id]


def body_of(run: TaskRun, flow: Flow) -> Body | None:
    """What a flow-control task run runs, once it has begun."""
    task = flow.task_by_id(run.task_id)
    return task.body(run.resolved) if isinstance(task, FlowableTask) and run.outputs is not None else None


def _lane(run: TaskRun) -> tuple[str | None, int]:
    return run.parent_task_run_id, run.lane
