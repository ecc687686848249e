"""Batches of messages: so many, or for so long, or until no more come.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

MessageT = TypeVar("MessageT")


async def batch(
    receive: Callable[[], Awaitable[MessageT]],
    *,
    max_records: int | None,
    max_duration: timedelta | None,
    idle: timedelta | None = None,
) -> AsyncIterator[MessageT]:
    """The messages that ``receive`` gives, one a call, until the first of the limits is reached.

    Args:
        receive: waits for the next message; it is cancelled when the time is over, and must lose none then.
        max_records: how many messages at most.
        max_duration: the time from the first call on.
        idle: the time without a message after which there are taken to be no more.
    """
    loop = asyncio.get_running_loop()
    end = None if max_duration is None else loop.time() + max_duration.total_seconds()
    count = 0
    while max_records is None or count < max_records:
        until = None if idle is None else loop.time() + idle.total_seconds()
        deadlines = [one for one in (end, until) if one is not None]
        try:
            async with asyncio.timeout_at(min(deadlines, default=None)) as limit:
                message = await receive()
        except TimeoutError:
            if limit.expired():
                return
            raise
        yield message
        count += 1
