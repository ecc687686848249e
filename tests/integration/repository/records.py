"""Records for the tests of the repositories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from windhover.model.execution import Execution, ExecutionMetadata, Label, TaskRun
from windhover.model.log import LogEntry, LogLevel, Metric
from windhover.model.state import State, StateType
from windhover.util.ids import new_id

NOW = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def execution(
    *states: StateType, start: datetime = NOW, labels: dict[str, str] | None = None, **changes: Any
) -> Execution:
    """An execution that was created at ``start`` and took the states given, one second each."""
    state = State.created(start)
    for number, each in enumerate(states, 1):
        state.become(each, start + timedelta(seconds=number))
    id_ = changes.pop("id", None) or new_id()
    values: dict[str, Any] = {
        "id": id_,
        "tenant_id": "main",
        "namespace": "company.team",
        "flow_id": "hello",
        "flow_revision": 1,
        "state": state,
        "original_id": id_,
        "metadata": ExecutionMetadata(1, start),
        "labels": [Label(key, value) for key, value in (labels or {}).items()],
    }
    return Execution(**{**values, **changes})


def task_run(execution_id: str, position: int = 0, *states: StateType, **changes: Any) -> TaskRun:
    state = State.created(NOW)
    for number, each in enumerate(states, 1):
        state.become(each, at(number))
    values: dict[str, Any] = {
        "id": new_id(),
        "execution_id": execution_id,
        "task_id": f"task-{position}",
        "state": state,
        "position": position,
    }
    return TaskRun(**{**values, **changes})


def log(execution_id: str, sequence: int, message: str = "hello", **changes: Any) -> LogEntry:
    values: dict[str, Any] = {
        "tenant_id": "main",
        "namespace": "company.team",
        "flow_id": "hello",
        "execution_id": execution_id,
        "timestamp": at(sequence),
        "level": LogLevel.INFO,
        "message": message,
        "sequence": sequence,
    }
    return LogEntry(**{**values, **changes})


def metric(execution_id: str, name: str = "rows", value: float = 1.0, **changes: Any) -> Metric:
    values: dict[str, Any] = {
        "tenant_id": "main",
        "namespace": "company.team",
        "flow_id": "hello",
        "execution_id": execution_id,
        "task_id": "load",
        "task_run_id": "run",
        "type": "counter",
        "name": name,
        "value": value,
        "timestamp": NOW,
    }
    return Metric(**{**values, **changes})
