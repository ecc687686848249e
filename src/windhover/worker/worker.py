"""Takes jobs from the queue, up to its number of slots, and runs them."""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec

from windhover.engine.messages import (
    Broadcast,
    Job,
    JobIdentity,
    KillTaskRun,
    ReleaseDirectory,
    TaskEnded,
    TaskProgressed,
)
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType
from windhover.queue.local import Broadcasts, ExecutorQueue, JobQueue
from windhover.util.ids import new_id
from windhover.worker.attempt import Attempt, Stop, remove_directory
from windhover.worker.environment import WorkerEnvironment
from windhover.worker.spill import LoopBridge
from windhover.worker.threads import DaemonThreads

_NextMessage = Callable[[], Awaitable[Broadcast]]

_log = logging.getLogger(__name__)

#: Tasks mostly wait, for a process or a server: a core can have several under way.
SLOTS_PER_CORE = 8

#: Kills of attempts that this worker has not seen (yet); most are for other workers.
_MAX_EARLY_KILLS = 10_000


class RunningAttempt(msgspec.Struct, frozen=True):
    """An attempt under way; ``progress`` is what the task has said of it, if it has."""

    identity: JobIdentity
    type: str
    started_at: datetime
    progress: TaskProgressed | None


class Worker:
    """A worker with ``concurrency`` slots, each of which holds one attempt.

    ``run`` returns after ``drain``. All methods belong to the event loop.
    """

    def __init__(
        self,
        jobs: JobQueue,
        events: ExecutorQueue,
        broadcasts: Broadcasts,
        environment: WorkerEnvironment,
        *,
        concurrency: int | None = None,
        worker_id: str | None = None,
    ) -> None:
        self.id = worker_id or new_id()
        self.concurrency = concurrency or SLOTS_PER_CORE * (os.cpu_count() or 1)
        self._jobs = jobs
        self._events = events
        self._broadcasts = broadcasts
        self._environment = environment
        self._threads = DaemonThreads(self.concurrency, "worker_thread")
        self._free_slots = list(range(1, self.concurrency + 1))
        self._slot_freed = asyncio.Event()
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._released_directories: set[str] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._early_kills: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._taking: asyncio.Task[None] | None = None
        self._drained = asyncio.Event()
        self._hurried = asyncio.Event()
        self._bridge: LoopBridge | None = None

    async def run(self) -> None:
        """Take and run jobs until the worker is drained. Cancelled, it gives up what it runs at once."""
        self._bridge = LoopBridge()
        with self._broadcasts.subscribe(kinds=(KillTaskRun, ReleaseDirectory)) as messages:
            listening = asyncio.create_task(self._listen(messages.next))
            self._taking = asyncio.create_task(self._take_jobs(self._bridge))
            self._taking.add_done_callback(_report_crash)
            try:
                await self._drained.wait()
            except asyncio.CancelledError:
                await self.drain(timedelta())
                raise
            finally:
                listening.cancel()

    async def drain(self, grace: timedelta) -> bool:
        """Take no more jobs, and wait for those under way; True when all of them ended by themselves.

        Tasks that end within ``grace`` are reported as always. Those left after it, or after :meth:`hurry`,
        are killed without a report, so that they are handed out again.
        """
        if self._taking is not None:
            self._taking.cancel()
        if self._running and grace > timedelta():
            ended = asyncio.ensure_future(asyncio.wait(set(self._running)))
            hurried = asyncio.ensure_future(self._hurried.wait())
            await asyncio.wait(
                [ended, hurried], timeout=grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            ended.cancel()
            hurried.cancel()
        graceful = not self._running
        for attempt in self._attempts.values():
            attempt.stop(Stop.ABANDON)
        if self._running:
            await asyncio.wait(set(self._running))
        if self._background:
            await asyncio.wait(set(self._background))
        self._threads.close()
        self._drained.set()
        return graceful

    def hurry(self) -> None:
        """Cut the grace period of a drain short."""
        self._hurried.set()

    def kill(self, task_run_id: str, dispatch: int) -> bool:
        """Kill an attempt; True when this worker runs it. One that is yet to come will not run."""
        key = (task_run_id, dispatch)
        attempt = self._attempts.get(key)
        if attempt is not None:
            attempt.stop(Stop.KILL)
            return True
        self._early_kills[key] = None
        if len(self._early_kills) > _MAX_EARLY_KILLS:
            self._early_kills.popitem(last=False)
        return False

    @property
    def free_slots(self) -> int:
        """Jobs that can be taken now. A task that ignores its kill keeps its slot until it really ends."""
        return len(self._free_slots)

    def running(self) -> list[RunningAttempt]:
        """What the worker runs at the moment."""
        found = []
        for attempt in self._attempts.values():
            said, job = attempt.context.progress_report.last, attempt.job
            found.append(RunningAttempt(job.identity, job.task.plugin.type_name, attempt.started_at, said))
        return found

    def progress_of(self, execution_id: str) -> dict[str, TaskProgressed]:
        """How far the running tasks of an execution say they are, by task run; only those that say it."""
        found = {}
        for attempt in self._attempts.values():
            said = attempt.context.progress_report.last
            if said is not None and said.execution_id == execution_id:
                found[said.task_run_id] = said
        return found

    async def _take_jobs(self, bridge: LoopBridge) -> None:
        while True:
            while not self._free_slots:
                self._slot_freed.clear()
                await self._slot_freed.wait()
            for job in await self._jobs.take(len(self._free_slots)):
                self._begin(job, bridge)

    def _begin(self, job: Job, bridge: LoopBridge) -> None:
        identity = job.identity
        key = (identity.task_run_id, identity.dispatch)
        if key in self._early_kills:
            del self._early_kills[key]
            self._report(job, StateType.KILLED)
            return
        if key in self._attempts:
            return  # handed out twice: the attempt under way answers for both
        slot = heapq.heappop(self._free_slots)
        try:
            attempt = Attempt(
                job,
                self._environment,
                self._events,
                self._threads,
                bridge,
                worker_id=self.id,
                thread_name=f"worker_{slot}",
                publish=self._broadcasts.publish,
            )
        except Exception as error:
            _log.exception("Task run %s cannot be begun", identity.task_run_id)
            self._release(slot)
            self._report(job, StateType.FAILED, f"The task cannot be begun: {error}")
            return
        self._attempts[key] = attempt
        running = asyncio.create_task(self._follow(attempt, key, slot))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _follow(self, attempt: Attempt, key: tuple[str, int], slot: int) -> None:
        try:
            await attempt.run()
        except Exception as error:
            # No task can cause this: its errors are dealt with inside. The run must end all the same.
            _log.exception("Task run %s could not be followed to its end", key[0])
            if not attempt.reported:
                self._report(attempt.job, StateType.FAILED, f"The worker failed: {error}")
        finally:
            del self._attempts[key]
            if attempt.lost is None:
                self._release(slot)
                self._left_directory(attempt)
            else:
                self._release_later(attempt, attempt.lost, key[0], slot)

    def _release_later(
        self, attempt: Attempt, lost: asyncio.Future[object], task_run_id: str, slot: int
    ) -> None:
        _log.warning("Task run %s ignores that it was stopped; its slot is lost until it ends", task_run_id)

        def ended(work: asyncio.Future[object]) -> None:
            if not work.cancelled():
                work.exception()
            _log.info("Task run %s, stopped before, has ended; its slot is free again", task_run_id)
            self._release(slot)
            self._left_directory(attempt)

        lost.add_done_callback(ended)

    def _release(self, slot: int) -> None:
        heapq.heappush(self._free_slots, slot)
        self._slot_freed.set()

    def _report(self, job: Job, state: StateType, reason: str | None = None) -> None:
        """Report the end of an attempt that never ran, or whose own report was lost."""
        identity = job.identity
        now = self._environment.clock()
        line = LogEntry(
            tenant_id=identity.tenant_id,
            namespace=identity.namespace,
            flow_id=identity.flow_id,
            execution_id=identity.execution_id,
            timestamp=now,
            level=LogLevel.ERROR,
            message=reason or "",
            task_id=identity.task_id,
            task_run_id=identity.task_run_id,
            attempt_number=identity.attempt,
        )
        self._events.send(
            TaskEnded(
                identity.execution_id,
                identity.task_run_id,
                identity.dispatch,
                self.id,
                now,
                state,
                logs=[line] if reason else (),
            )
        )

    async def _listen(self, next_message: _NextMessage) -> None:
        while True:
            message = await next_message()
            if isinstance(message, KillTaskRun):
                self.kill(message.task_run_id, message.dispatch)
            elif isinstance(message, ReleaseDirectory):
                self._release_directory(message.name)

    def _release_directory(self, name: str) -> None:
        """Remove a shared directory as soon as nothing works in it."""
        if any(_works_in(attempt, name) for attempt in self._attempts.values()):
            self._released_directories.add(name)
            return
        self._released_directories.discard(name)
        removing = asyncio.create_task(remove_directory(self._environment.temporary / name))
        self._background.add(removing)
        removing.add_done_callback(self._background.discard)

    def _left_directory(self, attempt: Attempt) -> None:
        shared = attempt.job.directory
        if shared is not None and shared.name in self._released_directories:
            self._release_directory(shared.name)


def _works_in(attempt: Attempt, directory: str) -> bool:
    shared = attempt.job.directory
    return shared is not None and shared.name == directory


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("The worker no longer takes jobs", exc_info=task.exception())
