"""What every task has, whatever its type.

Documentation page: ``docs/flows.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from windhover.model.asset import Assets
from windhover.model.definition import ID_PATTERN, Definition, DurationText, PluginId, RenderedDuration, Text
from windhover.model.retry import ConstantRetry, ExponentialRetry, RandomRetry, Retry, RetryBase
from windhover.model.worker_selection import WorkerGroup, WorkerSelector

__all__ = [
    "TASK_ID_PATTERN",
    "ConstantRetry",
    "Definition",
    "ExponentialRetry",
    "RandomRetry",
    "Retry",
    "RetryBase",
    "Task",
    "TaskCache",
]

TASK_ID_PATTERN = ID_PATTERN


class TaskCache(Definition):
    """Keep the outputs of a task for the next execution in which it looks the same."""

    enabled: bool
    ttl: DurationText | None = None


class Task(Definition):
    """The properties that every task has.

    Text properties that may hold expressions (``timeout``, ``runIf``) are kept as written.
    """

    id: PluginId
    type: str
    version: Text | None = None
    description: Text | None = None
    retry: Retry | None = None
    timeout: RenderedDuration | None = None
    disabled: bool = False
    run_if: Text = "true"
    allow_failure: bool = False
    allow_warning: bool = False
    log_level: Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"] | None = None
    log_to_file: bool = False
    task_cache: TaskCache | None = None
    assets: Assets | None = None
    worker_group: WorkerGroup | None = None
    worker_selector: WorkerSelector | None = None
    policy_refs: tuple[str, ...] = ()
    plugin_defaults_ref: str | None = None

    def nested(self) -> Iterator[Task]:
        """The tasks directly inside this one; only flow-control tasks have any."""
        yield from ()
