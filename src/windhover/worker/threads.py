"""Threads for work that would block the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

_Work = Callable[[], None]


class DaemonThreads:
    """Up to ``size`` threads, started when there is work and none of them is idle.

    Unlike those of ``ThreadPoolExecutor`` they never hold up the end of the process: a task that
    ignores its cancellation must not keep a server from stopping.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._unoccupied = 0

    def submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Call a function in a thread, with the context variables of the caller.

        Cancelling the future does not stop the function; its result is then ignored.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                result = context.run(function)
            except BaseException as error:
                self._deliver(loop, future, None, error)
            else:
                self._deliver(loop, future, result, None)

        with self._lock:
            if self._unoccupied > 0 or self._started >= self._size:
                self._unoccupied -= 1
            else:
                self._started += 1
                name = f"{self._name}_{self._started}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._work.put(work)
        return future

    def close(self) -> None:
        """Let idle threads end; those at work end after it."""
        for _ in range(self._started):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work
            with self._lock:
                self._unoccupied += 1

    @staticmethod
    def _deliver(
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[T],
        result: T | None,
        error: BaseException | None,
    ) -> None:
        def settle() -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        # A loop that has been closed meanwhile has nobody left who waits.
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:
                if not loop.is_closed():
                    raise
