"""Sharing the event loop while many things are done one after another."""

from __future__ import annotations

import asyncio
import time

#: How long others of the process wait for their turn.
_SECONDS = 0.005


class Turn:
    """One's turn on the event loop, which begins when it is made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def give_way(self) -> None:
        """Let others have theirs, if this one has lasted long enough."""
        if time.monotonic() - self._began >= _SECONDS:
            await asyncio.sleep(0)
            self._began = time.monotonic()
