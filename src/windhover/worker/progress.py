"""How far a running task says it is, for whoever watches."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from windhover.engine.messages import JobIdentity, TaskProgressed

#: Seconds between two broadcasts about the same attempt, at least.
INTERVAL = 0.2


class ProgressReport:
    """Keeps what an attempt said last, and tells it to those who follow, a few times a second at most.

    Made on the event loop; :meth:`say` may be called from any thread.
    """

    def __init__(self, identity: JobIdentity, publish: Callable[[TaskProgressed], None]) -> None:
        self._identity = identity
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._told = -math.inf
        self._is_due = False
        self._closed = False
        #: What was said last; None while nothing was.
        self.last: TaskProgressed | None = None

    def say(self, fraction: float, message: str) -> None:
        """Take note of a fraction of the work, from 0 to 1; what is no number is ignored."""
        if self._closed or math.isnan(fraction):
            return
        identity = self._identity
        self.last = TaskProgressed(
            identity.execution_id,
            identity.task_id,
            identity.task_run_id,
            min(max(fraction, 0.0), 1.0),
            message,
        )
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon_threadsafe(self._schedule)

    def close(self) -> None:
        """Tell nothing more: the attempt is over."""
        self._closed = True

    def _schedule(self) -> None:
        self._loop.call_at(max(self._told + INTERVAL, self._loop.time()), self._tell)

    def _tell(self) -> None:
        self._is_due = False
        self._told = self._loop.time()
        if self.last is not None and not self._closed:
            self._publish(self.last)
