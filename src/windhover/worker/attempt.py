"""One attempt of a task, from its job to the report of its end.

The run is one pipeline: render the properties, bind them to the task's class, run it within its time
limit, fit its outputs, report. Whatever happens on the way, it ends in exactly one ``TaskEnded``, unless
the worker gave the attempt up to be handed out again.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import traceback
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

import msgspec

from windhover.core.runner.process_tree import end_processes
from windhover.engine.messages import Job, TaskEnded, TaskProgressed, TaskStarted
from windhover.model.execution import JsonValue
from windhover.model.log import LogEntry, LogLevel, Metric
from windhover.model.state import StateType
from windhover.plugin.task import Output, RunnableTask, TaskFailure
from windhover.queue.local import ExecutorQueue
from windhover.storage import StorageError
from windhover.util.durations import format_clock, read_time_limit
from windhover.worker.context import AttemptContext
from windhover.worker.environment import WorkerEnvironment
from windhover.worker.journal import AttemptJournal
from windhover.worker.log_file import LogFile
from windhover.worker.outputs import final_state, fit_outputs, output_values
from windhover.worker.spill import LoopBridge, NeedsThread
from windhover.worker.task_cache import CachedOutputs
from windhover.worker.threads import DaemonThreads

T = TypeVar("T")

_WORKER_FOLDER = str(Path(__file__).parent)

#: The variables are the executor's own, and may grow while a thread walks over them.
_RENDER_TRIES = 5

#: How long a task has, after the grace period, for noticing that its processes have been ended.
_AFTERMATH = 0.5


class Stop(Enum):
    """Why an attempt is stopped."""

    KILL = auto()
    TIMEOUT = auto()
    #: The worker stops; the attempt is handed out again and must not be reported.
    ABANDON = auto()


class Stopped(Exception):
    """The attempt was stopped before the task ended by itself."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason.name)
        self.reason = reason


class TaskCrash(Exception):
    """A task ended in a way that no task should, such as ``sys.exit()``."""


class End(msgspec.Struct, frozen=True):
    """How an attempt ended; ``cached``: nothing was run, its outputs are those of an earlier one."""

    state: StateType
    outputs: dict[str, JsonValue] = msgspec.field(default_factory=dict)
    cached: bool = False


class Attempt:
    """Runs one job; :attr:`lost` afterwards holds what ignores that it was stopped."""

    def __init__(
        self,
        job: Job,
        environment: WorkerEnvironment,
        events: ExecutorQueue,
        threads: DaemonThreads,
        bridge: LoopBridge,
        *,
        worker_id: str,
        thread_name: str,
        publish: Callable[[TaskProgressed], None],
    ) -> None:
        self._job = job
        self._environment = environment
        self._events = events
        self._threads = threads
        self._worker_id = worker_id
        self._thread_name = thread_name
        self._stopping: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()
        self._timeout: timedelta | None = None
        self._log_path: Path | None = None
        self._log_file: LogFile | None = None
        self.started_at = environment.clock()
        self.context = AttemptContext(job, environment, bridge, publish)
        #: A thread or coroutine that did not end though it was told to. It holds the attempt's slot.
        self.lost: asyncio.Future[object] | None = None
        #: Whether the end has been sent.
        self.reported = False

    @property
    def job(self) -> Job:
        return self._job

    def stop(self, reason: Stop) -> None:
        """Stop the attempt; only the first reason counts."""
        if not self._stopping.done():
            self._stopping.set_result(reason)

    async def run(self) -> None:
        """Run the job and report its end. Raises nothing but ``asyncio.CancelledError``."""
        identity = self._job.identity
        self._events.send(
            TaskStarted(
                identity.execution_id,
                identity.task_run_id,
                identity.dispatch,
                self._worker_id,
                self.started_at,
            )
        )
        journal = self.context.journal = self._open_journal()
        end = await self._perform()
        self.context.progress_report.close()
        if self._must_not_report:
            journal.flush()
        elif end is not None:
            await self._report(end, journal)
        await self._clean_up()

    # -- the pipeline ------------------------------------------------------------------------------------

    async def _perform(self) -> End | None:
        try:
            properties = await self._render()
            task = self._bind(properties)
            cache = self._cache(properties)
            if cache is not None and (kept := await self._taken(cache)) is not None:
                return End(StateType.SUCCESS, kept, cached=True)
            result = await self._run(task)
            outputs = await self._fit(result)
            if self._stopping.done():
                raise Stopped(self._stopping.result())
            end = End(final_state(result), outputs)
            if cache is not None:
                await self._keep(cache, end)
            return end
        except Stopped as stopped:
            return self._stopped(stopped.reason)
        except TaskFailure as failure:
            return await self._failed(failure, failure.outputs)
        except Exception as error:
            return await self._failed(error, None)

    # -- the cache: whatever is wrong with it, the task is run

    def _cache(self, properties: dict[str, JsonValue]) -> CachedOutputs | None:
        if self._job.task.task_cache is None:
            return None
        storage = self._environment.storage.for_tenant(self._job.identity.tenant_id)
        try:
            return CachedOutputs.of(self._job, properties, storage)
        except (TypeError, ValueError) as error:
            self.context.journal.report(LogLevel.ERROR, f"The task cache is left aside: {error}")
            return None

    async def _taken(self, cache: CachedOutputs) -> dict[str, JsonValue] | None:
        try:
            kept = await cache.take(self._environment.clock())
        except (StorageError, msgspec.DecodeError) as error:
            self.context.journal.report(LogLevel.ERROR, f"The task cache cannot be read: {error}")
            return None
        if kept is not None:
            self.context.journal.report(
                LogLevel.INFO, "Skipping task execution: its outputs are in the task cache."
            )
        return kept

    async def _keep(self, cache: CachedOutputs, end: End) -> None:
        if end.state not in (StateType.SUCCESS, StateType.WARNING):
            return
        try:
            await cache.keep(end.outputs, self._environment.clock())
        except StorageError as error:
            self.context.journal.report(LogLevel.ERROR, f"The task cache cannot be written: {error}")

    async def _render(self) -> dict[str, JsonValue]:
        try:
            return self._render_properties()
        except NeedsThread:
            return await self._supervise(self._threads.submit(_contained(self._render_in_thread)), None)

    def _render_in_thread(self) -> dict[str, JsonValue]:
        for _ in range(_RENDER_TRIES):
            try:
                return self._render_properties()
            except Exception as error:
                if not _caused_by_change(error):
                    raise
        return self._render_properties()

    def _render_properties(self) -> dict[str, JsonValue]:
        renderer = self.context.renderer
        timeout = self._job.task.timeout
        if timeout is not None:
            self._timeout = read_time_limit(renderer.text(timeout))
        return renderer.properties()

    def _bind(self, properties: dict[str, JsonValue]) -> RunnableTask[Output | None]:
        task = self._job.task.bind(properties)
        if not isinstance(task, RunnableTask):
            raise TaskCrash(f"{self._job.task.type} is no task for a worker")
        return task

    async def _run(self, task: RunnableTask[Output | None]) -> object:
        limit = None if self._timeout is None else self._timeout.total_seconds()
        if inspect.iscoroutinefunction(task.run):
            return await self._supervise(_start(lambda: task.run(self.context)), limit)
        result: object = await self._supervise(
            self._threads.submit(_contained(lambda: task.run(self.context))), limit
        )
        if inspect.isawaitable(result):
            result = await self._supervise(_start(lambda: result), limit)
        return result

    async def _fit(self, result: object) -> dict[str, JsonValue]:
        values = output_values(result)
        if not values:
            return values
        return await fit_outputs(values, self._environment.settings.outputs, self.context.files)

    # -- stopping ----------------------------------------------------------------------------------------

    async def _supervise(self, work: asyncio.Future[T], limit: float | None) -> T:
        """Wait for the task's work, but no longer than its time limit or until it is stopped."""
        if not self._stopping.done():
            either: list[asyncio.Future[T] | asyncio.Future[Stop]] = [work, self._stopping]
            await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not self._stopping.done():
            if work.done():
                if work.cancelled():
                    raise TaskCrash("The task cancelled itself")
                return work.result()
            self._stopping.set_result(Stop.TIMEOUT)
        await self._interrupt(work)
        raise Stopped(self._stopping.result())

    async def _interrupt(self, work: asyncio.Future[T]) -> None:
        """End the work and the processes it started; what does not end within the grace period is lost."""
        context = self.context
        grace = self._environment.settings.kill_grace
        context.cancelled.set()
        ending: asyncio.Future[int] | None = None
        if isinstance(work, asyncio.Task):
            work.cancel()
        elif context.may_have_processes:
            ending = asyncio.ensure_future(
                asyncio.to_thread(end_processes, context.process_environment, grace)
            )
        aftermath = _AFTERMATH if context.may_have_processes else 0.0
        await asyncio.wait({work}, timeout=grace.total_seconds() + aftermath)
        if ending is not None:
            await ending
        elif context.may_have_processes:
            await asyncio.to_thread(end_processes, context.process_environment, timedelta())
        if not work.done():
            await asyncio.wait({work}, timeout=aftermath)
        if not work.done():
            self.lost = cast("asyncio.Future[object]", work)
        elif not work.cancelled():
            work.exception()  # its end no longer matters; asyncio wants to see that it was looked at

    @property
    def _must_not_report(self) -> bool:
        return self._stopping.done() and self._stopping.result() is Stop.ABANDON

    # -- the end -----------------------------------------------------------------------------------------

    def _stopped(self, reason: Stop) -> End | None:
        match reason:
            case Stop.KILL:
                return End(StateType.KILLED)
            case Stop.TIMEOUT:
                limit = format_clock(self._timeout or timedelta())
                self.context.journal.report(LogLevel.ERROR, f"Timeout after {limit}")
                return End(StateType.FAILED)
            case Stop.ABANDON:
                return None

    async def _failed(self, error: BaseException, outputs: object) -> End:
        journal = self.context.journal
        journal.report(LogLevel.ERROR, str(error) or type(error).__name__)
        journal.report(LogLevel.TRACE, _stack_trace(error))
        if outputs is None:
            return End(StateType.FAILED)
        try:
            return End(StateType.FAILED, await self._fit(outputs))
        except Exception as second:
            journal.report(LogLevel.ERROR, f"The outputs of the failed task are lost: {second}")
            return End(StateType.FAILED)

    async def _report(self, end: End, journal: AttemptJournal) -> None:
        identity = self._job.identity
        stored_log: str | None = None
        logs: Sequence[LogEntry]
        metrics: Sequence[Metric]
        if self._log_file is not None:
            journal.flush()
            try:
                stored_log = await self._log_file.store(self.context.files)
            except Exception as error:
                journal.detach_file()
                journal.report(LogLevel.ERROR, f"The log file could not be stored: {error}")
        logs, metrics = journal.close()
        if self._must_not_report:
            return
        self.reported = True
        self._events.send(
            TaskEnded(
                identity.execution_id,
                identity.task_run_id,
                identity.dispatch,
                self._worker_id,
                self._environment.clock(),
                end.state,
                end.outputs,
                stored_log,
                logs,
                metrics,
                end.cached,
            )
        )

    async def _clean_up(self) -> None:
        if self._log_file is not None:
            self._log_file.discard()
        if self.context.has_own_directory and self.lost is None:
            await remove_directory(self.context.working_directory)

    def _open_journal(self) -> AttemptJournal:
        task = self._job.task
        settings = self._environment.settings
        if task.log_to_file:
            self._environment.temporary.mkdir(parents=True, exist_ok=True)
            identity = self._job.identity
            name = f"{identity.task_run_id}-{identity.dispatch}.log"
            self._log_file = LogFile(self._environment.temporary / name)
        return AttemptJournal(
            self._job.identity,
            self._events,
            clock=self._environment.clock,
            limits=settings.logs,
            minimum=LogLevel[task.log_level] if task.log_level else LogLevel.TRACE,
            secrets=self.context.renderer.secrets,
            thread=self._thread_name,
            log_file=self._log_file,
        )


async def remove_directory(directory: Path) -> None:
    """Remove a working directory with all that is in it."""
    try:
        os.rmdir(directory)  # most are empty, and a thread costs more than this
    except OSError:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _caused_by_change(error: BaseException | None) -> bool:
    """Whether a rendering in a thread walked over outputs while the executor added to them."""
    while error is not None:
        if isinstance(error, RuntimeError) and "during iteration" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _start(work: Callable[[], object]) -> asyncio.Task[object]:
    return asyncio.get_running_loop().create_task(_contained_await(work))


async def _contained_await(work: Callable[[], object]) -> object:
    """A task that exits must not take the server with it: asyncio would pass ``SystemExit`` on."""
    try:
        # Called only here: a task that is stopped before its first step leaves no coroutine behind.
        return await cast("Awaitable[object]", work())
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        raise TaskCrash(_name(error)) from error


def _contained(function: Callable[[], T]) -> Callable[[], T]:
    """The same for a function in a thread, where also these two have a meaning of their own to asyncio."""

    def call() -> T:
        try:
            return function()
        except (StopIteration, asyncio.CancelledError) as error:
            raise TaskCrash(_name(error)) from error
        except Exception:
            raise
        except BaseException as error:
            raise TaskCrash(_name(error)) from error

    return call


def _name(error: BaseException) -> str:
    return ": ".join(["The task raised " + type(error).__name__, *([str(error)] if str(error) else [])])


def _stack_trace(error: BaseException) -> str:
    """The stack trace without the worker's own frames at its beginning."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_WORKER_FOLDER):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()
