"""Log lines and metrics in JSON, and log lines as text."""

from __future__ import annotations

import msgspec

from windhover.model.log import LogEntry, LogLevel, Metric
from windhover.repository.trigger_logs import is_trigger_log
from windhover.webserver.wire.dates import Instant, instant


class LogEntryJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """One line. ``sequence`` numbers the lines of an execution from 1, in the order of the log.

    A line of a trigger itself has no ``executionId``.
    """

    tenant_id: str
    namespace: str
    flow_id: str
    timestamp: Instant
    level: str
    message: str
    execution_id: str | None = None
    task_id: str | None = None
    task_run_id: str | None = None
    attempt_number: int | None = None
    trigger_id: str | None = None
    thread: str | None = None
    execution_kind: str | None = None
    sequence: int = 0


class LogPageJson(msgspec.Struct):
    """One page of log lines, and how many there are in all."""

    results: list[LogEntryJson]
    total: int
    type: str = "OFFSET"


class MetricJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """A counter, timer (in milliseconds) or gauge."""

    tenant_id: str
    namespace: str
    flow_id: str
    task_id: str
    execution_id: str
    task_run_id: str
    type: str
    name: str
    value: float
    timestamp: Instant
    tags: dict[str, str]
    execution_kind: str | None = None


class MetricPageJson(msgspec.Struct):
    """One page of metrics, and how many there are in all."""

    results: list[MetricJson]
    total: int


def log_json(entry: LogEntry, kind: str | None = None) -> LogEntryJson:
    """A line as the API shows it; ``kind`` is that of its execution, None of an ordinary one."""
    return LogEntryJson(
        tenant_id=entry.tenant_id,
        namespace=entry.namespace,
        flow_id=entry.flow_id,
        execution_id=None if is_trigger_log(entry.execution_id) else entry.execution_id,
        timestamp=instant(entry.timestamp),
        level=LogLevel(entry.level).name,
        message=entry.message,
        task_id=entry.task_id,
        task_run_id=entry.task_run_id,
        attempt_number=entry.attempt_number,
        trigger_id=entry.trigger_id,
        thread=entry.thread,
        execution_kind=kind,
        sequence=entry.sequence,
    )


def log_text(entry: LogEntry) -> str:
    """One line of the downloaded log: instant, level, task and message."""
    task = "" if entry.task_id is None else f"[{entry.task_id}] "
    return f"{instant(entry.timestamp)} {LogLevel(entry.level).name:<5} {task}{entry.message}\n"


def metric_json(metric: Metric, kind: str | None = None) -> MetricJson:
    """A metric as the API shows it; ``kind`` is that of its execution, None of an ordinary one."""
    return MetricJson(
        tenant_id=metric.tenant_id,
        namespace=metric.namespace,
        flow_id=metric.flow_id,
        task_id=metric.task_id,
        execution_id=metric.execution_id,
        task_run_id=metric.task_run_id,
        type=metric.type,
        name=metric.name,
        value=metric.value,
        timestamp=instant(metric.timestamp),
        tags=metric.tags,
        execution_kind=kind,
    )
