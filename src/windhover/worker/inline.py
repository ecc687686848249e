"""Running single tasks without a server, for the tests of plugins and for trying a task out.

    async with InlineWorker(folder) as worker:
        run = await worker.run(Log, {"message": "Hello {{ inputs.name }}"}, {"inputs": {"name": "Ada"}})
        assert run.messages == ["Hello Ada"]

The task runs as in a server, through the worker's whole pipeline; only what is around it is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from windhover.engine.messages import Job, JobIdentity, LogsWritten, TaskEnded, TaskStarted
from windhover.engine.spill import holds_stored_values
from windhover.model.execution import Execution, JsonValue
from windhover.model.log import LogEntry, LogLevel, Metric
from windhover.model.purge import VersionPurge
from windhover.model.state import StateType
from windhover.model.trigger_state import TriggerState
from windhover.plugin.context import ExecutionPurge, ExecutionSelection, Purged, StoredFlow, TaskIdentity
from windhover.plugin.task import Output, RunnableTask, TaskDefinition
from windhover.queue.local import LocalQueue
from windhover.repository.kv import KvRepository
from windhover.repository.namespace_files import NamespaceFileRepository
from windhover.repository.sqlite import SqliteDatabase
from windhover.repository.tenant_kv import TenantKv
from windhover.storage import Storage
from windhover.storage.namespace_files import TenantNamespaceFiles
from windhover.util.ids import new_id
from windhover.worker.environment import WorkerEnvironment
from windhover.worker.worker import Worker

TENANT = "main"
NAMESPACE = "company.team"
FLOW = "inline"
TASK = "task"


@dataclass(slots=True)
class InlineRun:
    """What came of one attempt."""

    state: StateType
    outputs: dict[str, JsonValue]
    logs: list[LogEntry] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    log_file: str | None = None

    @property
    def messages(self) -> list[str]:
        """The lines of level INFO and above."""
        return [entry.message for entry in self.logs if entry.level >= LogLevel.INFO]

    def at(self, level: LogLevel) -> list[str]:
        """The lines of one level."""
        return [entry.message for entry in self.logs if entry.level is level]


class InlineLogs:
    """The log lines of the runs so far; see ``LogSearch``."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []

    async def fetch(
        self,
        *,
        namespace: str | None,
        flow_id: str | None,
        execution_id: str | None,
        task_ids: Sequence[str] | None,
        minimum: LogLevel,
    ) -> Sequence[LogEntry]:
        return [
            entry
            for entry in self.entries
            if entry.level >= minimum
            and namespace in (None, entry.namespace)
            and flow_id in (None, entry.flow_id)
            and execution_id in (None, entry.execution_id)
            and (task_ids is None or entry.task_id in task_ids)
        ]

    async def purge(
        self,
        *,
        namespace: str | None,
        flow_id: str | None,
        execution_id: str | None,
        levels: Sequence[LogLevel],
        since: datetime | None,
        until: datetime,
    ) -> int:
        kept = [
            entry
            for entry in self.entries
            if entry.timestamp >= until
            or (since is not None and entry.timestamp < since)
            or (levels and entry.level not in levels)
            or namespace not in (None, entry.namespace)
            or flow_id not in (None, entry.flow_id)
            or execution_id not in (None, entry.execution_id)
        ]
        count = len(self.entries) - len(kept)
        self.entries[:] = kept
        return count


class InlineSubflowOutputs:
    """Outputs of executions that nothing has started; see ``SubflowOutputs``."""

    def __init__(self) -> None:
        self.values: list[Mapping[str, JsonValue]] = []

    async def of(self, execution_id: str, task_run_id: str) -> AsyncIterator[Mapping[str, JsonValue]]:
        for values in self.values:
            yield values


class InlineExecutions:
    """Executions that nobody runs: what is asked of them is kept; see ``ExecutionAccess``."""

    def __init__(self) -> None:
        #: What :meth:`count` answers for the flows it is asked about.
        self.counts: dict[tuple[str, str], int] = {}
        #: The ids of executions that have ended, for purges of single ones.
        self.ended: set[str] = set()
        #: The purges that were asked for.
        self.purges: list[ExecutionPurge] = []
        #: The ids of executions that were killed.
        self.killed: list[str] = []
        #: The ids of executions that were resumed, with the inputs given.
        self.resumed: list[tuple[str, Mapping[str, JsonValue]]] = []
        #: The executions that :meth:`find` finds, whatever it is asked for.
        self.found: list[Execution] = []
        #: What it was asked for, with page and size.
        self.searches: list[tuple[ExecutionSelection, int | None, int]] = []

    async def find(
        self, selection: ExecutionSelection, *, page: int | None = None, size: int = 100
    ) -> AsyncIterator[Execution]:
        self.searches.append((selection, page, size))
        for execution in self.found:
            yield execution

    async def purge(self, purge: ExecutionPurge) -> Purged:
        self.purges.append(purge)
        return Purged(executions=int(purge.execution_id in self.ended))

    async def count(
        self,
        *,
        flows: Collection[tuple[str, str]],
        namespaces: Collection[str],
        states: Collection[StateType],
        since: datetime | None,
        until: datetime | None,
    ) -> Mapping[tuple[str, str], int]:
        asked = dict.fromkeys(flows, 0)
        return asked | {
            key: count for key, count in self.counts.items() if key in asked or key[0] in namespaces
        }

    async def kill(self, execution_id: str, by: TaskIdentity, *, cascade: bool) -> None:
        self.killed.append(execution_id)

    async def resume(
        self,
        execution_id: str,
        inputs: Mapping[str, JsonValue],
        by: TaskIdentity,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
    ) -> None:
        self.resumed.append((execution_id, inputs))


class InlineMetrics:
    """Metrics that nobody keeps; see ``MetricStore``."""

    async def purge(
        self, *, namespace: str | None, flow_id: str | None, since: datetime | None, until: datetime
    ) -> int:
        return 0


class InlineFlows:
    """Flows that nobody runs; see ``FlowStore``."""

    def __init__(self) -> None:
        #: The flows that there are; conditions on labels are not looked at.
        self.stored: list[StoredFlow] = []
        #: The namespaces that were created by hand.
        self.declared: list[str] = []

    async def namespaces(self) -> Sequence[str]:
        return sorted({flow.namespace for flow in self.stored})

    async def declared_namespaces(self) -> Sequence[str]:
        return self.declared

    async def find(
        self,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Sequence[StoredFlow]:
        return [
            flow for flow in self.stored if namespace in (None, flow.namespace) and flow_id in (None, flow.id)
        ]

    async def purge(
        self, namespaces: Collection[str], selected: Callable[[str], bool], what: VersionPurge
    ) -> int:
        return 0


class InlineTriggers:
    """Triggers that never fire; what is asked of them is kept; see ``TriggerStore``."""

    def __init__(self) -> None:
        #: The triggers that were enabled (True) or disabled: namespace, flow and trigger.
        self.enabled: dict[tuple[str, str, str], bool] = {}
        #: The states of schedules.
        self.states: list[TriggerState] = []

    async def schedules(
        self, *, namespace: str | None = None, flow_id: str | None = None
    ) -> Sequence[TriggerState]:
        return self.states

    async def set_enabled(self, namespace: str, flow_id: str, trigger_id: str, enabled: bool) -> None:
        self.enabled[namespace, flow_id, trigger_id] = enabled


class InlineServer:
    """As much of a server as there is without one; see ``ServerAccess``.

    What it keeps is gone with it. Use it as an asynchronous context manager where tasks ask for stored values
    or files of namespaces.
    """

    def __init__(self, storage: Storage) -> None:
        self._database = SqliteDatabase.in_memory()
        self.logs = InlineLogs()
        self.subflow_outputs = InlineSubflowOutputs()
        self.executions = InlineExecutions()
        self.metrics = InlineMetrics()
        self.flows = InlineFlows()
        self.triggers = InlineTriggers()
        self.kv = TenantKv(KvRepository(self._database), TENANT, _now)
        self.namespace_files = TenantNamespaceFiles(
            NamespaceFileRepository(self._database), storage.for_tenant(TENANT), _now
        )

    async def __aenter__(self) -> Self:
        await self._database.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._database.close()


def _now() -> datetime:
    return datetime.now(UTC)


class InlineWorker:
    """A worker with a storage and a queue of its own; use it as an asynchronous context manager."""

    def __init__(self, folder: Path, *, concurrency: int | None = None, **environment: object) -> None:
        """Make one that keeps its files in ``folder``; ``environment`` sets fields of WorkerEnvironment."""
        self.queue = LocalQueue()
        self.storage = Storage.local(folder / "storage")
        self.server = InlineServer(self.storage)
        base = WorkerEnvironment(
            storage=self.storage, server=self.server, temporary=folder / "work", home_id=new_id()
        )
        self.environment = msgspec.structs.replace(base, **environment)
        self.worker = Worker(
            self.queue.jobs,
            self.queue.executor,
            self.queue.broadcasts,
            self.environment,
            concurrency=concurrency,
        )
        self.execution_id = new_id()
        self._pending: dict[str, PendingRun] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        self._tasks = [asyncio.create_task(self.worker.run()), asyncio.create_task(self._collect())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.worker.drain(timedelta())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.server.__aexit__(None, None, None)
        await self.storage.close()

    def job(
        self,
        task: type[RunnableTask[Output | None]],
        properties: Mapping[str, JsonValue] | None = None,
        variables: Mapping[str, JsonValue] | None = None,
        **common: object,
    ) -> Job:
        """A job for a task; ``common`` are properties that all tasks have, such as ``timeout``."""
        definition = TaskDefinition.model_validate(
            {"id": TASK, "type": task.type_name, **common, "plugin": task, "properties": properties or {}}
        )
        identity = JobIdentity(TENANT, NAMESPACE, FLOW, 1, self.execution_id, TASK, new_id(), 0, 1)
        stored = holds_stored_values((variables or {}).get("outputs"))
        return Job(identity, definition, variables or {}, holds_stored=stored)

    async def run(
        self,
        task: type[RunnableTask[Output | None]],
        properties: Mapping[str, JsonValue] | None = None,
        variables: Mapping[str, JsonValue] | None = None,
        **common: object,
    ) -> InlineRun:
        """Run a task once, to its end; parameters as for :meth:`job`."""
        return await self.submit(self.job(task, properties, variables, **common)).ended

    def submit(self, job: Job) -> PendingRun:
        """Hand a job to the worker without waiting."""
        pending = self._pending[job.identity.task_run_id] = PendingRun()
        self.queue.jobs.send(job)
        return pending

    async def _collect(self) -> None:
        while True:
            await self.queue.executor.wait()
            for event in self.queue.executor.drain(1_000):
                if isinstance(event, TaskStarted):
                    self._pending[event.task_run_id].started.set_result(None)
                elif isinstance(event, LogsWritten):
                    self._keep(event.logs, event.metrics)
                elif isinstance(event, TaskEnded):
                    self._keep(event.logs, event.metrics)
                    self._end(event)

    def _keep(self, logs: Sequence[LogEntry], metrics: Sequence[Metric]) -> None:
        self.server.logs.entries.extend(logs)
        for entry in logs:
            self._pending[entry.task_run_id or ""].take_log(entry)
        for metric in metrics:
            self._pending[metric.task_run_id].metrics.append(metric)

    def _end(self, event: TaskEnded) -> None:
        pending = self._pending[event.task_run_id]
        pending.ended.set_result(
            InlineRun(event.state, event.outputs or {}, pending.logs, pending.metrics, event.log_file)
        )


class PendingRun:
    """A run under way: await ``started`` and ``ended``, or :meth:`logged` for a line."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[InlineRun] = loop.create_future()
        self.logs: list[LogEntry] = []
        self.metrics: list[Metric] = []
        self._arrived = asyncio.Event()

    def take_log(self, entry: LogEntry) -> None:
        self.logs.append(entry)
        self._arrived.set()

    async def logged(self, text: str) -> str:
        """Wait for a line of level INFO or above that holds this text, and return the line."""
        seen = 0
        while True:
            for entry in self.logs[seen:]:
                seen += 1
                if entry.level >= LogLevel.INFO and text in entry.message:
                    return entry.message
            self._arrived.clear()
            await self._arrived.wait()
