"""Kills, drains, and tasks that do not obey."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
import pytest_asyncio

from windhover.engine.messages import KillTaskRun, TaskEnded, TaskStarted
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask
from windhover.worker import WorkerSettings
from windhover.worker.inline import InlineWorker


class Waiting(RunnableTask[None]):
    """Waits for ever, and says when it begins and ends."""

    type_name = "test.stop.Waiting"

    async def run(self, ctx: RunContext) -> None:
        ctx.logger.info("waiting")
        ctx.progress(0.5, "half-way")
        try:
            await asyncio.Event().wait()
        finally:
            ctx.logger.info("cleaning up")


class Gated(RunnableTask[None]):
    """Ends when the test lets it."""

    type_name = "test.stop.Gated"
    gate: ClassVar[asyncio.Event]

    async def run(self, ctx: RunContext) -> None:
        await self.gate.wait()


class Deaf(RunnableTask[None]):
    """Blocks a thread and does not look whether it is cancelled."""

    type_name = "test.stop.Deaf"
    gate: ClassVar[threading.Event]

    def run(self, ctx: RunContext) -> None:
        self.gate.wait()


class Stubborn(RunnableTask[None]):
    """Goes on after it was cancelled."""

    type_name = "test.stop.Stubborn"
    gate: ClassVar[asyncio.Event]

    async def run(self, ctx: RunContext) -> None:
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                continue


@pytest_asyncio.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    settings = WorkerSettings(kill_grace=timedelta(milliseconds=20))
    async with InlineWorker(tmp_path, concurrency=1, settings=settings) as inline:
        yield inline


async def test_a_kill_ends_a_task_at_once_and_lets_it_clean_up(worker: InlineWorker) -> None:
    job = worker.job(Waiting)
    pending = worker.submit(job)
    await pending.logged("waiting")
    [running] = worker.worker.running()
    assert running.type == "test.stop.Waiting"
    assert running.progress is not None
    assert (running.progress.fraction, running.progress.message) == (0.5, "half-way")
    identity = job.identity
    worker.queue.broadcasts.publish(
        KillTaskRun(identity.execution_id, identity.task_run_id, identity.dispatch)
    )
    run = await pending.ended
    assert run.state is StateType.KILLED
    assert run.messages == ["waiting", "cleaning up"]
    assert worker.worker.running() == []


async def test_a_kill_of_another_dispatch_is_not_ours(worker: InlineWorker) -> None:
    job = worker.job(Waiting)
    pending = worker.submit(job)
    await pending.logged("waiting")
    assert not worker.worker.kill(job.identity.task_run_id, job.identity.dispatch + 1)
    assert worker.worker.running()


async def test_a_job_killed_before_it_began_does_not_run(worker: InlineWorker) -> None:
    job = worker.job(Waiting)
    worker.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    pending = worker.submit(job)
    assert (await pending.ended).state is StateType.KILLED
    assert not pending.started.done()
    assert pending.logs == []


async def test_a_deaf_thread_is_reported_killed_and_holds_its_slot_until_it_ends(
    impatient: InlineWorker, caplog: pytest.LogCaptureFixture
) -> None:
    Deaf.gate = threading.Event()
    job = impatient.job(Deaf)
    pending = impatient.submit(job)
    await pending.started
    impatient.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    assert (await pending.ended).state is StateType.KILLED
    waiting = impatient.submit(impatient.job(Deaf))
    await asyncio.sleep(0)
    assert impatient.worker.free_slots == 0
    assert not waiting.started.done()
    assert "its slot is lost until it ends" in caplog.text
    Deaf.gate.set()
    assert (await waiting.ended).state is StateType.SUCCESS


async def test_a_coroutine_that_swallows_its_cancellation_is_lost_too(impatient: InlineWorker) -> None:
    Stubborn.gate = asyncio.Event()
    job = impatient.job(Stubborn)
    pending = impatient.submit(job)
    await pending.started
    impatient.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    assert (await pending.ended).state is StateType.KILLED
    assert impatient.worker.free_slots == 0
    Stubborn.gate.set()
    assert (await impatient.run(Stubborn)).state is StateType.SUCCESS


async def test_no_more_tasks_run_than_there_are_slots(impatient: InlineWorker) -> None:
    Gated.gate = asyncio.Event()
    first, second = [impatient.submit(impatient.job(Gated)) for _ in range(2)]
    await first.started
    assert len(impatient.worker.running()) == 1
    assert not second.started.done()
    Gated.gate.set()
    assert (await second.ended).state is StateType.SUCCESS


async def test_a_task_that_ends_while_its_worker_drains_is_recorded(worker: InlineWorker) -> None:
    Gated.gate = asyncio.Event()
    pending = worker.submit(worker.job(Gated))
    await pending.started
    draining = asyncio.create_task(worker.worker.drain(timedelta(minutes=1)))
    await asyncio.sleep(0)
    left = worker.job(Gated)
    worker.submit(left)
    Gated.gate.set()
    assert (await pending.ended).state is StateType.SUCCESS
    await draining
    assert len(worker.queue.jobs) == 1  # what came after is for whoever starts next


async def test_what_outlasts_the_drain_is_stopped_without_a_report(worker: InlineWorker) -> None:
    job = worker.job(Waiting)
    pending = worker.submit(job)
    await pending.logged("waiting")
    events = []
    worker.queue.executor.send = events.append  # type: ignore[method-assign]
    await worker.worker.drain(timedelta(milliseconds=1))
    assert worker.worker.running() == []
    assert not [event for event in events if isinstance(event, TaskEnded)]
    lines = [entry.message for event in events for entry in event.logs]
    assert lines == ["cleaning up"]


async def test_cancelling_the_worker_gives_up_what_it_runs(tmp_path: Path) -> None:
    inline = InlineWorker(tmp_path)
    running = asyncio.create_task(inline.worker.run())
    inline.queue.jobs.send(inline.job(Waiting))
    await inline.queue.executor.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    events = inline.queue.executor.drain(100)
    assert isinstance(events[0], TaskStarted)
    assert not any(isinstance(event, TaskEnded) for event in events)


async def test_a_job_that_is_handed_out_twice_runs_once(worker: InlineWorker) -> None:
    Gated.gate = asyncio.Event()
    job = worker.job(Gated)
    pending = worker.submit(job)
    await pending.started
    worker.queue.jobs.send(job)
    await asyncio.sleep(0)
    assert len(worker.worker.running()) == 1
    Gated.gate.set()
    await pending.ended


async def test_a_job_that_cannot_even_be_begun_ends_with_a_reason(tmp_path: Path) -> None:
    def port(job: object) -> None:
        raise OSError("no secrets today")

    async with InlineWorker(tmp_path, expression_port=port) as worker:
        run = await worker.run(Waiting)
        assert worker.worker.free_slots == worker.worker.concurrency
    assert run.state is StateType.FAILED
    assert run.messages == ["The task cannot be begun: no secrets today"]
