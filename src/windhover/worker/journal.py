"""The log lines and metrics of one attempt, on their way to the executor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from windhover.engine.messages import JobIdentity, LogsWritten
from windhover.expression.masking import SecretMask
from windhover.model.log import LogEntry, LogLevel, Metric
from windhover.plugin.context import MetricType
from windhover.worker.environment import LogLimits
from windhover.worker.log_file import LogFile

#: Events that may wait for the executor before a task that writes fast is slowed down.
MAX_EVENTS_WAITING = 200

#: Metrics that one attempt may report.
MAX_METRICS = 10_000

_SECOND = timedelta(seconds=1)
_CUT = "… (cut: {} of {} characters)"


class LogSink(Protocol):
    """Where lines go; its length is how much waits there."""

    def send(self, event: LogsWritten, /) -> None: ...

    def __len__(self) -> int: ...


class AttemptJournal:
    """The task's logger: stamps, masks, limits and batches what it is given. Safe to use from any thread.

    A line leaves at the latest ``flush_interval`` after it was written, in the order of writing. With a
    ``log_file`` lines go there instead.
    """

    def __init__(
        self,
        identity: JobIdentity,
        events: LogSink,
        *,
        clock: Callable[[], datetime],
        limits: LogLimits,
        minimum: LogLevel,
        secrets: set[str],
        thread: str,
        log_file: LogFile | None = None,
    ) -> None:
        self._identity = identity
        self._events = events
        self._clock = clock
        self._limits = limits
        self._minimum = minimum
        self._secrets = secrets
        self._mask = SecretMask()
        self._thread = thread
        self._log_file = log_file
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._lock = threading.Lock()
        self._room: threading.Condition | None = None
        self._entries: list[LogEntry] = []
        self._metrics: list[Metric] = []
        self._timer: asyncio.TimerHandle | None = None
        self._scheduled = False
        self._closed = False
        self._quota = _Quota(limits, to_file=log_file is not None)
        self._metrics_seen = 0

    # -- what tasks call ---------------------------------------------------------------------------------

    def log(self, level: LogLevel, message: str) -> None:
        """Write a line; it is dropped when it is below the task's ``logLevel`` or above the limits."""
        if level < self._minimum:
            return
        text = message if message.__class__ is str else str(message)
        now = self._clock()
        with self._lock:
            if self._closed:
                return
            notice = self._quota.notice(now)
            if notice is not None:
                self._write(LogLevel.WARN, notice, now)
            if not self._quota.admit(min(len(text), self._limits.max_message), now):
                return
            self._write(level, text, now)
            self._schedule()
            self._wait_for_room()

    def trace(self, message: str) -> None:
        self.log(LogLevel.TRACE, message)

    def debug(self, message: str) -> None:
        self.log(LogLevel.DEBUG, message)

    def info(self, message: str) -> None:
        self.log(LogLevel.INFO, message)

    def warn(self, message: str) -> None:
        self.log(LogLevel.WARN, message)

    def error(self, message: str) -> None:
        self.log(LogLevel.ERROR, message)

    def metric(self, type: MetricType, name: str, value: float, tags: Mapping[str, str] | None) -> None:
        """Report a metric."""
        identity = self._identity
        with self._lock:
            self._metrics_seen += 1
            if self._closed or self._metrics_seen > MAX_METRICS:
                return
            self._metrics.append(
                Metric(
                    tenant_id=identity.tenant_id,
                    namespace=identity.namespace,
                    flow_id=identity.flow_id,
                    execution_id=identity.execution_id,
                    task_id=identity.task_id,
                    task_run_id=identity.task_run_id,
                    type=type,
                    name=name,
                    value=float(value),
                    timestamp=self._clock(),
                    tags=dict(tags) if tags else {},
                )
            )
            self._schedule()

    async def drain(self) -> None:
        """Wait while the executor is far behind with what was written.

        A task that passes on lines as fast as it gets them awaits this between two batches, so that
        neither the queue nor the memory fills.
        """
        # The queue says how much waits in it, not when that becomes less.
        while len(self._events) > MAX_EVENTS_WAITING and not self._closed:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    # -- what the worker calls ---------------------------------------------------------------------------

    def report(self, level: LogLevel, message: str) -> None:
        """Write a line of the worker's own about the attempt, which no limit of numbers may drop."""
        if level < self._minimum:
            return
        with self._lock:
            if not self._closed:
                self._write(level, message, self._clock())
                self._schedule()

    def close(self) -> tuple[Sequence[LogEntry], Sequence[Metric]]:
        """Take what has not been sent. Whatever is written later, by a thread left behind, is ignored."""
        now = self._clock()
        with self._lock:
            for notice in self._quota.final_notices():
                self._write(LogLevel.WARN, notice, now)
            if self._metrics_seen > MAX_METRICS:
                dropped = self._metrics_seen - MAX_METRICS
                self._write(LogLevel.WARN, f"{dropped} metrics were dropped (limit: {MAX_METRICS})", now)
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            left = self._entries, self._metrics
            self._entries, self._metrics = [], []
            if self._room is not None:
                self._room.notify_all()
        return left

    def masked(self, text: str) -> str:
        """A text with the secrets that the task has read replaced; for what is shown beside the log."""
        limit = self._limits.max_message
        text = text[: 2 * limit]
        if self._secrets:
            with self._lock:
                self._mask.cover(self._secrets)
                text = self._mask.apply(text)
        return text[:limit]

    def detach_file(self) -> None:
        """Give up the log file; what is still written goes to the executor."""
        with self._lock:
            self._log_file = None

    def flush(self) -> None:
        """Send what has been written; on the event loop only."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._scheduled = False
            if not self._entries and not self._metrics:
                return
            event = LogsWritten(self._identity.execution_id, self._entries, self._metrics)
            self._entries, self._metrics = [], []
            if self._room is not None:
                self._room.notify_all()
            # Sent under the lock: two batches must not overtake one another.
            self._events.send(event)

    # -- within the lock ---------------------------------------------------------------------------------

    def _write(self, level: LogLevel, message: str, now: datetime) -> None:
        limit = self._limits.max_message
        length = len(message)
        # Masked before it is cut: the rest of a secret at the cut would no longer be recognised.
        if self._secrets:
            self._mask.cover(self._secrets)
            if length > 2 * limit:
                message = message[: 2 * limit]
            message = self._mask.apply(message)
        if length > limit:
            message = message[:limit] + _CUT.format(limit, length)
        if self._log_file is not None:
            self._log_file.write(now, level, message)
            return
        identity = self._identity
        self._entries.append(
            LogEntry(
                tenant_id=identity.tenant_id,
                namespace=identity.namespace,
                flow_id=identity.flow_id,
                execution_id=identity.execution_id,
                timestamp=now,
                level=level,
                message=message,
                task_id=identity.task_id,
                task_run_id=identity.task_run_id,
                attempt_number=identity.attempt,
                thread=self._thread,
            )
        )

    def _schedule(self) -> None:
        waiting = len(self._entries)
        if not waiting and not self._metrics:
            return
        full = waiting >= self._limits.batch_lines
        if threading.get_ident() == self._loop_thread:
            if full:
                event = LogsWritten(self._identity.execution_id, self._entries, self._metrics)
                self._entries, self._metrics = [], []
                self._events.send(event)
            elif not self._scheduled:
                self._scheduled = True
                self._arm()
        elif not self._scheduled or waiting == self._limits.batch_lines:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self.flush if full else self._arm)

    def _arm(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(self._limits.flush_interval.total_seconds(), self.flush)

    def _wait_for_room(self) -> None:
        """Hold a thread that writes faster than the loop sends."""
        if threading.get_ident() == self._loop_thread:
            return
        while len(self._entries) >= 4 * self._limits.batch_lines and not self._closed:
            if self._room is None:
                self._room = threading.Condition(self._lock)
            self._room.wait(1.0)


class _Quota:
    """Counts lines against the limits, and what was dropped for them."""

    __slots__ = (
        "_characters_left",
        "_dropped_in_all",
        "_dropped_in_window",
        "_in_window",
        "_limits",
        "_lines_left",
        "_to_file",
        "_window_end",
    )

    def __init__(self, limits: LogLimits, *, to_file: bool) -> None:
        self._limits = limits
        self._to_file = to_file
        self._lines_left = limits.max_lines
        self._characters_left = limits.max_file_characters if to_file else limits.max_characters
        self._window_end: datetime | None = None
        self._in_window = 0
        self._dropped_in_window = 0
        self._dropped_in_all = 0

    def admit(self, length: int, now: datetime) -> bool:
        """Count a line of so many characters; False: it is to be dropped."""
        if self._characters_left < length or (self._lines_left <= 0 and not self._to_file):
            self._dropped_in_all += 1
            return False
        if not self._to_file:
            if self._window_end is None or now >= self._window_end:
                self._window_end = now + _SECOND
                self._in_window = 0
            if self._in_window >= self._limits.lines_per_second:
                self._dropped_in_window += 1
                return False
            self._in_window += 1
            self._lines_left -= 1
        self._characters_left -= length
        return True

    def notice(self, now: datetime) -> str | None:
        """What to say about the second that is over, if lines were dropped in it."""
        if not self._dropped_in_window or self._window_end is None or now < self._window_end:
            return None
        return self._take_window_notice()

    def final_notices(self) -> list[str]:
        """What is left to say at the end."""
        notices = []
        if self._dropped_in_window:
            notices.append(self._take_window_notice())
        if self._dropped_in_all:
            if self._to_file:
                limit = f"{self._limits.max_file_characters} characters"
            else:
                limit = f"{self._limits.max_lines} lines or {self._limits.max_characters} characters"
            notices.append(f"{self._dropped_in_all} log lines were dropped (limit of an attempt: {limit})")
            self._dropped_in_all = 0
        return notices

    def _take_window_notice(self) -> str:
        dropped, self._dropped_in_window = self._dropped_in_window, 0
        return f"{dropped} log lines were dropped (limit: {self._limits.lines_per_second} lines a second)"
