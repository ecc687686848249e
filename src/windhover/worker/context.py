"""What a running task gets from the worker; see ``windhover.plugin.context.RunContext``."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from windhover.core.runner.process_tree import process_marker
from windhover.engine.messages import Job, JobIdentity, TaskProgressed
from windhover.model.execution import JsonValue
from windhover.plugin.context import FileStore, MetricType, ServerAccess, TaskLogger
from windhover.plugin.task import TaskFailure
from windhover.worker.environment import WorkerEnvironment
from windhover.worker.files import TaskFiles
from windhover.worker.journal import AttemptJournal
from windhover.worker.progress import ProgressReport
from windhover.worker.rendering import TaskRenderer
from windhover.worker.spill import LoopBridge, StoredOutputs

_NO_CONFIGURATION: Mapping[str, JsonValue] = {}


class _WorkingDirectory:
    """The folder that an attempt works in, made when it is first asked for.

    An object of its own: were it the context that the renderer asks, the two would hold one another, and what
    an attempt used would wait for the garbage collector.
    """

    __slots__ = ("_job", "_path", "_temporary")

    def __init__(self, job: Job, temporary: Path) -> None:
        self._job = job
        self._temporary = temporary
        self._path: Path | None = None

    @property
    def is_own(self) -> bool:
        """Whether it has been made, for this attempt alone."""
        return self._path is not None and self._job.directory is None

    def path(self) -> Path:
        if self._path is None:
            self._path = self._make()
        return self._path

    def _make(self) -> Path:
        shared = self._job.directory
        if shared is not None:
            path = self._temporary / shared.name
            path.mkdir(parents=True, exist_ok=True)
            return path
        self._temporary.mkdir(parents=True, exist_ok=True)
        prefix = f"{self._job.identity.task_run_id}-"
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self._temporary))


class AttemptContext:
    """The context of one attempt."""

    def __init__(
        self,
        job: Job,
        environment: WorkerEnvironment,
        bridge: LoopBridge,
        publish: Callable[[TaskProgressed], None],
    ) -> None:
        self._job = job
        self._environment = environment
        self._began = job.began or environment.clock()
        self._directory = _WorkingDirectory(job, environment.temporary)
        self._process_environment: Mapping[str, str] | None = None
        self._journal: AttemptJournal | None = None
        self._cancelled = asyncio.Event()
        self._files = TaskFiles(
            environment.storage.for_tenant(job.identity.tenant_id),
            job,
            environment.server.namespace_files,
            environment.files_lent,
        )
        stored = StoredOutputs(self._files, bridge, environment.settings.outputs.maximum)
        self.renderer = TaskRenderer(job, environment, stored, bridge, self._directory.path)
        #: How far the task says it is.
        self.progress_report = ProgressReport(job.identity, publish)

    @property
    def identity(self) -> JobIdentity:
        return self._job.identity

    @property
    def logger(self) -> TaskLogger:
        return self.journal

    @property
    def journal(self) -> AttemptJournal:
        """The logger, as the worker sees it; set before anything runs."""
        assert self._journal is not None
        return self._journal

    @journal.setter
    def journal(self, journal: AttemptJournal) -> None:
        self._journal = journal

    @property
    def files(self) -> FileStore:
        return self._files

    @property
    def server(self) -> ServerAccess:
        return self._environment.server

    @property
    def cancelled(self) -> asyncio.Event:
        return self._cancelled

    @property
    def variables(self) -> Mapping[str, JsonValue]:
        return self._job.variables

    @property
    def configuration(self) -> Mapping[str, JsonValue]:
        return self._environment.configurations.get(self._job.task.plugin.type_name, _NO_CONFIGURATION)

    @property
    def working_directory(self) -> Path:
        return self._directory.path()

    @property
    def has_own_directory(self) -> bool:
        """Whether there is a working directory, which is to be removed after the attempt."""
        return self._directory.is_own

    @property
    def process_environment(self) -> Mapping[str, str]:
        if self._process_environment is None:
            identity = self._job.identity
            self._process_environment = process_marker(
                self._environment.home_id, identity.task_run_id, identity.dispatch
            )
        return self._process_environment

    @property
    def may_have_processes(self) -> bool:
        """Whether the task asked for what its processes must carry."""
        return self._process_environment is not None

    @property
    def kill_grace(self) -> timedelta:
        return self._environment.settings.kill_grace

    @property
    def began(self) -> datetime:
        return self._began

    def render(self, template: JsonValue, variables: Mapping[str, JsonValue] | None = None) -> JsonValue:
        return self.renderer.render(template, variables)

    def encrypt(self, text: str) -> JsonValue:
        if self._environment.encrypt is None:
            raise TaskFailure("Nothing can be encrypted: `kestra.encryption.secret-key` is not configured")
        return self._environment.encrypt(text)

    def metric(
        self, type: MetricType, name: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        self.journal.metric(type, name, value, tags)

    def progress(self, fraction: float, message: str = "") -> None:
        self.progress_report.say(fraction, self.journal.masked(message))

    def now(self) -> datetime:
        return self._environment.clock()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
