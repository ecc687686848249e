"""Log lines as files, an Ion struct a line: what the types that fetch logs share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from windhover.model.log import LogEntry
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output


class LogFile(Output):
    """What a Fetch task gives: how many lines, and the file that holds them."""

    size: int
    uri: str


async def write_logs(ctx: RunContext, entries: Sequence[LogEntry]) -> LogFile:
    """Put a file with these lines into the internal storage."""
    path = ctx.working_directory / "logs.ion"
    await asyncio.to_thread(_write, entries, path)
    return LogFile(size=len(entries), uri=await ctx.files.put(path, path.name))


def _write(entries: Sequence[LogEntry], path: Path) -> None:
    from amazon.ion import simpleion

    with path.open("w", encoding="utf-8") as file:
        for entry in entries:
            text = simpleion.dumps(_fields(entry), binary=False, omit_version_marker=True)
            file.write(f"{text}\n")


def _fields(entry: LogEntry) -> dict[str, object]:
    fields = {
        "tenantId": entry.tenant_id,
        "namespace": entry.namespace,
        "flowId": entry.flow_id,
        "taskId": entry.task_id,
        "executionId": entry.execution_id,
        "taskRunId": entry.task_run_id,
        "attemptNumber": entry.attempt_number,
        "triggerId": entry.trigger_id,
        "timestamp": entry.timestamp,
        "level": entry.level.name,
        "thread": entry.thread,
        "message": entry.message,
    }
    return {name: value for name, value in fields.items() if value is not None}
