"""A process that is a scheduler and nothing else; several of them, and a standalone server, share a database.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from datetime import timedelta

import msgspec

from windhover.config import Settings
from windhover.queue.local import ExecutorQueue
from windhover.repository.backfills import BackfillRepository
from windhover.repository.batched_events import BatchedEventRepository
from windhover.repository.database import open_database
from windhover.repository.errors import RepositoryError
from windhover.repository.services import ServiceRepository
from windhover.repository.triggers import TriggerRepository
from windhover.scheduler.event_batches import EventBatches
from windhover.scheduler.scheduler import Scheduler
from windhover.server.assembly import database_settings, runtime_settings
from windhover.server.runtime import Runtime, utc_now
from windhover.server.service import Service, ServiceState

logger = logging.getLogger(__name__)

#: Whether executions have ended, and what was gathered, the database alone tells, so it is asked more often.
_CHECK_INTERVAL = timedelta(seconds=1)


class SchedulerServer:
    """Looks at schedules and backfills, and starts what was gathered, by requests or listeners.

    The executions that it writes are run by the standalone server.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()

    async def serve(self, started: Callable[[], None]) -> None:
        """Serve until asked to stop; ``started`` is called once triggers are looked at.

        Raises:
            RepositoryError, RepositoryUnavailable: it cannot start.
        """
        settings = self._settings
        database = await open_database(database_settings(settings))
        runtime = Runtime(database, runtime_settings(settings))
        try:
            if database.dialect != "postgresql":
                raise RepositoryError(
                    "A scheduler of its own needs a database that processes share: configure PostgreSQL"
                )
            liveness = settings.server.liveness
            service = Service(
                ServiceRepository(database),
                "SCHEDULER",
                utc_now,
                interval=liveness.heartbeat_interval,
                timeout=liveness.timeout,
            )
            await service.join()
            await self._live(runtime, service, started)
        finally:
            await runtime.close()

    def stop(self) -> None:
        self._stop.set()

    async def _live(self, runtime: Runtime, service: Service, started: Callable[[], None]) -> None:
        await asyncio.to_thread(runtime.answers.prepare)
        scheduling = msgspec.structs.replace(runtime.settings.scheduler, check_interval=_CHECK_INTERVAL)
        scheduler = Scheduler(
            TriggerRepository(runtime.database, schedules_alone=True),
            BackfillRepository(runtime.database),
            runtime.definitions,
            runtime.queue,
            runtime.environment,
            clock=runtime.clock,
            settings=scheduling,
        )
        batches = EventBatches(
            BatchedEventRepository(runtime.database),
            runtime.definitions,
            None,  # What is on the disk of this machine, the server that runs the executions cannot read.
            runtime.queue,
            runtime.environment,
            clock=runtime.clock,
            settings=scheduling,
        )
        await scheduler.start()
        running = asyncio.create_task(scheduler.run(), name="scheduler")
        batching = asyncio.create_task(batches.run(), name="event batches")
        forgetting = asyncio.create_task(_forget(runtime.queue.executor), name="executions of others")
        await service.become(ServiceState.RUNNING)
        service.start_beating()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        started()
        waiting = [
            asyncio.create_task(self._stop.wait()),
            asyncio.create_task(service.disowned.wait()),
            running,
            batching,
        ]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in [*waiting[:2], forgetting]:
            task.cancel()
        batches.stop()
        scheduler.stop()
        try:
            await asyncio.gather(batching, running)
        finally:
            await service.stop_beating()
            await service.become(ServiceState.TERMINATED_GRACEFULLY)


async def _forget(queue: ExecutorQueue) -> None:
    """Leave executions to the server that runs them: it finds them in the database."""
    while True:
        await queue.wait()
        queue.drain(len(queue))
