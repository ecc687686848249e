from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from windhover.core.flow.sleep import Sleep
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker


async def test_sleep_says_how_long_and_can_be_killed(worker: InlineWorker) -> None:
    job = worker.job(Sleep, {"duration": "PT10M"})
    pending = worker.submit(job)
    assert await pending.logged("Waiting for") == "Waiting for PT10M"
    worker.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    assert (await pending.ended).state is StateType.KILLED


async def test_sleep_goes_on_where_a_lost_worker_left_it(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    async with InlineWorker(tmp_path, clock=lambda: now) as worker:
        job = msgspec.structs.replace(
            worker.job(Sleep, {"duration": "PT10M"}), began=now - timedelta(minutes=10)
        )
        assert (await worker.submit(job).ended).state is StateType.SUCCESS


async def test_what_is_no_duration_fails(worker: InlineWorker) -> None:
    run = await worker.run(Sleep, {"duration": "tomorrow"})
    assert run.state is StateType.FAILED
    assert "tomorrow" in run.at(LogLevel.ERROR)[0]
