"""What a running task may use: its logger, files, metrics, progress, and the server behind it.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from windhover.model.execution import JsonValue
from windhover.model.log import LogEntry, LogLevel


class TaskLogger(Protocol):
    """Writes lines into the execution's log. Lines longer than the configured limit are cut, and say so."""

    def log(self, level: LogLevel, message: str) -> None: ...
    def trace(self, message: str) -> None: ...
    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warn(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...

    async def drain(self) -> None:
        """Wait while the server is behind with the lines written so far.

        A task that passes on lines as fast as it gets them awaits this now and then, so that it is slowed
        down instead of filling the memory.
        """


class FileStore(Protocol):
    """The internal storage, as far as this task run may reach."""

    async def put(self, source: bytes | Path | BinaryIO | AsyncIterator[bytes], name: str) -> str:
        """Store a file of this task run and return its ``kestra:///`` URI. Streams; never half-written."""

    def open(self, uri: str) -> AsyncIterator[bytes]:
        """Stream a file's bytes.

        Raises:
            FileNotFoundError: nothing is stored there.
            PermissionError: the URI is outside what this execution may read.
        """

    async def size(self, uri: str) -> int: ...

    async def exists(self, uri: str) -> bool: ...

    async def download(self, uri: str, target: Path) -> None:
        """Stream a file into ``target``, whose folder exists."""

    async def delete(self, uri: str) -> bool: ...


class LogSearch(Protocol):
    """The log lines of executions."""

    async def fetch(
        self,
        *,
        namespace: str | None,
        flow_id: str | None,
        execution_id: str | None,
        task_ids: Sequence[str] | None,
        minimum: LogLevel,
    ) -> Sequence[LogEntry]: ...


class ServerAccess(Protocol):
    """What the server offers to tasks that ask about it. None of it is reachable from a template."""

    @property
    def logs(self) -> LogSearch: ...


class TaskIdentity(Protocol):
    """Where in which execution a task runs."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def flow_id(self) -> str: ...
    @property
    def flow_revision(self) -> int: ...
    @property
    def execution_id(self) -> str: ...
    @property
    def task_id(self) -> str: ...
    @property
    def task_run_id(self) -> str: ...
    @property
    def attempt(self) -> int:
        """0 for the first attempt."""


MetricType = Literal["counter", "timer", "gauge"]


class RunContext(Protocol):
    """The one argument of a task's ``run``.

    ``cancelled`` is set when the run is killed or timed out. An ``async def run`` is cancelled at its
    next ``await`` besides; a plain ``def run`` should look at the event when it takes long.
    """

    @property
    def identity(self) -> TaskIdentity: ...
    @property
    def logger(self) -> TaskLogger: ...
    @property
    def files(self) -> FileStore: ...
    @property
    def server(self) -> ServerAccess: ...
    @property
    def cancelled(self) -> asyncio.Event: ...
    @property
    def variables(self) -> Mapping[str, JsonValue]:
        """The variables that this task's expressions could read (already rendered into its properties)."""

    @property
    def configuration(self) -> Mapping[str, JsonValue]:
        """The server configuration's values for this plugin type (``kestra.plugins.configurations``)."""

    @property
    def working_directory(self) -> Path:
        """A folder of this attempt, made at the first use, deleted after the run."""

    @property
    def process_environment(self) -> Mapping[str, str]:
        """Environment variables that every process started by the task must carry.

        By them the worker finds the task's processes, so that none outlives a kill, a timeout or a crash.
        """

    @property
    def kill_grace(self) -> timedelta:
        """How long the task and its processes have for ending by themselves once they are told to."""

    @property
    def began(self) -> datetime:
        """When the work of this attempt was first begun (UTC).

        Earlier than this run when the attempt was handed out again because its worker was lost: a wait
        goes on from there instead of beginning anew.
        """

    def render(self, template: JsonValue, variables: Mapping[str, JsonValue] | None = None) -> JsonValue:
        """Render text, lists or maps once more, with extra variables on top of the task's own.

        For the rare property that is declared ``Static`` to be rendered by the task itself, such as a
        condition over a response. Expressions that ask the server (``secret()``, ``kv()``, ..) wait for
        it, so a task that may meet them calls this in a thread: from a plain ``def run``.

        Raises:
            windhover.expression.ExpressionError: the template is wrong or names something undefined.
        """

    def metric(
        self, type: MetricType, name: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        """Report a counter, a timer (milliseconds) or a gauge."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the task is, from 0 to 1, for whoever watches the run."""

    def now(self) -> datetime:
        """The server's clock, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait, or raise ``asyncio.CancelledError`` as soon as the run is killed or timed out."""
