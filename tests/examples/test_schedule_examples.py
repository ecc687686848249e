"""The examples of schedules, and of a trigger that asks a web server, do what they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.executor.flows import Ended, Flows
from tests.integration.scheduler.bench import Clock
from tests.web_site import running_site

from windhover.engine.messages import ExecutionChanged
from windhover.model.kv import KvType, KvValue
from windhover.model.trigger_state import Backfill, TriggerKey
from windhover.repository.database import open_database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.kv import KvRepository
from windhover.scheduler.scheduler import Scheduler
from windhover.scheduler.settings import SchedulerSettings
from windhover.server.runtime import Runtime, RuntimeSettings, utc_now
from windhover.util.ids import new_id

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "schedules"


@asynccontextmanager
async def runtime_at(tmp_path: Path, clock: Clock | None) -> AsyncIterator[Runtime]:
    settings = RuntimeSettings(
        home=tmp_path, storage_path=tmp_path / "storage", temporary=tmp_path / "work", environ={}
    )
    database = await open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    runtime = Runtime(database, settings, clock=clock or utc_now)
    await runtime.start()
    yield runtime
    await runtime.stop(timedelta())
    await runtime.close()


def scheduler_of(runtime: Runtime, clock: Clock) -> Scheduler:
    return Scheduler(
        runtime.triggers,
        runtime.backfills,
        runtime.definitions,
        runtime.queue,
        runtime.environment,
        clock=clock,
        settings=SchedulerSettings(),
    )


async def ended(runtime: Runtime) -> list[Ended]:
    records = [record async for record in runtime.executions.stream(ExecutionQuery("main"))]
    return [await Flows(runtime).ended(record.id) for record in sorted(records, key=lambda each: each.id)]


async def fired(runtime: Runtime, clock: Clock, example: str, at: datetime) -> Ended:
    """The one execution of an example that was saved shortly before an instant."""
    clock.now = at - timedelta(minutes=1)
    await Flows(runtime).save((EXAMPLES / example).read_text())
    scheduler = scheduler_of(runtime, clock)
    await scheduler.start()
    await scheduler.work()
    assert await ended(runtime) == []
    clock.now = at
    await scheduler.refresh()
    await scheduler.work()
    (run,) = await ended(runtime)
    return run


async def test_the_report_in_the_morning(tmp_path: Path) -> None:
    clock = Clock()
    async with runtime_at(tmp_path, clock) as runtime:
        run = await fired(runtime, clock, "schedule.yaml", datetime(2026, 6, 30, 6, 30, tzinfo=UTC))
    assert run.messages("INFO") == [
        "The report of 2026-06-30; the next one is due at 2026-07-01T08:30:00+02:00."
    ]
    assert ("month", "2026-06") in [(label.key, label.value) for label in run.execution.labels]


async def test_a_backfill_of_the_reports(tmp_path: Path) -> None:
    clock = Clock()
    async with runtime_at(tmp_path, clock) as runtime:
        await Flows(runtime).save((EXAMPLES / "schedule.yaml").read_text())
        scheduler = scheduler_of(runtime, clock)
        await scheduler.start()
        backfill = Backfill(
            id=new_id(),
            key=TriggerKey("main", "examples.schedules", "report", "mornings"),
            start=datetime.fromisoformat("2026-05-04T00:00:00+02:00"),
            end=datetime.fromisoformat("2026-05-08T23:59:59+02:00"),
            created=clock(),
            max_concurrent=2,
        )
        await runtime.backfills.create(backfill, clock())
        await scheduler.refresh()
        async with asyncio.timeout(20):
            # That an execution has ended is said a moment after it is written.
            while len(runs := await ended(runtime)) < 5:
                await scheduler.work()
                await asyncio.sleep(0)
    days = [str(run.execution.inputs["day"]) for run in runs]
    assert sorted(days) == [f"2026-05-0{day}" for day in range(4, 9)]


async def test_the_last_working_day(tmp_path: Path) -> None:
    clock = Clock()
    async with runtime_at(tmp_path, clock) as runtime:
        # 31 May 2026 is a Sunday.
        run = await fired(runtime, clock, "last-working-day.yaml", datetime(2026, 5, 29, 18, tzinfo=UTC))
    assert run.messages("INFO") == ["Closing the books of May 2026."]


async def test_dates_that_are_listed(tmp_path: Path) -> None:
    clock = Clock()
    async with runtime_at(tmp_path, clock) as runtime:
        run = await fired(runtime, clock, "dates.yaml", datetime(2030, 1, 1, 8, tzinfo=UTC))
    assert run.messages("INFO") == ["It is 1 January 2030, 09:00 in Paris. Next: 2030-06-01T09:00:00+02:00."]


async def test_while_the_shop_is_open(tmp_path: Path) -> None:
    clock = Clock()
    async with runtime_at(tmp_path, clock) as runtime:
        await Flows(runtime).save((EXAMPLES / "while-open.yaml").read_text())
        scheduler = scheduler_of(runtime, clock)
        await scheduler.start()
        stored = KvRepository(runtime.database)
        for minute, shop, stock in ((0, "closed", "12"), (15, "open", "12"), (30, "open", "a lot")):
            clock.now = datetime(2026, 6, 30, 8, minute, tzinfo=UTC)
            for key, value in (("shop", shop), ("stock", stock)):
                content = KvValue(KvType.STRING, value)
                await stored.put("main", "examples.schedules", key, content, now=clock())
            await scheduler.refresh()
            await scheduler.work()
            runs = await ended(runtime)
    counted, refused = runs
    assert counted.messages("INFO") == ["12 are left."]
    assert refused.state == "FAILED"
    assert refused.messages("WARN") == ["Nobody knows what is left."]
    assert "`stock`" in refused.messages("ERROR")[0]


async def test_waiting_for_a_file(tmp_path: Path) -> None:
    source = (EXAMPLES / "http-trigger.yaml").read_text()
    with running_site() as site:
        site.body = b"the file is there"
        async with runtime_at(tmp_path, None) as runtime:
            await runtime.start_triggers()
            with runtime.queue.broadcasts.subscribe(
                lambda message: isinstance(message, ExecutionChanged)
            ) as news:
                await Flows(runtime).save(source.replace("http://localhost:8000", site.url))
                async with asyncio.timeout(60):
                    while not (runs := await ended(runtime)):
                        await news.next()
            state = await runtime.triggers.get(
                TriggerKey("main", "examples.schedules", "wait_for_file", "ask")
            )
    assert "The server said the file is there." in runs[0].messages("INFO")
    assert state is not None
    assert state.disabled
