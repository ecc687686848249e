"""A server that looks at triggers by itself, and what tests ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from tests.integration.executor.flows import TIME_LIMIT, Flows

from windhover.engine.messages import ExecutionChanged, TriggersChanged
from windhover.model.execution import Execution
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.plugin.registry import Registry
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.trigger_logs import trigger_log_id
from windhover.scheduler.settings import SchedulerSettings
from windhover.server.runtime import Runtime, RuntimeSettings

T = TypeVar("T")


class TriggerServer:
    """A runtime that looks at triggers; tests have most to do with trigger ``t`` of flow ``seen``."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.flows = Flows(runtime)
        self.key = TriggerKey("main", "io.test", "seen", "t")

    async def state(self) -> TriggerState:
        state = await self.runtime.triggers.get(self.key)
        assert state is not None
        return state

    async def executions(self) -> list[Execution]:
        """All there are, the oldest first."""
        found = [each async for each in self.runtime.executions.stream(ExecutionQuery("main"))]
        return sorted(found, key=lambda each: (each.state.start_date, each.id))

    async def log(self) -> list[str]:
        """The lines of the trigger itself."""
        return [entry.message async for entry in self.runtime.logs.stream(trigger_log_id(self.key))]

    async def until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        """The first thing that ``look`` finds; it looks whenever something is committed."""
        async with asyncio.timeout(TIME_LIMIT):
            with self.runtime.queue.broadcasts.subscribe(
                lambda message: isinstance(message, ExecutionChanged | TriggersChanged)
            ) as messages:
                while True:
                    found = await look()
                    if found:
                        return found
                    # Sources and requests are no commits.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(messages.next(), 0.05)


@asynccontextmanager
async def running_triggers(
    database: Database,
    folder: Path,
    registry: Registry,
    scheduler: SchedulerSettings | None = None,
    *,
    closing: bool = True,
) -> AsyncIterator[Runtime]:
    """A runtime that looks at triggers, with its files in a folder; ``closing`` closes the database, too."""
    settings = RuntimeSettings(
        home=folder,
        storage_path=folder / "storage",
        temporary=folder / "work",
        environ={},
        scheduler=scheduler or SchedulerSettings(),
    )
    runtime = Runtime(database, settings, registry=registry)
    await runtime.start()
    await runtime.start_triggers()
    yield runtime
    await runtime.stop(timedelta())
    if closing:
        await runtime.close()
