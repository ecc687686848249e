"""A scheduler that works when it is told to, over a runtime whose clock is set by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import ResumeExecution
from windhover.model.flow import Flow
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.repository.backfills import BackfillRepository
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.trigger_logs import trigger_log_id
from windhover.repository.triggers import TriggerRepository
from windhover.scheduler.scheduler import Scheduler
from windhover.scheduler.settings import SchedulerSettings
from windhover.server.runtime import Runtime, RuntimeSettings

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def set(self, hour: int, minute: int = 0, second: int = 0, *, day: int = 1) -> None:
        self.now = START.replace(day=day, hour=hour, minute=minute, second=second)


@dataclass
class Bench:
    """What the tests work with."""

    runtime: Runtime
    clock: Clock
    flows: Flows
    triggers: TriggerRepository
    backfills: BackfillRepository
    scheduler: Scheduler = field(init=False)

    def another_scheduler(self, settings: SchedulerSettings | None = None) -> Scheduler:
        """One that begins now."""
        return Scheduler(
            self.triggers,
            self.backfills,
            self.runtime.definitions,
            self.runtime.queue,
            self.runtime.environment,
            clock=self.clock,
            settings=settings or SchedulerSettings(),
        )

    async def restart(self, settings: SchedulerSettings | None = None) -> None:
        """Begin with a new scheduler, as the start of a server does."""
        self.scheduler = self.another_scheduler(settings)
        await self.scheduler.start()

    async def save(self, source: str) -> Flow:
        flow = await self.flows.save(dedent(source))
        await self.tick()
        return flow

    async def tick(self) -> None:
        """Let the scheduler do all there is to do now."""
        await self.scheduler.refresh()
        await self.scheduler.work()

    async def at(self, hour: int, minute: int = 0, second: int = 0, *, day: int = 1) -> None:
        self.clock.set(hour, minute, second, day=day)
        await self.tick()

    async def state(self, trigger: str = "s", flow: str = "scheduled") -> TriggerState:
        state = await self.triggers.get(TriggerKey("main", "io.test", flow, trigger))
        assert state is not None
        return state

    async def executions(self, flow: str = "scheduled") -> list[Ended]:
        """All executions of a flow in the order they were created, once they have ended."""
        records = self.runtime.executions.stream(ExecutionQuery("main"))
        found = [record async for record in records if record.flow_id == flow]
        found.sort(key=lambda record: (record.state.start_date, record.id))
        return [await self.flows.ended(record.id) for record in found]

    async def dates(self, flow: str = "scheduled") -> list[str]:
        """The dates that executions were started for."""
        return [
            ended.execution.trigger.variables["date"]
            for ended in await self.executions(flow)
            if ended.execution.trigger is not None
        ]

    async def resume(self, execution_id: str) -> None:
        """End the pause of an execution, and wait until it has ended."""
        await self.flows.until(execution_id, lambda found: found.state == "PAUSED")
        await self.runtime.queue.executor.ask(ResumeExecution(execution_id))
        await self.flows.ended(execution_id)

    async def log(self, trigger: str = "s", flow: str = "scheduled") -> list[str]:
        """The lines of a trigger itself."""
        key = TriggerKey("main", "io.test", flow, trigger)
        return [entry.message async for entry in self.runtime.logs.stream(trigger_log_id(key))]


@asynccontextmanager
async def running_bench(database: Database, folder: Path) -> AsyncIterator[Bench]:
    """A runtime and a scheduler on a database; their files are below ``folder``."""
    clock = Clock()
    settings = RuntimeSettings(
        home=folder, storage_path=folder / "storage", temporary=folder / "work", environ={}
    )
    runtime = Runtime(database, settings, clock=clock)
    await runtime.start()
    bench = Bench(runtime, clock, Flows(runtime), TriggerRepository(database), BackfillRepository(database))
    await bench.restart()
    yield bench
    await runtime.stop(timedelta())
    await runtime.close()
