"""The engine room of one process: database, storage, queue, executor and worker, without any network.

``windhover run`` uses it alone, a standalone server puts the web server in front of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from windhover.engine.encryption import SecretCipher
from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import ExecutionStored, JobIdentity
from windhover.engine.spill import StoredValue
from windhover.executor import Executor, LargeValues
from windhover.expression import Limits, Scope, keep_templates
from windhover.model.execution import JsonValue
from windhover.model.plugin_default import PluginDefault
from windhover.model.yaml.limits import SourceLimits
from windhover.plugin.registry import Registry
from windhover.queue.local import LocalQueue
from windhover.repository.backfills import BackfillRepository
from windhover.repository.database import Database
from windhover.repository.errors import RepositoryUnavailable
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository
from windhover.repository.gatherings import GatheringRepository
from windhover.repository.kv import KvRepository
from windhover.repository.logs import LogRepository
from windhover.repository.metrics import MetricRepository
from windhover.repository.namespace_files import NamespaceFileRepository
from windhover.repository.released_files import ReleasedFileRepository
from windhover.repository.secrets import SecretRepository
from windhover.repository.tenant_kv import TenantKv
from windhover.repository.triggers import TriggerRepository
from windhover.scheduler.settings import SchedulerSettings
from windhover.secret.chain import SecretChain
from windhover.secret.environment import EnvironmentSecrets
from windhover.secret.stored import StoredSecrets
from windhover.server.execution_access import ExecutorAccess
from windhover.server.executor_port import ExecutorAnswers
from windhover.server.expression_port import ExpressionSources, JobExpressionPort, waiting_for
from windhover.server.flow_access import RepositoryFlowStore
from windhover.server.log_access import RepositoryLogSearch
from windhover.server.metric_access import RepositoryMetricStore
from windhover.server.released_files import ReleasedFiles
from windhover.server.server_access import RepositoryAccess
from windhover.server.subflow_outputs import RepositorySubflowOutputs
from windhover.server.trigger_access import RepositoryTriggerStore
from windhover.storage import Storage
from windhover.storage.namespace_files import TenantNamespaceFiles
from windhover.worker.environment import WorkerEnvironment, WorkerSettings
from windhover.worker.orphans import sweep_orphans
from windhover.worker.worker import Worker

if TYPE_CHECKING:
    from windhover.config import Settings
    from windhover.scheduler.event_batches import EventBatches
    from windhover.scheduler.scheduler import Scheduler
    from windhover.webserver.services import WebServices

logger = logging.getLogger(__name__)

DEFAULT_TENANT = "main"

#: Seconds between two looks for executions that other processes have written.
_ADOPTION_SECONDS = 1.0

_NO_VARIABLES: Mapping[str, JsonValue] = {}


def utc_now() -> datetime:
    return datetime.now(UTC)


class RuntimeSettings(msgspec.Struct, frozen=True):
    """What the engine room needs of the configuration.

    ``home`` holds the storage and working directories; ``threads`` is how many tasks the worker runs
    at once (None: 8 a core); ``environ`` is where secrets and ``envs`` come from. ``compiled_expressions`` is
    how many compiled templates the process keeps (None: as many as it does already).
    """

    home: Path
    storage_path: Path
    temporary: Path
    threads: int | None = None
    environ: Mapping[str, str] = msgspec.field(default_factory=lambda: dict(os.environ))
    env_prefix: str = "ENV_"
    globals: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    server: Mapping[str, JsonValue] = msgspec.field(default_factory=dict)
    recursive_rendering: bool = False
    compiled_expressions: int | None = None
    encryption_key: str | None = None
    kill_grace: timedelta = timedelta(seconds=10)
    inline_inputs: int = 256 * 1024
    max_flow_outputs: int = 4 * 1024 * 1024
    max_log_lines: int = 2_000_000
    finally_limit: timedelta = timedelta(hours=1)
    queue_limit: timedelta | None = None
    flow_trigger_repeats: int = 10
    longest_chain: int = 1000
    most_recursive: int = 10_000
    system_namespace: str = "system"
    worker: WorkerSettings = msgspec.field(default_factory=WorkerSettings)
    scheduler: SchedulerSettings = msgspec.field(default_factory=SchedulerSettings)
    configurations: Mapping[str, Mapping[str, JsonValue]] = msgspec.field(default_factory=dict)
    plugin_defaults: tuple[PluginDefault, ...] = ()
    source_limits: SourceLimits = msgspec.field(default_factory=SourceLimits)


class Runtime:
    """Components that live on one event loop. Use :meth:`start`, then :meth:`stop` once."""

    def __init__(
        self,
        database: Database,
        settings: RuntimeSettings,
        *,
        registry: Registry | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        if settings.compiled_expressions is not None:
            keep_templates(settings.compiled_expressions)
        self.clock = clock
        self.database = database
        self.queue = LocalQueue()
        self.storage = Storage.local(settings.storage_path)
        self.registry = registry or Registry()
        self.executions = ExecutionRepository(database)
        self.logs = LogRepository(database)
        self.released_files = ReleasedFiles(ReleasedFileRepository(database), self.storage)
        self.definitions = FlowDefinitions(
            FlowRepository(database),
            self.registry,
            limits=settings.source_limits,
            plugin_defaults=[settings.plugin_defaults] if settings.plugin_defaults else (),
            clock=clock,
            zone=settings.scheduler.zone,
        )
        self.cipher = SecretCipher(settings.encryption_key) if settings.encryption_key else None
        self.environment_secrets = EnvironmentSecrets(settings.environ)
        self.sources = self._expression_sources(database)
        self.answers = ExecutorAnswers(database, DEFAULT_TENANT, self._expression_sources)
        self.environment = self._engine_environment()
        self.executor = Executor(
            self.executions,
            self.definitions,
            self.queue,
            self.environment,
            gatherings=GatheringRepository(database),
            large_values=LargeValues(
                self.storage,
                outputs_above=settings.worker.outputs.spill_above,
                inputs_above=settings.inline_inputs,
                together=settings.worker.outputs.inline_total,
            ),
            clock=clock,
        )
        self.worker = Worker(
            self.queue.jobs,
            self.queue.executor,
            self.queue.broadcasts,
            self._worker_environment(),
            concurrency=settings.threads,
        )
        self.triggers = TriggerRepository(database)
        self.backfills = BackfillRepository(database)
        self._executing: asyncio.Task[None] | None = None
        self._working: asyncio.Task[None] | None = None
        self._scheduler: Scheduler | None = None
        self._event_batches: EventBatches | None = None
        self._scheduling: list[asyncio.Task[None]] = []
        self._adopting: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Take up what was under way, and begin to work; returns how many executions go on."""
        for variable in self.environment_secrets.unreadable:
            logger.warning("The environment variable %s holds no base64 text and is no secret.", variable)
        await asyncio.to_thread(self.answers.prepare)
        await self.definitions.load()
        recovered = await self.executor.start()
        self._executing = asyncio.create_task(self.executor.run(), name="executor")
        self._working = asyncio.create_task(self.worker.run(), name="worker")
        return recovered

    async def start_triggers(self) -> None:
        """Begin to look at triggers; a run of a single flow has none to look at.

        The workers of this process are the only ones of its database, so what a former life of it has
        looked at or listened to is taken up at once.
        """
        from windhover.scheduler.scheduler import Scheduler
        from windhover.worker.triggers import TriggerRunner

        settings = self.settings.scheduler
        self._scheduler = Scheduler(
            self.triggers,
            self.backfills,
            self.definitions,
            self.queue,
            self.environment,
            clock=self.clock,
            settings=settings,
        )

        async def renew(lease: str) -> bool:
            return await self.triggers.renew(lease, self.clock() + settings.listen_lease)

        runner = TriggerRunner(
            self.worker.id,
            self.queue,
            self._worker_environment(),
            renew,
            threads=self.worker.concurrency,
            renew_interval=settings.listen_lease / 3,
        )
        self._event_batches = self._make_event_batches()
        await self.triggers.release_workers(self.clock())
        await self._scheduler.start()
        self._scheduling = [
            asyncio.create_task(self._scheduler.run(), name="scheduler"),
            asyncio.create_task(runner.run(), name="triggers"),
            asyncio.create_task(self._event_batches.run(), name="event batches"),
        ]
        if self.database.dialect == "postgresql":
            self._adopting = asyncio.create_task(self._adopt(), name="executions of other schedulers")

    def _make_event_batches(self) -> EventBatches:
        from windhover.repository.batched_events import BatchedEventRepository
        from windhover.scheduler.event_batches import EventBatches

        return EventBatches(
            BatchedEventRepository(self.database),
            self.definitions,
            self.storage,
            self.queue,
            self.environment,
            clock=self.clock,
            settings=self.settings.scheduler,
        )

    async def _adopt(self) -> None:
        """Take over executions that schedulers in other processes have written."""
        while True:
            await asyncio.sleep(_ADOPTION_SECONDS)
            try:
                found = await self.executions.unstarted()
            except RepositoryUnavailable as error:
                logger.warning("Executions of other schedulers wait for the database: %s", error)
                continue
            for execution, lines in found:
                self.queue.executor.send(ExecutionStored(execution.id, execution, lines))

    async def _stop_triggers(self) -> None:
        if self._adopting is not None:
            self._adopting.cancel()
        if self._scheduler is None or self._event_batches is None:
            return
        scheduling, running, batching = self._scheduling
        self._event_batches.stop()
        await _ended(batching)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        # What the listeners have seen last is still committed.
        self._scheduler.stop()
        await _ended(scheduling)

    async def wait(self) -> None:
        """Return, by raising, when a component has failed."""
        assert self._executing is not None, "start() comes first"
        assert self._working is not None, "start() comes first"
        running = [self._executing, self._working, *self._scheduling]
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def stop(self, grace: timedelta) -> bool:
        """Let running tasks end within ``grace``, record them, and stop.

        True when all of them ended and were recorded; the others are handed out again at the next start.
        """
        await self._stop_triggers()
        graceful = await self.worker.drain(grace)
        if self._working is not None:
            await _ended(self._working)
        self.executor.stop()
        if self._executing is not None:
            await _ended(self._executing)
        return graceful and not self.executor.left_unwritten

    async def close(self) -> None:
        """Let go of the database and the storage."""
        await asyncio.to_thread(self.answers.close)
        await self.storage.close()
        await self.database.close()

    def web_services(self, settings: Settings) -> WebServices:
        """What the web server in front of this runtime works on."""
        from windhover.webserver.services import WebServices

        return WebServices(
            environment_secrets=self.environment_secrets.names,
            cipher=self.cipher,
            database=self.database,
            definitions=self.definitions,
            queue=self.queue,
            storage=self.storage,
            settings=settings,
            environment=self.environment,
            expression_port=self._expression_port,
            encrypt=self.environment.encrypt,
            zone=self.settings.scheduler.zone,
            clock=self.clock,
            components=self._components,
            gauges=self._gauges,
            progress=self.worker.progress_of,
            remove_files=self.released_files.remove_together,
        )

    def _components(self) -> dict[str, bool]:
        return {
            "executor": self._executing is not None and not self._executing.done(),
            "worker": self._working is not None and not self._working.done(),
            **({"scheduler": not self._scheduling[0].done()} if self._scheduling else {}),
        }

    def _gauges(self) -> dict[str, float]:
        """Numbers of this process, by the names that Kestra's dashboards ask for, without their prefix."""
        return {
            "executor_live_executions": self.executor.live_count,
            "worker_job_running": len(self.worker.running()),
            "worker_job_thread": self.worker.concurrency,
        }

    def sweep(self) -> None:
        """Clear away what a former life of this home left behind: processes and half-written files."""
        swept = sweep_orphans(self.home_id, self.settings.temporary)
        if swept:
            logger.warning("Ended %d processes that a former server had left behind.", swept)

    @property
    def home_id(self) -> str:
        """The same at every start with the same home, and different from that of any other home."""
        return uuid.uuid5(uuid.NAMESPACE_URL, self.settings.home.resolve().as_uri()).hex

    def _engine_environment(self) -> EngineEnvironment:
        settings = self.settings
        prefix = settings.env_prefix
        # The executor renders conditions on the event loop, so they may not take long.
        regex_seconds = min(1.0, settings.worker.expression_limits.regex_seconds)
        limits = Limits(max_seconds=2.0, regex_seconds=regex_seconds)

        def scope(variables: Mapping[str, object], execution_id: str) -> Scope:
            port = self.answers.port(variables, execution_id)
            recursive = settings.recursive_rendering
            return Scope(variables, port, limits=limits, clock=self.clock, recursive=recursive)

        return EngineEnvironment(
            scope=scope,
            load_stored=self._load_stored,
            encrypt=self.cipher.encrypt if self.cipher is not None else None,
            decrypt=self.cipher.decrypt if self.cipher is not None else None,
            globals=settings.globals,
            namespace_variables=self.definitions.namespaces.variables,
            envs={
                name[len(prefix) :].lower(): value
                for name, value in settings.environ.items()
                if name.startswith(prefix)
            },
            server=settings.server,
            recursive_rendering=settings.recursive_rendering,
            kill_grace=settings.kill_grace,
            max_flow_outputs=settings.max_flow_outputs,
            max_loop_outputs=settings.worker.outputs.maximum,
            max_log_lines=settings.max_log_lines,
            finally_limit=settings.finally_limit,
            queue_limit=settings.queue_limit,
            flow_trigger_repeats=settings.flow_trigger_repeats,
            longest_chain=settings.longest_chain,
            most_recursive=settings.most_recursive,
            zone=settings.scheduler.zone,
            country=_country(settings.environ),
        )

    def _load_stored(self, stored: StoredValue) -> JsonValue:
        content = self.storage.for_tenant(DEFAULT_TENANT).read_now(
            stored.uri, self.settings.worker.outputs.maximum
        )
        return msgspec.json.decode(content)

    def _expression_sources(self, database: Database) -> ExpressionSources:
        """Where the expression functions find their answers, over one of the connections to the database."""
        storage = self.storage.for_tenant(DEFAULT_TENANT)
        stored_secrets = StoredSecrets(SecretRepository(database), DEFAULT_TENANT, self.cipher)
        return ExpressionSources(
            logs=LogRepository(database),
            storage=storage,
            secrets=SecretChain([stored_secrets, self.environment_secrets]),
            kv=TenantKv(KvRepository(database), DEFAULT_TENANT, self.clock),
            namespace_files=TenantNamespaceFiles(NamespaceFileRepository(database), storage, self.clock),
        )

    def _expression_port(
        self, identity: JobIdentity, variables: Mapping[str, JsonValue] = _NO_VARIABLES
    ) -> JobExpressionPort:
        """What the expression functions of a job reach; made on the event loop, used in threads."""
        return JobExpressionPort(
            identity, lambda: self.sources, waiting_for(asyncio.get_running_loop()), variables
        )

    def _worker_environment(self) -> WorkerEnvironment:
        settings = self.settings

        return WorkerEnvironment(
            storage=self.storage,
            server=RepositoryAccess(
                RepositoryLogSearch(self.logs, DEFAULT_TENANT),
                self.sources.kv,
                self.sources.namespace_files,
                RepositorySubflowOutputs(self.executions, self.storage, DEFAULT_TENANT),
                ExecutorAccess(
                    self.executions,
                    FlowRepository(self.database),
                    self.logs,
                    MetricRepository(self.database),
                    self.released_files,
                    self.definitions,
                    self.queue.executor,
                    self.environment,
                    DEFAULT_TENANT,
                    settings.system_namespace,
                ),
                RepositoryMetricStore(MetricRepository(self.database), DEFAULT_TENANT),
                RepositoryFlowStore(
                    FlowRepository(self.database), DEFAULT_TENANT, self.definitions.namespaces
                ),
                RepositoryTriggerStore(
                    TriggerRepository(self.database),
                    self.definitions,
                    self.queue.broadcasts,
                    self.environment,
                    self.clock,
                    DEFAULT_TENANT,
                    settings.scheduler.zone,
                ),
            ),
            encrypt=self.environment.encrypt,
            temporary=settings.temporary,
            home_id=self.home_id,
            expression_port=lambda job: self._expression_port(job.identity, job.variables),
            configurations=settings.configurations,
            settings=settings.worker,
            clock=self.clock,
            files_lent=ReleasedFileRepository(self.database).is_lent,
        )


def _country(environ: Mapping[str, str]) -> str | None:
    """The country of the locale that the server was started with, by two letters."""
    locale = environ.get("LC_ALL") or environ.get("LANG") or ""
    _, _, country = locale.partition(".")[0].partition("_")
    return country or None


async def _ended(task: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        await task
