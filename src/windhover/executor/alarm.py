"""Wakes the executor when the next durable timer is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from windhover.repository.executions import ExecutionRepository

#: The longest the alarm sleeps, so that a step of the clock is noticed.
_LONGEST = 3600.0


class Alarm:
    """Knows when the next timer of the repository is due."""

    def __init__(
        self,
        executions: ExecutionRepository,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        also: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """``also`` gives another instant to wake at, which is asked for at each look."""
        self._executions = executions
        self._clock = clock
        self._wake = wake
        self._also = also
        self._next: datetime | None = None
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_due(self) -> bool:
        return self._next is not None and self._next <= self._clock()

    async def look(self) -> None:
        """Ask the repository for the next timer, after timers were set, cleared or fired."""
        instants = (await self._executions.next_timer(), self._also())
        self._next = min((instant for instant in instants if instant is not None), default=None)
        self._cancel()
        self.wind()

    def wind(self) -> None:
        """Set the alarm if a timer is known and no alarm is set."""
        if self._handle is None and self._next is not None:
            delay = max(0.0, (self._next - self._clock()) / timedelta(seconds=1))
            self._handle = asyncio.get_running_loop().call_later(min(delay, _LONGEST), self._ring)

    def _ring(self) -> None:
        # The loop's clock may be a little ahead: a timer that is not due yet gets another alarm.
        self._handle = None
        self._wake()

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
