"""All components in one process: no other server is needed.

Documentation page: ``docs/operations.md``.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from windhover.config import Settings
from windhover.repository.database import open_database
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.kv import KvRepository
from windhover.repository.services import ServiceRepository
from windhover.repository.uploads import UploadRepository
from windhover.server.assembly import database_settings, runtime_settings
from windhover.server.expired_kv import ExpiredKvPurge
from windhover.server.flow_folder import load_flows
from windhover.server.http import HttpServer
from windhover.server.runtime import Runtime, utc_now
from windhover.server.service import Service, ServiceState
from windhover.storage import StorageError

logger = logging.getLogger(__name__)

#: By how much the clock of the storage may be behind that of the server.
_CLOCK_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a started server answers."""

    host: str
    port: int
    management_port: int


class StandaloneServer:
    """Database, storage, executor, worker and web server of one process."""

    def __init__(self, settings: Settings, *, flow_folders: Sequence[Path] = ()) -> None:
        self._settings = settings
        self._flow_folders = flow_folders
        self._stop = asyncio.Event()
        self._force = asyncio.Event()

    async def serve(self, started: Callable[[Addresses], None]) -> bool:
        """Serve until asked to stop; ``started`` is called once requests are answered.

        Returns whether all tasks under way could end in the time given to them.

        Raises:
            AnotherServerRuns, PortTaken, RepositoryError, RepositoryUnavailable: it cannot start.
        """
        settings = self._settings
        settings.home.mkdir(parents=True, exist_ok=True)
        database = await open_database(database_settings(settings))
        runtime = Runtime(database, runtime_settings(settings))
        try:
            liveness = settings.server.liveness
            service = Service(
                ServiceRepository(database),
                "STANDALONE",
                utc_now,
                interval=liveness.heartbeat_interval,
                timeout=liveness.timeout,
            )
            await service.claim()
            return await self._live(runtime, service, started)
        finally:
            await runtime.close()

    def stop(self) -> None:
        """Begin to stop; called again, stop without waiting for tasks."""
        if self._stop.is_set():
            self._force.set()
        self._stop.set()

    async def _live(self, runtime: Runtime, service: Service, started: Callable[[Addresses], None]) -> bool:
        from windhover.webserver import create_app, create_management_app

        runtime.sweep()
        await runtime.storage.sweep()
        await UploadRepository(runtime.database).settle_all()
        for folder in self._flow_folders:
            await load_flows(folder, runtime.definitions)
        server = self._settings.server
        services = runtime.web_services(self._settings)
        web = HttpServer(create_app(services), server.host, server.port)
        management = HttpServer(create_management_app(services), server.host, self._settings.management.port)
        recovered = await runtime.start()
        await runtime.start_triggers()
        if recovered:
            logger.info("Taking up executions that were under way: %d.", recovered)
        await web.start()
        await management.start()
        await service.become(ServiceState.RUNNING)
        service.start_beating()
        sweeping = asyncio.create_task(_sweep_namespace_files(runtime, service.created))
        runtime.released_files.start()
        purge = self._expired_kv_purge(runtime)
        if self._settings.expired_kv.enabled:
            purge.start()
        self._listen_to_signals()
        _spare_the_garbage_collector()
        started(Addresses(server.host, web.port, management.port))
        try:
            await self._until_stopped(runtime, service)
            await service.become(ServiceState.TERMINATING)
            graceful = await self._drain(runtime)
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            await purge.stop()
            await runtime.released_files.stop()
            await service.stop_beating()
            services.feed.close()
            await web.stop()
            await management.stop()
        await service.become(
            ServiceState.TERMINATED_GRACEFULLY if graceful else ServiceState.TERMINATED_FORCED
        )
        return graceful

    def _expired_kv_purge(self, runtime: Runtime) -> ExpiredKvPurge:
        settings = self._settings.expired_kv
        return ExpiredKvPurge(
            KvRepository(runtime.database),
            runtime.clock,
            initial_delay=settings.initial_delay,
            interval=settings.fixed_delay,
            batch_size=settings.batch_size,
        )

    async def _until_stopped(self, runtime: Runtime, service: Service) -> None:
        waiting = [
            asyncio.create_task(self._stop.wait()),
            asyncio.create_task(service.disowned.wait()),
            asyncio.create_task(runtime.wait()),
        ]
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if service.disowned.is_set():
            logger.error("Another server has declared this one dead; it stops.")
            self._force.set()
        for task in done:
            task.result()

    async def _drain(self, runtime: Runtime) -> bool:
        """Wait for tasks under way, but not longer than the grace period or a second signal."""
        stopping = asyncio.create_task(runtime.stop(self._settings.server.termination_grace_period))
        forced = asyncio.create_task(self._force.wait())
        await asyncio.wait([stopping, forced], return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        if stopping.done():
            return stopping.result()
        runtime.worker.hurry()
        await stopping
        return False

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)


async def _sweep_namespace_files(runtime: Runtime, started: datetime) -> None:
    """Remove uploads to namespaces that a former life of the server did not bring to their end."""
    try:
        swept = await runtime.sources.namespace_files.sweep(started - _CLOCK_TOLERANCE)
        if swept:
            logger.info("Removed %d files of namespaces whose upload had not been finished.", swept)
    except (RepositoryUnavailable, RepositoryError, StorageError) as error:
        logger.warning("Unfinished uploads to namespaces cannot be removed now: %s", error)


def _spare_the_garbage_collector() -> None:
    """Let it visit what is new, and rarely: what is loaded by now stays until the end.

    Executions leave no circles behind, so there is little for it to find; and the task runs that wait in an
    execution of ten thousand, which are no garbage either, would be visited again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
