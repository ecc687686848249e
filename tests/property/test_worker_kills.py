"""Kills at any moment: each job ends once, and no slot is lost."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from windhover.engine.messages import KillTaskRun, TaskEnded
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask
from windhover.worker import WorkerSettings
from windhover.worker.inline import InlineWorker


class Yielding(RunnableTask[None]):
    """Takes some turns of the loop, then ends or fails."""

    type_name = "test.property.Yielding"
    turns: int
    fails: bool

    async def run(self, ctx: RunContext) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.fails:
            raise ValueError("as told")


class YieldingInThread(Yielding):
    """The same in a thread."""

    type_name = "test.property.YieldingInThread"

    def run(self, ctx: RunContext) -> None:  # type: ignore[override]
        ctx.logger.info("in a thread")
        if self.fails:
            raise ValueError("as told")


Plan = tuple[bool, int, bool, int | None]

plans = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6), st.booleans(), st.one_of(st.none(), st.integers(0, 12))),
    min_size=1,
    max_size=12,
)


async def play(folder: Path, plan: list[Plan]) -> tuple[list[StateType], int]:
    environment = WorkerSettings(kill_grace=timedelta(seconds=5))
    async with InlineWorker(folder, concurrency=3, settings=environment) as worker:
        ended: list[TaskEnded] = []
        send = worker.queue.executor.send

        def record(event: object) -> None:
            if isinstance(event, TaskEnded):
                ended.append(event)
            send(event)  # type: ignore[arg-type]

        worker.queue.executor.send = record  # type: ignore[method-assign]
        jobs = [
            worker.job(YieldingInThread if threaded else Yielding, {"turns": turns, "fails": fails})
            for threaded, turns, fails, _ in plan
        ]
        pending = [worker.submit(job) for job in jobs]
        for turn in range(13):
            for job, (*_, killed_at) in zip(jobs, plan, strict=True):
                if killed_at == turn:
                    identity = job.identity
                    worker.queue.broadcasts.publish(
                        KillTaskRun(identity.execution_id, identity.task_run_id, identity.dispatch)
                    )
            await asyncio.sleep(0)
        runs = [await run.ended for run in pending]
        await worker.worker.drain(timedelta(seconds=5))
        assert sorted(event.task_run_id for event in ended) == sorted(
            job.identity.task_run_id for job in jobs
        )
        return [run.state for run in runs], worker.worker.free_slots


@settings(max_examples=60, deadline=None)
@given(plans)
def test_each_job_ends_once_whenever_it_is_killed(plan: list[Plan]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        states, free = asyncio.run(play(Path(folder), plan))
    assert free == 3
    for state, (_, _, fails, killed_at) in zip(states, plan, strict=True):
        expected = {StateType.FAILED if fails else StateType.SUCCESS}
        if killed_at is not None:
            expected.add(StateType.KILLED)
        assert state in expected
