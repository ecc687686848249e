"""The queue inside one process, on one event loop.

It keeps nothing: what was committed and not yet handed out, or handed out and not yet answered, is in
the repository, and the executor sends it again after a restart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, get_args

from windhover.engine.messages import Accepted, Broadcast, Command, Event, Job
from windhover.model.execution import Execution

if TYPE_CHECKING:
    from windhover.engine.trigger_messages import SchedulerMessage, TriggerJob


class QueueClosed(Exception):
    """The component that would answer has stopped; nothing was changed."""


class PendingCommand:
    """A command and the place for its answer."""

    __slots__ = ("answer", "command")

    def __init__(self, command: Command, answer: asyncio.Future[Accepted]) -> None:
        self.command = command
        self.answer = answer


class ExecutorQueue:
    """Events and commands for the executor, in the order they were sent."""

    def __init__(self) -> None:
        self._items: deque[Event | PendingCommand] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def send(self, event: Event) -> None:
        self._items.append(event)
        self._arrived.set()

    async def ask(self, command: Command) -> Execution:
        """Send a command and wait until its effect is committed; see :meth:`request`."""
        return (await self.request(command)).execution

    async def request(self, command: Command) -> Accepted:
        """Send a command and wait until its effect is committed.

        Raises:
            CommandRefused: the command cannot be carried out.
            QueueClosed: the executor has stopped before it was.
        """
        if self._closed:
            raise QueueClosed("The executor is stopping.")
        pending = PendingCommand(command, asyncio.get_running_loop().create_future())
        self._items.append(pending)
        self._arrived.set()
        return await pending.answer

    async def wait(self) -> None:
        """Return as soon as something waits, or the executor was woken."""
        await self._arrived.wait()

    def wake(self) -> None:
        """Let :meth:`wait` return though nothing was sent."""
        self._arrived.set()

    def drain(self, limit: int) -> list[Event | PendingCommand]:
        """Take what waits, at most ``limit`` items, oldest first."""
        items = self._items
        if len(items) <= limit:
            self._items = deque()
            self._arrived.clear()
            return list(items)
        return [items.popleft() for _ in range(limit)]

    def close(self) -> None:
        """Refuse all commands that wait or still come."""
        self._closed = True
        for item in self._items:
            if isinstance(item, PendingCommand) and not item.answer.done():
                item.answer.set_exception(QueueClosed("The executor is stopping."))

    def __len__(self) -> int:
        return len(self._items)


class JobQueue:
    """Jobs for any worker, oldest first. Taking one is final: its answer is a ``TaskEnded``."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._arrived = asyncio.Event()

    def send(self, job: Job) -> None:
        self._jobs.append(job)
        self._arrived.set()

    async def take(self, limit: int) -> list[Job]:
        """Wait for jobs and take at most ``limit`` of them."""
        while not self._jobs:
            self._arrived.clear()
            await self._arrived.wait()
        return [self._jobs.popleft() for _ in range(min(limit, len(self._jobs)))]

    def discard(self, task_run_id: str) -> bool:
        """Take a job out that nobody has taken; True when there was one."""
        for job in self._jobs:
            if job.identity.task_run_id == task_run_id:
                self._jobs.remove(job)
                return True
        return False

    def __len__(self) -> int:
        return len(self._jobs)


class SchedulerQueue:
    """What a scheduler is told, in the order it was said. Nothing is kept while there is none."""

    def __init__(self) -> None:
        self._items: list[SchedulerMessage] = []
        self._arrived = asyncio.Event()
        self._attended = False

    def attend(self) -> None:
        """A scheduler listens from now on."""
        self._attended = True

    def send(self, message: SchedulerMessage) -> None:
        if self._attended:
            self._items.append(message)
            self._arrived.set()

    async def wait(self, seconds: float) -> None:
        """Return as soon as something was said, or after so many seconds."""
        if self._items:
            return
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return

    def wake(self) -> None:
        """Let :meth:`wait` return though nothing was said."""
        self._arrived.set()

    def drain(self) -> list[SchedulerMessage]:
        items, self._items = self._items, []
        self._arrived.clear()
        return items

    def __len__(self) -> int:
        return len(self._items)


class TriggerJobQueue:
    """Triggers for any worker, the oldest first."""

    def __init__(self) -> None:
        self._jobs: asyncio.Queue[TriggerJob] = asyncio.Queue()

    def send(self, job: TriggerJob) -> None:
        self._jobs.put_nowait(job)

    async def take(self) -> TriggerJob:
        return await self._jobs.get()


class Subscription:
    """One listener's place in the broadcasts. Use as a context manager, iterate asynchronously."""

    def __init__(
        self,
        broadcasts: Broadcasts,
        kinds: Sequence[type[Broadcast]],
        accepts: Callable[[Broadcast], bool],
        limit: int,
    ) -> None:
        self.kinds = kinds
        self._broadcasts = broadcasts
        self._accepts = accepts
        self._limit = limit
        self._items: deque[Broadcast] = deque()
        self._arrived = asyncio.Event()
        #: Set when the listener was too slow and messages were dropped; it must read the repository.
        self.lagged = False

    def offer(self, message: Broadcast) -> None:
        if not self._accepts(message):
            return
        if len(self._items) >= self._limit:
            self.lagged = True
            self._items.clear()
        self._items.append(message)
        self._arrived.set()

    async def next(self) -> Broadcast:
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        return self._items.popleft()

    async def __aiter__(self) -> AsyncIterator[Broadcast]:
        while True:
            yield await self.next()

    def __enter__(self) -> Subscription:
        self._broadcasts.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._broadcasts.remove(self)


_EVERY_KIND: tuple[type[Broadcast], ...] = get_args(Broadcast)


class Broadcasts:
    """Messages to everyone who listens at that moment, each kind by itself.

    Whoever publishes often asks first whether anybody hears it: what nobody hears need not be made.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[type[Broadcast], list[Subscription]] = {kind: [] for kind in _EVERY_KIND}

    def publish(self, message: Broadcast) -> None:
        for subscription in self._subscriptions[type(message)]:
            subscription.offer(message)

    def is_heard(self, kind: type[Broadcast]) -> bool:
        """Whether anybody listens to messages of a kind."""
        return bool(self._subscriptions[kind])

    def subscribe(
        self,
        accepts: Callable[[Broadcast], bool] = lambda _: True,
        limit: int = 10_000,
        *,
        kinds: Sequence[type[Broadcast]] = _EVERY_KIND,
    ) -> Subscription:
        """Listen to messages of some kinds that ``accepts`` says yes to, keeping at most ``limit`` unread."""
        return Subscription(self, kinds, accepts, limit)

    def add(self, subscription: Subscription) -> None:
        for kind in subscription.kinds:
            self._subscriptions[kind].append(subscription)

    def remove(self, subscription: Subscription) -> None:
        for kind in subscription.kinds:
            self._subscriptions[kind].remove(subscription)


class LocalQueue:
    """The deliveries of a server that runs in one process."""

    def __init__(self) -> None:
        self.executor = ExecutorQueue()
        self.jobs = JobQueue()
        self.scheduler = SchedulerQueue()
        self.trigger_jobs = TriggerJobQueue()
        self.broadcasts = Broadcasts()
