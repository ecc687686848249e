"""Log lines as files, an Ion struct a line: what the types that fetch logs share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from windhover.model.log import LogEntry, LogLevel
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output
from windhover.plugin.types import Level


class LogFile(Output):
    """What a Fetch task gives: how many lines, and the file that holds them."""

    size: int
    uri: str


class LogSelection(BaseModel):
    """The properties by which a Fetch task says which lines it wants."""

    namespace: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    tasks_id: list[str] | None = None
    level: Level = LogLevel.INFO

    async def fetch(self, ctx: RunContext) -> LogFile:
        """Put the lines into a file: those of this execution, or of another that is named."""
        identity = ctx.identity
        other = self.execution_id is not None
        entries = await ctx.server.logs.fetch(
            namespace=self.namespace if other else identity.namespace,
            flow_id=self.flow_id if other else identity.flow_id,
            execution_id=self.execution_id if self.execution_id is not None else identity.execution_id,
            task_ids=self.tasks_id or None,
            minimum=self.level,
        )
        return await _write_logs(ctx, entries)


async def _write_logs(ctx: RunContext, entries: Sequence[LogEntry]) -> LogFile:
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
