"""The context of a task that runs, for tests of what takes one without being a task: triggers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask
from windhover.worker.inline import InlineWorker, PendingRun


class Probe(RunnableTask[None]):
    """Hands out its context and ends when it is told to."""

    type_name = "windhover.tests.Probe"

    given: ClassVar[asyncio.Queue[RunContext]]
    over: ClassVar[asyncio.Event]

    async def run(self, ctx: RunContext) -> None:
        Probe.given.put_nowait(ctx)
        await Probe.over.wait()


@asynccontextmanager
async def task_context(worker: InlineWorker) -> AsyncIterator[tuple[RunContext, PendingRun]]:
    """A context, and the run it belongs to, which has the log lines."""
    Probe.given, Probe.over = asyncio.Queue(), asyncio.Event()
    run = worker.submit(worker.job(Probe))
    ctx = await Probe.given.get()
    try:
        yield ctx, run
    finally:
        Probe.over.set()
        await run.ended


async def stored_lines(worker: InlineWorker, uri: object) -> list[str]:
    """The lines of a stored file."""
    async with await worker.storage.for_tenant("main").open(str(uri)) as stream:
        return b"".join([part async for part in stream]).decode().splitlines()
