"""A source that the test fills, triggers that look at it and listen to it, and a server that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import ClassVar

from tests.integration.scheduler.trigger_server import TriggerServer, running_triggers

from windhover.engine.messages import FlowChanged
from windhover.model.execution import JsonValue
from windhover.plugin.context import RunContext
from windhover.plugin.registry import Registry
from windhover.plugin.task import Output
from windhover.plugin.trigger import Event, Forget, PollingTrigger, RealtimeTrigger, TriggerContext
from windhover.repository.database import Database
from windhover.scheduler.settings import SchedulerSettings
from windhover.server.runtime import Runtime


class Seen(Output):
    """What the triggers of these tests see."""

    number: int
    text: str = ""


class Source:
    """What the triggers look at: filled by the test, and it remembers what was acknowledged."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[int, str | None] | Forget | Exception] = asyncio.Queue()
        self.acknowledged: list[int] = []
        self.listeners = 0
        self.most_listeners = 0
        self.texts: list[str] = []
        self.looks: list[dict[str, JsonValue]] = []
        self.hang = False
        self.on_acknowledge: Callable[[int], Awaitable[None]] | None = None

    async def acknowledge(self, number: int) -> None:
        if self.on_acknowledge is not None:
            await self.on_acknowledge(number)
        self.acknowledged.append(number)


class Listen(RealtimeTrigger[Seen]):
    """Listens to the source of the test."""

    type_name = "test.Listen"
    source: ClassVar[Source]

    text: str = ""

    async def events(self, ctx: RunContext) -> AsyncIterator[Event[Seen] | Forget]:
        source = self.source
        source.texts.append(self.text)
        source.listeners += 1
        source.most_listeners = max(source.most_listeners, source.listeners)
        try:
            while True:
                item = await source.events.get()
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, Forget):
                    yield item
                    continue
                number, key = item
                seen = Seen(number=number, text=self.text)
                yield Event(seen, key, partial(source.acknowledge, number))
        finally:
            source.listeners -= 1


class Look(PollingTrigger[Seen]):
    """Looks at the source of the test."""

    type_name = "test.Look"
    source: ClassVar[Source]

    async def poll(self, ctx: TriggerContext) -> Event[Seen] | None:
        source = self.source
        source.listeners += 1
        source.most_listeners = max(source.most_listeners, source.listeners)
        try:
            source.looks.append(dict(ctx.memory))
            ctx.logger.info(f"Look {len(source.looks)}")
            if source.hang:
                await asyncio.Event().wait()
            if source.events.empty():
                return None
            item = source.events.get_nowait()
            if isinstance(item, Exception):
                raise item
            assert not isinstance(item, Forget), "only those that listen say so"
            number, key = item
            ctx.remember({"last": number})
            return Event(Seen(number=number), key, lambda: source.acknowledge(number))
        finally:
            source.listeners -= 1


def flow(type: str, more: str = "") -> str:
    return (
        dedent(f"""
        id: seen
        namespace: io.test
        tasks:
          - id: say
            type: io.kestra.plugin.core.debug.Return
            format: "{{{{ trigger.number }}}} {{{{ trigger.text }}}}"
        triggers:
          - id: t
            type: {type}
        """).rstrip()
        + "\n"
        + "".join(f"    {line}\n" for line in more.splitlines())
    )


class WatchingServer(TriggerServer):
    """A server with these triggers, and the source that they look at."""

    def __init__(self, runtime: Runtime, source: Source) -> None:
        super().__init__(runtime)
        self.source = source

    async def save(self, source: str) -> None:
        saved = await self.flows.save(source)
        self.runtime.queue.broadcasts.publish(FlowChanged("main", "io.test", "seen", saved.revision or 0))

    async def kill(self) -> None:
        """Look at no trigger any more, and let go of none, as a process that is killed.

        Executions that are written from now on are not for it.
        """
        adopting = self.runtime._adopting
        tasks = [*self.runtime._scheduling, *([adopting] if adopting is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.runtime._scheduler = None

    async def values(self, count: int) -> list[str]:
        """What ``count`` executions have said, once so many have ended."""

        async def found() -> list[str] | None:
            records = await self.executions()
            if len(records) < count:
                return None
            ended = [await self.flows.ended(record.id) for record in records]
            return [(each.run("say").outputs or {}).get("value", "") for each in ended]

        return await self.until(found)


@asynccontextmanager
async def running(
    database: Database, tmp_path: Path, scheduler: SchedulerSettings, *, closing: bool = True
) -> AsyncIterator[WatchingServer]:
    """A server that looks at triggers; ``closing`` closes the database with it."""
    registry = Registry()
    registry.register(Listen)
    registry.register(Look)
    async with running_triggers(database, tmp_path, registry, scheduler, closing=closing) as runtime:
        yield WatchingServer(runtime, getattr(Look, "source", None) or Source())
