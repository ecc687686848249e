"""A source that the test fills, triggers that look at it and listen to it, and a server that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import ClassVar, TypeVar

from tests.integration.executor.flows import Flows

from windhover.engine.messages import ExecutionChanged, FlowChanged, TriggersChanged
from windhover.model.execution import Execution, JsonValue
from windhover.model.trigger_state import TriggerKey, TriggerState
from windhover.plugin.context import RunContext
from windhover.plugin.registry import Registry
from windhover.plugin.task import Output
from windhover.plugin.trigger import Event, Forget, PollingTrigger, RealtimeTrigger, TriggerContext
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.trigger_logs import trigger_log_id
from windhover.scheduler.settings import SchedulerSettings
from windhover.server.runtime import Runtime, RuntimeSettings

LIMIT = 60.0
T = TypeVar("T")


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


class WatchingServer:
    def __init__(self, runtime: Runtime, source: Source) -> None:
        self.runtime = runtime
        self.source = source
        self.flows = Flows(runtime)
        self.key = TriggerKey("main", "io.test", "seen", "t")

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

    async def state(self) -> TriggerState:
        state = await self.runtime.triggers.get(self.key)
        assert state is not None
        return state

    async def values(self, count: int) -> list[str]:
        """What ``count`` executions have said, once so many have ended."""

        async def found() -> list[str] | None:
            records = [each async for each in self.runtime.executions.stream(ExecutionQuery("main"))]
            if len(records) < count:
                return None
            ended = [await self.flows.ended(record.id) for record in records]
            return [(each.run("say").outputs or {}).get("value", "") for each in ended]

        values = await self.until(found)
        assert values is not None
        return values

    async def executions(self) -> list[Execution]:
        """All there are, the oldest first."""
        found = [each async for each in self.runtime.executions.stream(ExecutionQuery("main"))]
        return sorted(found, key=lambda each: (each.state.start_date, each.id))

    async def log(self) -> list[str]:
        return [entry.message async for entry in self.runtime.logs.stream(trigger_log_id(self.key))]

    async def until(self, look: Callable[[], Awaitable[T]]) -> T:
        """The first thing that ``look`` finds; it looks whenever something is committed."""
        async with asyncio.timeout(LIMIT):
            with self.runtime.queue.broadcasts.subscribe(
                lambda message: isinstance(message, ExecutionChanged | TriggersChanged)
            ) as messages:
                while True:
                    found = await look()
                    if found:
                        return found
                    try:
                        await asyncio.wait_for(messages.next(), 0.05)
                    except TimeoutError:
                        continue


@asynccontextmanager
async def running(
    database: Database, tmp_path: Path, scheduler: SchedulerSettings, *, closing: bool = True
) -> AsyncIterator[WatchingServer]:
    """A server that looks at triggers; ``closing`` closes the database with it."""
    registry = Registry()
    registry.register(Listen)
    registry.register(Look)
    settings = RuntimeSettings(
        home=tmp_path,
        storage_path=tmp_path / "storage",
        temporary=tmp_path / "work",
        environ={},
        scheduler=scheduler,
    )
    runtime = Runtime(database, settings, registry=registry)
    await runtime.start()
    await runtime.start_triggers()
    yield WatchingServer(runtime, getattr(Look, "source", None) or Source())
    await runtime.stop(timedelta())
    if closing:
        await runtime.close()
