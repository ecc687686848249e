"""The kinds of things a plugin can add."""

from __future__ import annotations

from enum import StrEnum


class PluginKind(StrEnum):
    """What a plugin type is, and so where in a flow (or in the server) it may stand."""

    RUNNABLE = "RUNNABLE"
    FLOWABLE = "FLOWABLE"
    EXECUTABLE = "EXECUTABLE"
    EXECUTION_UPDATE = "EXECUTION_UPDATE"
    TRIGGER = "TRIGGER"
    CONDITION = "CONDITION"
    TASK_RUNNER = "TASK_RUNNER"
    SECRET_MANAGER = "SECRET_MANAGER"
    STORAGE = "STORAGE"
    LOG_EXPORTER = "LOG_EXPORTER"
    CHART = "CHART"
    DATA_FILTER = "DATA_FILTER"
    APP_BLOCK = "APP_BLOCK"
    ASSET = "ASSET"

    @property
    def is_task(self) -> bool:
        """Types of this kind stand in lists of tasks."""
        return self in _TASKS


_TASKS = frozenset(
    {PluginKind.RUNNABLE, PluginKind.FLOWABLE, PluginKind.EXECUTABLE, PluginKind.EXECUTION_UPDATE}
)
