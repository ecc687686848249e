"""Loading large outputs back from the storage, for expressions that read them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import TypeVar

import msgspec

from windhover.engine.spill import StoredValue
from windhover.expression import ExpressionError
from windhover.model.execution import JsonValue
from windhover.storage import StorageError
from windhover.worker.files import TaskFiles

T = TypeVar("T")


class NeedsThread(BaseException):
    """Rendering would have to wait for I/O, which must not be done on the event loop.

    No ``Exception``: neither the expression language nor a task may take it for a failure.
    """


class LoopBridge:
    """Lets code in a thread wait for a coroutine on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()

    @property
    def on_loop(self) -> bool:
        """Whether the caller is the event loop itself."""
        return threading.get_ident() == self._loop_thread

    def require_thread(self) -> None:
        """Raises NeedsThread on the event loop."""
        if self.on_loop:
            raise NeedsThread

    def wait(self, coroutine: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class StoredOutputs:
    """Loads values that :func:`windhover.worker.outputs.fit_outputs` has put away."""

    def __init__(self, files: TaskFiles, bridge: LoopBridge, maximum: int) -> None:
        self._files = files
        self._bridge = bridge
        self._maximum = maximum

    def load(self, stored: StoredValue) -> JsonValue:
        """The value, read from the storage.

        Raises:
            NeedsThread: called on the event loop.
            ExpressionError: the file is gone, is none of this execution's, or is no such value.
        """
        self._bridge.require_thread()
        try:
            return msgspec.json.decode(self._bridge.wait(self._files.read_stored(stored.uri, self._maximum)))
        except (OSError, ValueError, StorageError) as error:
            raise ExpressionError(f"The stored output {stored.uri} cannot be read: {error}") from error
