"""What happens to executions, for those who follow one.

Broadcasts reach the feed once each, however many clients listen, and go to the listeners of that
execution alone. While nobody listens the feed is not subscribed, so the executor need not publish.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from windhover.engine.messages import Broadcast, ExecutionChanged, LogsCommitted, TaskProgressed
from windhover.model.log import LogEntry
from windhover.queue.local import Broadcasts, Subscription

#: Log lines kept for a listener that is slow; beyond it reads them from the repository.
_BACKLOG = 10_000


class ExecutionListener:
    """One listener's view of one execution. Use as a context manager."""

    def __init__(self, feed: ExecutionFeed, execution_id: str, arrived: asyncio.Event | None = None) -> None:
        self._feed = feed
        self.execution_id = execution_id
        self._arrived = arrived or asyncio.Event()
        self._entries: deque[LogEntry] = deque()
        #: Nothing more will come of this execution.
        self.ended = False
        #: The server is stopping: nothing more will be heard here.
        self.closed = False
        #: Lines were dropped because the listener was slow: it must read the repository.
        self.lagged = False

    async def wait(self, timeout: float) -> bool:
        """Return as soon as anything has happened since the last call; False after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._arrived.wait()
        except TimeoutError:
            return False
        self._arrived.clear()
        return True

    async def wait_for_end(self) -> None:
        """Return once the execution has ended, or the server is stopping (``closed``)."""
        while not (self.ended or self.closed):
            self._arrived.clear()
            await self._arrived.wait()

    def take_entries(self) -> list[LogEntry]:
        """The log lines that came since the last call, in order."""
        entries = list(self._entries)
        self._entries.clear()
        return entries

    def notice(self, message: ExecutionChanged | LogsCommitted | TaskProgressed) -> None:
        """Take a message; called by the feed."""
        if isinstance(message, ExecutionChanged):
            self.ended = message.ended
        elif isinstance(message, LogsCommitted):
            self._entries.extend(message.entries)
            if len(self._entries) > _BACKLOG:
                self._entries.clear()
                self.lagged = True
        self._arrived.set()

    def close(self) -> None:
        """Let whoever waits go; called by the feed."""
        self.closed = True
        self._arrived.set()

    def __enter__(self) -> Self:
        self._feed.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._feed.remove(self)


class ExecutionFeed(Subscription):
    """Hands broadcasts about an execution to those who listen to it."""

    def __init__(self, broadcasts: Broadcasts) -> None:
        super().__init__(broadcasts, (ExecutionChanged, LogsCommitted, TaskProgressed), lambda _: True, 0)
        self._listeners: dict[str, list[ExecutionListener]] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """The server is stopping: nothing more will be heard."""
        return self._closed

    def listen(self, execution_id: str, arrived: asyncio.Event | None = None) -> ExecutionListener:
        """A listener; it hears what is broadcast from the moment it is entered.

        ``arrived`` is set when anything happens: one who follows several executions shares it among them.
        """
        return ExecutionListener(self, execution_id, arrived)

    def offer(self, message: Broadcast) -> None:
        if isinstance(message, (ExecutionChanged, LogsCommitted, TaskProgressed)):
            for listener in self._listeners.get(message.execution_id, ()):
                listener.notice(message)

    def add(self, listener: ExecutionListener) -> None:
        if not self._listeners:
            self._broadcasts.add(self)
        self._listeners.setdefault(listener.execution_id, []).append(listener)
        if self._closed:
            listener.close()

    def remove(self, listener: ExecutionListener) -> None:
        remaining = self._listeners[listener.execution_id]
        remaining.remove(listener)
        if not remaining:
            del self._listeners[listener.execution_id]
        if not self._listeners:
            self._broadcasts.remove(self)

    def close(self) -> None:
        """End all streams and waits, so that a server that stops need not wait for its clients."""
        self._closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.close()

    @property
    def listener_count(self) -> int:
        """How many clients follow an execution now."""
        return sum(map(len, self._listeners.values()))
