"""Runs the triggers that workers look after: those that look now and then, and those that listen."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from functools import partial
from typing import cast

from windhover.engine.messages import (
    FlowChanged,
    Job,
    JobIdentity,
    LogsWritten,
    TaskProgressed,
    TriggersChanged,
)
from windhover.engine.trigger_messages import (
    EventSeen,
    KeysForgotten,
    ListeningEnded,
    ListeningStarted,
    LookEnded,
    Sighting,
    TriggerJob,
    TriggerLogged,
)
from windhover.model.execution import JsonValue
from windhover.model.log import LogLevel
from windhover.plugin.task import Output, TaskDefinition
from windhover.plugin.trigger import Event, Forget, PollingTrigger, RealtimeTrigger, WorkerTrigger
from windhover.queue.local import LocalQueue, SchedulerQueue
from windhover.worker.attempt import remove_directory
from windhover.worker.context import AttemptContext
from windhover.worker.environment import WorkerEnvironment
from windhover.worker.journal import AttemptJournal
from windhover.worker.outputs import fit_outputs, output_values
from windhover.worker.spill import LoopBridge, NeedsThread
from windhover.worker.threads import DaemonThreads

logger = logging.getLogger(__name__)

#: Events of one trigger that may wait for their commit.
_IN_FLIGHT = 1000

_OUT_OF_TIME = "The trigger did not come to an end in time"

#: Renews the lease of a listener; False when it is lost.
Renew = Callable[[str], Awaitable[bool]]


class TriggerRunner:
    """Looks and listens for a scheduler; ``renew_interval`` is the time between two signs of life."""

    def __init__(
        self,
        worker_id: str,
        queue: LocalQueue,
        environment: WorkerEnvironment,
        renew: Renew,
        *,
        threads: int,
        renew_interval: timedelta = timedelta(seconds=10),
    ) -> None:
        self.id = worker_id
        self._queue = queue
        self._environment = environment
        self._renew = renew
        self._renew_interval = renew_interval
        self._threads = DaemonThreads(threads, "trigger_thread")
        self._running: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Take triggers until cancelled; those that listen are stopped then."""
        bridge = LoopBridge()
        hearing = asyncio.create_task(self._hear())
        try:
            while True:
                job = await self._queue.trigger_jobs.take()
                work = self._look if issubclass(job.trigger.plugin, PollingTrigger) else self._listen
                task = asyncio.create_task(work(job, bridge), name=f"trigger {job.key}")
                self._running[job.lease] = task
                task.add_done_callback(partial(self._ended, job.lease))
        finally:
            hearing.cancel()
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._threads.close()

    async def _hear(self) -> None:
        """Notice at once, and not at the next sign of life, that triggers were disabled or changed."""
        with self._queue.broadcasts.subscribe(kinds=(FlowChanged, TriggersChanged)) as messages:
            async for _ in messages:
                self._changed.set()
                self._changed = asyncio.Event()

    def _ended(self, lease: str, task: asyncio.Task[None]) -> None:
        self._running.pop(lease, None)
        if not task.cancelled() and task.exception() is not None:
            logger.error("A trigger broke its runner", exc_info=task.exception())

    # ---------------------------------------------------------------- looking

    async def _look(self, job: TriggerJob, bridge: LoopBridge) -> None:
        """Look once, no longer than the lease lasts."""
        work = TriggerWork(job, self._environment, self._queue.scheduler, bridge, self._threads)
        interval = timedelta(seconds=60)
        limit = asyncio.timeout((job.until - self._environment.clock()).total_seconds() - 1)
        try:
            async with limit:
                trigger = await work.bind()
                assert isinstance(trigger, PollingTrigger)
                interval = trigger.interval
                event = await work.call(lambda: trigger.poll(work.context))
                sighting = None if event is None else await work.sighting(cast("Event[Output | None]", event))
            ended = LookEnded(job, interval, sighting, work.context.remembered)
        except Exception as error:
            # The trigger's own code may time out as well.
            in_time = not limit.expired()
            reason = str(error) or type(error).__name__
            ended = LookEnded(job, interval, error=reason if in_time else _OUT_OF_TIME)
        finally:
            await work.close()
        self._queue.scheduler.send(ended)

    # ---------------------------------------------------------------- listening

    async def _listen(self, job: TriggerJob, bridge: LoopBridge) -> None:
        """Listen until the lease is lost or the source gives up."""
        work = TriggerWork(job, self._environment, self._queue.scheduler, bridge, self._threads)
        consuming = asyncio.create_task(self._consume(job, work))
        keeping = asyncio.create_task(self._keep(job))
        error: str | None = None
        try:
            await asyncio.wait([consuming, keeping], return_when=asyncio.FIRST_COMPLETED)
            if consuming.done():
                failure = consuming.exception()
                error = "The source has ended" if failure is None else str(failure) or type(failure).__name__
        finally:
            keeping.cancel()
            consuming.cancel()
            await asyncio.gather(consuming, keeping, return_exceptions=True)
            await work.close()
            self._queue.scheduler.send(ListeningEnded(job, error))

    async def _consume(self, job: TriggerJob, work: TriggerWork) -> None:
        trigger = await work.bind()
        assert isinstance(trigger, RealtimeTrigger)
        room = asyncio.Semaphore(_IN_FLIGHT)
        settling: set[asyncio.Task[None]] = set()
        events = cast("AsyncIterator[Event[Output | None] | Forget]", trigger.events(work.context))
        self._queue.scheduler.send(ListeningStarted(job, self.id))
        try:
            async with aclosing(events) as stream:  # type: ignore[type-var]
                async for event in stream:
                    await room.acquire()
                    taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    if isinstance(event, Forget):
                        self._queue.scheduler.send(KeysForgotten(job, event.prefix, taken))
                    else:
                        self._queue.scheduler.send(EventSeen(job, await work.sighting(event), taken))
                    task = asyncio.create_task(_settle(taken, event.acknowledge, room))
                    settling.add(task)
                    task.add_done_callback(settling.discard)
                if settling:
                    await asyncio.wait(settling)
        finally:
            for task in list(settling):
                task.cancel()

    async def _keep(self, job: TriggerJob) -> None:
        """Give signs of life until the trigger is taken away."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._renew_interval.total_seconds())
            try:
                if not await self._renew(job.lease):
                    return
            except Exception as error:
                logger.warning("The lease of trigger %s could not be renewed: %s", job.key, error)


async def _settle(
    taken: asyncio.Future[None], acknowledge: Callable[[], Awaitable[None]] | None, room: asyncio.Semaphore
) -> None:
    """Tell the source that what it gave is committed."""
    try:
        await taken
        if acknowledge is not None:
            await acknowledge()
    except Exception as error:
        logger.warning("An event could not be acknowledged; it may come again: %s", error)
    finally:
        room.release()


class RememberingContext(AttemptContext):
    """The context of a trigger; see ``windhover.plugin.trigger.TriggerContext``."""

    def __init__(
        self,
        job: Job,
        environment: WorkerEnvironment,
        bridge: LoopBridge,
        publish: Callable[[TaskProgressed], None],
        *,
        memory: Mapping[str, JsonValue],
    ) -> None:
        super().__init__(job, environment, bridge, publish)
        self.memory = memory
        #: What the trigger wants to know at its next look; None if that is what it knew at this one.
        self.remembered: dict[str, JsonValue] | None = None

    def remember(self, memory: Mapping[str, JsonValue]) -> None:
        self.remembered = dict(memory)


class TriggerWork:
    """One look, or one time of listening: its log lines are the trigger's own."""

    def __init__(
        self,
        job: TriggerJob,
        environment: WorkerEnvironment,
        scheduler: SchedulerQueue,
        bridge: LoopBridge,
        threads: DaemonThreads,
    ) -> None:
        key = job.key
        identity = JobIdentity(
            key.tenant_id,
            key.namespace,
            key.flow_id,
            job.flow.revision or 0,
            job.execution_id,
            key.trigger_id,
            f"{key.trigger_id}-{job.lease}",
            0,
            0,
        )
        self._job = job
        self._environment = environment
        self._threads = threads
        # Of what is to be run a context asks its class and its properties, which a trigger has as well.
        as_task = Job(identity, cast("TaskDefinition", job.trigger), _variables(job))
        self.context = RememberingContext(
            as_task, environment, bridge, _no_progress, memory=job.state.memory.poll or {}
        )
        trigger = job.trigger
        level = trigger.log_level or trigger.min_log_level
        self.context.journal = AttemptJournal(
            identity,
            _TriggerLines(job, scheduler),
            clock=environment.clock,
            limits=environment.settings.logs,
            minimum=LogLevel[level] if level else LogLevel.TRACE,
            secrets=self.context.renderer.secrets,
            thread="trigger",
        )

    async def bind(self) -> WorkerTrigger[Output | None]:
        """The trigger with its properties rendered."""
        try:
            properties = self.context.renderer.properties()
        except NeedsThread:
            properties = await self._threads.submit(self.context.renderer.properties)
        return self._job.trigger.bind(properties)

    async def call(self, work: Callable[[], object]) -> object:
        """Call the trigger's own code: a coroutine function on the loop, any other in a thread."""
        plugin = self._job.trigger.plugin
        if issubclass(plugin, PollingTrigger) and inspect.iscoroutinefunction(plugin.poll):
            result = work()
        else:
            result = await self._threads.submit(work)
        return await result if inspect.isawaitable(result) else result

    async def sighting(self, event: Event[Output | None]) -> Sighting:
        """An event as JSON values, its large ones kept in the storage."""
        values = output_values(event.output)
        if values:
            values = await fit_outputs(values, self._environment.settings.outputs, self.context.files)
        return Sighting(values, event.key, event.acknowledge)

    async def close(self) -> None:
        self.context.cancelled.set()
        self.context.journal.flush()
        self.context.journal.close()
        if self.context.has_own_directory:
            await remove_directory(self.context.working_directory)


class _TriggerLines:
    """Takes the lines of a journal to the log of the trigger."""

    def __init__(self, job: TriggerJob, scheduler: SchedulerQueue) -> None:
        self._job = job
        self._scheduler = scheduler

    def send(self, event: LogsWritten) -> None:
        if event.logs:
            self._scheduler.send(TriggerLogged(self._job.key, event.logs))

    def __len__(self) -> int:
        return len(self._scheduler)


def _variables(job: TriggerJob) -> dict[str, JsonValue]:
    flow = job.flow
    variables: dict[str, JsonValue] = {
        "flow": {
            "id": flow.id,
            "namespace": flow.namespace,
            "revision": flow.revision,
            "tenantId": flow.tenant_id,
        },
        "trigger": {"id": job.trigger.id, "type": job.trigger.type},
    }
    if flow.variables:
        variables["vars"] = flow.variables
    return variables


def _no_progress(progress: TaskProgressed) -> None:
    """A trigger is never half-way."""
