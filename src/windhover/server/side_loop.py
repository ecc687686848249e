"""An event loop in a thread of its own, for code that cannot await and yet must ask the database.

The executor renders conditions on its event loop. A condition with ``kv()`` or ``read()`` needs an answer at
once: this loop gets it, while the executor's stands still for as long, but never longer than a limit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from windhover.expression import EvaluationError

T = TypeVar("T")

logger = logging.getLogger(__name__)


class SideLoop:
    """Runs coroutines for callers of other threads. The thread is started when it is first needed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def wait(self, coroutine: Coroutine[object, object, T]) -> T:
        """The result of a coroutine.

        Raises:
            EvaluationError: there is none in time.
        """
        future = asyncio.run_coroutine_threadsafe(coroutine, self._started())
        try:
            return future.result(self._seconds)
        except FutureTimeout:
            future.cancel()
            raise EvaluationError(f"The server has not answered within {self._seconds:g} seconds") from None

    def close(self, last: Callable[[], Coroutine[object, object, None]]) -> None:
        """Run ``last`` there and end the thread; nothing happens where it was never started."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(last(), loop).result(self._seconds)
        except Exception as error:
            logger.warning("What the executor asked the database with could not be closed: %s", error)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(self._seconds)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                # The standard loop: it starts faster than others, and this one does little.
                self._loop = asyncio.SelectorEventLoop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="side-loop", daemon=True)
                self._thread.start()
            return self._loop
