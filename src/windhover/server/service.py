"""One run of one server process, as others see it: its state, and a heartbeat while it lives.

Documentation page: ``docs/operations.md``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from windhover import __version__
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.services import ServiceRecord, ServiceRepository
from windhover.util.ids import new_id

logger = logging.getLogger(__name__)


class ServiceState(StrEnum):
    """The life of a service, in order; the last four end it."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    DISCONNECTED = "DISCONNECTED"
    TERMINATED_GRACEFULLY = "TERMINATED_GRACEFULLY"
    TERMINATED_FORCED = "TERMINATED_FORCED"
    NOT_RUNNING = "NOT_RUNNING"
    INACTIVE = "INACTIVE"


#: Services that share a database with any other: they own no executions.
SHARING = frozenset({"SCHEDULER"})

ALIVE = frozenset({ServiceState.CREATED, ServiceState.RUNNING, ServiceState.TERMINATING})


class AnotherServerRuns(Exception):
    """A server that owns the executions of this database is alive."""


class Service:
    """This process among the services of its database."""

    def __init__(
        self,
        repository: ServiceRepository,
        type: str,
        clock: Callable[[], datetime],
        *,
        interval: timedelta,
        timeout: timedelta,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        now = clock()
        self._record = ServiceRecord(
            id=new_id(),
            type=type,
            state=ServiceState.CREATED,
            created=now,
            heartbeat=now,
            data={"host": socket.gethostname(), "pid": os.getpid(), "version": __version__},
        )
        self._beating: asyncio.Task[None] | None = None
        #: Set when others have declared this service dead: it must stop at once.
        self.disowned = asyncio.Event()

    @property
    def created(self) -> datetime:
        """When this process began to be a service."""
        return self._record.created

    async def join(self) -> None:
        """Become one of those that share the database."""
        await self._repository.register(self._record)

    async def claim(self) -> None:
        """Become the one that owns the executions, or find out who does.

        A server that was killed leaves a record that looks alive. On the same host its process id tells;
        elsewhere the heartbeat must have been missing for the time limit.

        Raises:
            AnotherServerRuns: one is alive, or may be.
        """
        for other in await self._repository.all():
            if other.state not in ALIVE or other.id == self._record.id or other.type in SHARING:
                continue
            if self._is_gone(other):
                await self._repository.transition(other.id, ALIVE, ServiceState.NOT_RUNNING)
            else:
                raise AnotherServerRuns(
                    f"Another server runs on this database: process {other.data.get('pid')} on host "
                    f"{other.data.get('host')}, last heard of at {other.heartbeat:%H:%M:%S} UTC. "
                    "Stop it, or give this one another database."
                )
        await self._repository.register(self._record)

    def _is_gone(self, other: ServiceRecord) -> bool:
        if other.data.get("host") == self._record.data["host"]:
            pid = other.data.get("pid")
            return not (isinstance(pid, int) and pid != os.getpid() and _is_server(pid))
        return other.heartbeat + self._timeout < self._clock()

    async def become(self, state: ServiceState) -> None:
        self._record = replace(self._record, state=state, heartbeat=self._clock())
        try:
            await self._repository.register(self._record)
        except (RepositoryUnavailable, RepositoryError) as error:
            logger.warning("The state %s of this server cannot be recorded: %s", state, error)

    def start_beating(self) -> None:
        self._beating = asyncio.create_task(self._beat(), name="heartbeat")

    async def stop_beating(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            try:
                beaten = await self._repository.heartbeat(self._record, self._clock())
            except (RepositoryUnavailable, RepositoryError) as error:
                logger.warning("No heartbeat could be written: %s", error)
                continue
            if beaten is None:
                self.disowned.set()
                return
            self._record = beaten


def _is_server(pid: int) -> bool:
    """Whether a process of this host is a Windhover server, and not some other that got its number."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"windhover" in file.read()
    except FileNotFoundError:
        pass
    except OSError:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not os.path.isdir("/proc/self")
