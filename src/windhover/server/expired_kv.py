"""Deletes key-value pairs that have expired, now and then. Until then they merely count as missing.

Documentation page: ``docs/kv.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.kv import KvRepository

logger = logging.getLogger(__name__)


class ExpiredKvPurge:
    """A duty of one server: first after ``initial_delay``, then ``interval`` after each end."""

    def __init__(
        self,
        repository: KvRepository,
        clock: Callable[[], datetime],
        *,
        initial_delay: timedelta,
        interval: timedelta,
        batch_size: int,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._initial_delay = initial_delay
        self._interval = interval
        self._batch_size = batch_size
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name="expired-kv")

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def run_once(self) -> int:
        """Delete all that has expired by now, a batch a transaction; how many versions there were."""
        deleted = 0
        while True:
            batch = await self._repository.purge_expired(self._clock(), self._batch_size)
            deleted += batch
            if batch < self._batch_size:
                return deleted

    async def _run(self) -> None:
        await asyncio.sleep(self._initial_delay.total_seconds())
        while True:
            try:
                deleted = await self.run_once()
                if deleted:
                    logger.info("Deleted %d versions of expired key-value pairs.", deleted)
            except (RepositoryUnavailable, RepositoryError) as error:
                logger.warning("Expired key-value pairs cannot be deleted now: %s", error)
            await asyncio.sleep(self._interval.total_seconds())
