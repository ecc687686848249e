"""What a worker needs from the server around it, and how it may be tuned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from windhover.engine.messages import Job
from windhover.expression import DEFAULT_LIMITS, Limits, ServerPort
from windhover.model.execution import JsonValue
from windhover.plugin.context import ServerAccess
from windhover.storage import Storage

MEBIBYTE = 1024 * 1024


class LogLimits(msgspec.Struct, frozen=True):
    """What the log of one attempt may cost. Above a limit lines are dropped, and one line says how many.

    max_message: characters of one line; a longer one is cut and says so.
    lines_per_second: lines kept of each second.
    max_lines: lines kept in all.
    max_characters: characters kept in all.
    max_file_characters: the same for a log that goes to a file (``logToFile``), which has no other limit.
    flush_interval: the longest time a line waits before it is sent to the executor.
    batch_lines: lines that are sent together at most.
    """

    max_message: int = 32 * 1024
    lines_per_second: int = 5_000
    max_lines: int = 500_000
    max_characters: int = 64 * MEBIBYTE
    max_file_characters: int = 1024 * MEBIBYTE
    flush_interval: timedelta = timedelta(milliseconds=100)
    batch_lines: int = 500


class OutputLimits(msgspec.Struct, frozen=True):
    """Sizes of outputs in bytes of JSON.

    spill_above: a larger value is kept in the storage and loaded when an expression reads it.
    inline_total: what the values that are not kept there may come to together.
    maximum: all outputs of an attempt together; above it the attempt fails.
    """

    spill_above: int = 64 * 1024
    inline_total: int = MEBIBYTE
    maximum: int = 64 * MEBIBYTE


class WorkerSettings(msgspec.Struct, frozen=True):
    """How a worker behaves.

    kill_grace: how long a killed or timed-out task, and the processes it started, have for ending by
        themselves before they are ended or given up.
    recursive_rendering: ``kestra.variables.recursive-rendering``.
    zone: the time zone of dates without one.
    """

    kill_grace: timedelta = timedelta(seconds=5)
    logs: LogLimits = msgspec.field(default_factory=LogLimits)
    outputs: OutputLimits = msgspec.field(default_factory=OutputLimits)
    expression_limits: Limits = DEFAULT_LIMITS
    recursive_rendering: bool = False
    zone: str = "UTC"


def _now() -> datetime:
    return datetime.now(UTC)


def _no_port(job: Job) -> ServerPort | None:
    return None


async def _not_lent(execution_id: str) -> bool:
    return False


class WorkerEnvironment(msgspec.Struct, frozen=True):
    """What surrounds a worker.

    storage: the internal storage.
    server: what tasks may ask of the server.
    temporary: a folder for working directories; it is made if missing.
    home_id: tells the processes of this installation from those of others on the same host.
    expression_port: gives what the expression functions of a job (``secret()``, ``kv()``, ..) reach.
        Its methods are called in threads of the worker, never on the event loop.
    configurations: the values of ``kestra.plugins.configurations`` by plugin type.
    encrypt: makes a stored secret of a text; None where no key is configured.
    clock: the present instant, in UTC.
    files_lent: whether another execution may need files of an execution.
    """

    storage: Storage
    server: ServerAccess
    temporary: Path
    home_id: str
    expression_port: Callable[[Job], ServerPort | None] = _no_port
    configurations: Mapping[str, Mapping[str, JsonValue]] = msgspec.field(default_factory=dict)
    settings: WorkerSettings = msgspec.field(default_factory=WorkerSettings)
    encrypt: Callable[[str], JsonValue] | None = None
    clock: Callable[[], datetime] = _now
    files_lent: Callable[[str], Awaitable[bool]] = _not_lent
