"""The context of a task that runs, for tests of what takes one without being a task: triggers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import ClassVar, TypeVar

from windhover.plugin.context import RunContext
from windhover.plugin.task import Output, RunnableTask
from windhover.plugin.trigger import Event, Forget, RealtimeTrigger
from windhover.worker.inline import InlineWorker, PendingRun

T = TypeVar("T", bound=Output)


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


async def first_events(
    trigger: RealtimeTrigger[T], worker: InlineWorker, count: int, *, acknowledge: bool
) -> list[Event[T]]:
    """The first events of a trigger, which is stopped afterwards. What is only to be forgotten is none."""
    found: list[Event[T]] = []
    async with (
        asyncio.timeout(60),
        task_context(worker) as (ctx, _),
        aclosing(trigger.events(ctx)) as stream,  # type: ignore[type-var]
    ):
        while len(found) < count:
            event = await anext(stream)
            if isinstance(event, Forget):
                continue
            found.append(event)
            if acknowledge and event.acknowledge is not None:
                await event.acknowledge()
    return found


async def stored_lines(worker: InlineWorker, uri: object) -> list[str]:
    """The lines of a stored file."""
    async with await worker.storage.for_tenant("main").open(str(uri)) as stream:
        return b"".join([part async for part in stream]).decode().splitlines()
