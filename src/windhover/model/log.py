"""Log lines and metrics that executions leave behind.

Documentation page: ``docs/logs.md``.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

import msgspec


class LogLevel(IntEnum):
    """Severity, ordered so that ``level >= LogLevel.WARN`` selects what matters."""

    TRACE = 0
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


class LogEntry(msgspec.Struct, omit_defaults=True, gc=False):
    """One line of an execution's log.

    ``sequence`` numbers the lines of one execution from 1 without gaps, in the order they were
    accepted; it is 0 until the executor has accepted the line. It is what the live stream, the
    API and the download agree on.
    """

    tenant_id: str
    namespace: str
    flow_id: str
    execution_id: str
    timestamp: datetime
    level: LogLevel
    message: str
    task_id: str | None = None
    task_run_id: str | None = None
    attempt_number: int | None = None
    trigger_id: str | None = None
    thread: str | None = None
    sequence: int = 0


class Metric(msgspec.Struct, omit_defaults=True, gc=False):
    """A counter, timer (value in milliseconds) or gauge that a task reported."""

    tenant_id: str
    namespace: str
    flow_id: str
    execution_id: str
    task_id: str
    task_run_id: str
    type: str
    name: str
    value: float
    timestamp: datetime
    tags: dict[str, str] = {}
