"""In which order the events of a round are applied."""

from __future__ import annotations

from collections.abc import Sequence

from windhover.engine.messages import Event, LogsWritten, TaskEnded, TaskStarted
from windhover.model.state import StateType
from windhover.queue.local import PendingCommand


def failures_first(items: Sequence[Event | PendingCommand]) -> Sequence[Event | PendingCommand]:
    """Of each execution, put what is told of attempts that have failed before all else.

    A failure keeps others from beginning. One that is known when something else has ended does so, too,
    whichever of the two a worker told of first. Between executions, and otherwise, the order stays.
    """
    failed = {
        (item.execution_id, item.task_run_id)
        for item in items
        if isinstance(item, TaskEnded) and item.state is StateType.FAILED
    }
    if not failed or len(items) == 1:
        return items
    failing = {execution_id for execution_id, _ in failed}
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        execution_id, task_run_id = _task_run(item)
        if task_run_id is not None and execution_id in failing:
            places.setdefault(execution_id, []).append(place)
    ordered = list(items)
    for of_one in places.values():
        told = sorted((items[place] for place in of_one), key=lambda item: _task_run(item) not in failed)
        for place, item in zip(of_one, told, strict=True):
            ordered[place] = item
    return ordered


def _task_run(item: Event | PendingCommand) -> tuple[str, str | None]:
    """Of which execution and task run an event tells, if it tells of one."""
    if isinstance(item, (TaskStarted, TaskEnded)):
        return item.execution_id, item.task_run_id
    if isinstance(item, LogsWritten) and item.logs:
        return item.execution_id, item.logs[0].task_run_id
    return "", None
