"""What a running task may use: its logger, files, metrics, progress, and the server behind it.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import msgspec

from windhover.model.execution import Execution, JsonValue, Label
from windhover.model.kv import KvEntry, KvValue
from windhover.model.log import LogEntry, LogLevel
from windhover.model.namespace_file import NamespaceFile
from windhover.model.purge import KeyPurge, VersionPurge
from windhover.model.state import StateType
from windhover.model.trigger_state import TriggerState


class TaskLogger(Protocol):
    """Writes lines into the execution's log. Lines longer than the configured limit are cut, and say so."""

    def log(self, level: LogLevel, message: str) -> None: ...
    def trace(self, message: str) -> None: ...
    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warn(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...

    async def drain(self) -> None:
        """Wait while the server is behind with the lines written so far.

        A task that passes on lines as fast as it gets them awaits this now and then, so that it is slowed
        down instead of filling the memory.
        """


class FileStore(Protocol):
    """The internal storage, as far as this task run may reach."""

    async def put(
        self,
        source: bytes | Path | BinaryIO | AsyncIterator[bytes],
        name: str,
        *,
        folder: str | None = None,
    ) -> str:
        """Store a file of this task run and return its ``kestra:///`` URI. Streams; never half-written.

        Files that are given the same ``folder`` lie side by side there; others never meet.
        """

    async def put_cached(self, source: Path, name: str) -> None:
        """Keep a file for later executions of this task of this flow, in the place of an earlier one."""

    async def download_cached(self, name: str, target: Path, written_after: datetime | None) -> bool:
        """Fetch what :meth:`put_cached` has kept; False when there is nothing, or only something older."""

    def open(self, uri: str) -> AsyncIterator[bytes]:
        """Stream a file's bytes.

        Raises:
            FileNotFoundError: nothing is stored there.
            PermissionError: the URI is outside what this execution may read.
        """

    async def size(self, uri: str) -> int: ...

    async def exists(self, uri: str) -> bool: ...

    async def download(self, uri: str, target: Path) -> None:
        """Stream a file into ``target``, whose folder exists."""

    async def delete(self, uri: str) -> bool:
        """Delete a file of this execution; False when there is none."""

    async def delete_all(self) -> Sequence[str]:
        """Delete all files of this execution and return their URIs.

        Outputs and inputs that are kept in the storage because of their size are no files in this sense.
        Nothing is deleted while another execution, such as a replay of this one, may need the files.
        """


class LogSearch(Protocol):
    """The log lines of executions."""

    async def fetch(
        self,
        *,
        namespace: str | None,
        flow_id: str | None,
        execution_id: str | None,
        task_ids: Sequence[str] | None,
        minimum: LogLevel,
    ) -> Sequence[LogEntry]: ...

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
        """Delete lines for good, of all levels if none are named; how many there were.

        ``namespace`` alone includes the namespaces below it.
        """


class KeyValueStore(Protocol):
    """Values by key, in namespaces."""

    async def get(self, namespace: str, key: str, *, inherit: bool = False) -> KvEntry | None:
        """The entry of a key; None when there is none, or it has expired.

        With ``inherit`` the namespaces around this one are looked into as well, the nearest first.
        """

    async def put(
        self,
        namespace: str,
        key: str,
        content: KvValue,
        *,
        description: str | None = None,
        expires: datetime | None = None,
        overwrite: bool = True,
    ) -> KvEntry:
        """Write the next version of an entry.

        Raises:
            InvalidKey: the text cannot be a key.
            KeyExists: there is an entry, and ``overwrite`` is False.
        """

    async def delete(self, namespace: str, key: str) -> bool:
        """Delete an entry; False when there is none."""

    async def keys(self, namespace: str, prefix: str = "") -> Sequence[str]:
        """The keys that begin with ``prefix``, sorted."""

    async def namespaces(self) -> Sequence[str]:
        """The namespaces that hold entries, sorted."""

    async def has_namespace(self, namespace: str) -> bool:
        """Whether the namespace, or one below it, has a flow, an entry or a file."""

    async def purge(
        self, namespaces: Collection[str], selected: Callable[[str], bool], what: KeyPurge | VersionPurge
    ) -> int:
        """Delete, for good, keys or versions of the keys that ``selected`` takes; how many there were."""


class NamespaceFileStore(Protocol):
    """The files of namespaces, in versions. Paths are relative to the root of a namespace."""

    async def find(self, namespace: str, path: str, version: int | None = None) -> NamespaceFile | None:
        """A file, by default its latest version; None when there is none."""

    async def resolve(self, uri: str) -> NamespaceFile:
        """The file that ``kestra:///<namespace>/_files/<path>`` names, or a version of it (``….v2``).

        Raises:
            NamespaceFileMissing: there is none.
        """

    async def list(self, namespace: str, directory: str = "") -> Sequence[NamespaceFile]:
        """The files and directories below a directory, at any depth, sorted by path."""

    def stream(self, file: NamespaceFile) -> AsyncIterator[bytes]:
        """The bytes of a file."""

    async def download(self, file: NamespaceFile, target: Path) -> None:
        """Stream a file into ``target``, whose folder exists."""

    async def put(
        self,
        namespace: str,
        path: str,
        source: bytes | Path | BinaryIO | AsyncIterator[bytes],
        *,
        overwrite: bool = True,
    ) -> NamespaceFile:
        """Store the next version of a file, and the directories around it.

        Raises:
            InvalidPath: the path leads out of the namespace.
            NamespaceFileExists: there is one, and ``overwrite`` is False.
        """

    async def delete(self, namespace: str, path: str) -> Sequence[NamespaceFile]:
        """Delete a file, or a directory (a slash at its end) with all it holds; returns what is gone."""

    async def namespaces(self) -> Sequence[str]:
        """The namespaces that have files, sorted."""

    async def purge(
        self, namespaces: Collection[str], selected: Callable[[str], bool], what: VersionPurge
    ) -> int:
        """Delete, for good, versions of the files that ``selected`` takes; how many there were."""


class SubflowOutputs(Protocol):
    """The outputs of executions that a task run of this execution has started."""

    def of(self, execution_id: str, task_run_id: str) -> AsyncIterator[Mapping[str, JsonValue]]:
        """The outputs of those that have some, in the order of their iterations."""


class ExecutionRefused(Exception):
    """Another execution is not there, or is not in a state for what was asked; the message says which."""


class ExecutionPurge(msgspec.Struct, frozen=True):
    """Which ended executions to delete, by the date of their start, and what of them.

    ``namespace`` alone includes the namespaces below it. ``states`` of None is whatever they ended in; in
    states that are no end there are none. ``execution_id`` names a single one.
    """

    until: datetime
    since: datetime | None = None
    execution_id: str | None = None
    namespace: str | None = None
    flow_id: str | None = None
    states: tuple[StateType, ...] | None = None
    executions: bool = True
    logs: bool = True
    metrics: bool = True
    files: bool = True
    batch_size: int = 100


class Purged(msgspec.Struct):
    """How much a purge has deleted."""

    executions: int = 0
    logs: int = 0
    metrics: int = 0
    files: int = 0


class MetricStore(Protocol):
    """The metrics of executions."""

    async def purge(
        self, *, namespace: str | None, flow_id: str | None, since: datetime | None, until: datetime
    ) -> int:
        """Delete values for good; how many there were.

        ``namespace`` alone includes the namespaces below it.
        """


class StoredFlow(msgspec.Struct, frozen=True):
    """The latest revision of a flow, with its YAML."""

    namespace: str
    id: str
    revision: int
    source: str
    disabled: bool = False
    description: str | None = None
    labels: tuple[Label, ...] = ()


class FlowStore(Protocol):
    """The flows of the server, with all their revisions."""

    async def namespaces(self) -> Sequence[str]:
        """The namespaces that hold flows, sorted."""

    async def declared_namespaces(self) -> Sequence[str]:
        """The namespaces that have been created by hand, whether they hold flows or not, sorted."""

    async def find(
        self,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Sequence[StoredFlow]:
        """The flows that meet the conditions, sorted. ``namespace`` alone includes those below it."""

    async def purge(
        self, namespaces: Collection[str], selected: Callable[[str], bool], what: VersionPurge
    ) -> int:
        """Delete, for good, old revisions of the flows whose id ``selected`` takes; how many there were."""


class ExecutionSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions to look for; conditions left out say nothing.

    ``namespace`` alone includes those below it. ``since`` and ``until`` are about the start of an execution.
    ``triggered_by`` is the execution that has started them. ``children`` selects those that another one has
    started, or all others; ``system`` those of the namespace of system flows, or all others.
    """

    namespace: str | None = None
    flow_id: str | None = None
    states: Sequence[StateType] = ()
    since: datetime | None = None
    until: datetime | None = None
    labels: Mapping[str, str] = {}
    triggered_by: str | None = None
    children: bool | None = None
    system: bool | None = None


class ExecutionAccess(Protocol):
    """Other executions."""

    def find(
        self, selection: ExecutionSelection, *, page: int | None = None, size: int = 100
    ) -> AsyncIterator[Execution]:
        """The headers of executions, the newest first: all, or those of one page, counted from 1."""

    async def count(
        self,
        *,
        flows: Collection[tuple[str, str]],
        namespaces: Collection[str],
        states: Collection[StateType],
        since: datetime | None,
        until: datetime | None,
    ) -> Mapping[tuple[str, str], int]:
        """How many executions were started in a span of time, by namespace and id of their flow.

        Looked at are ``flows`` and all flows in ``namespaces`` and below them; those without any
        execution are there with 0. No ``states``: in whatever state they are.
        """

    async def kill(self, execution_id: str, by: TaskIdentity, *, cascade: bool) -> None:
        """Kill an execution, and with ``cascade`` those that it has started; one that has ended stays.

        ``by`` is the task that asks: the log of the execution names it.

        Raises:
            ExecutionRefused: there is no such execution.
        """

    async def purge(self, purge: ExecutionPurge) -> Purged:
        """Delete executions that have ended, for good; those that have not are left alone."""

    async def resume(
        self,
        execution_id: str,
        inputs: Mapping[str, JsonValue],
        by: TaskIdentity,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
    ) -> None:
        """Let a paused execution go on; ``inputs`` are those that its pause asks for.

        ``by`` is the task that asks: the log of the execution names it. With ``namespace`` and ``flow_id``
        the execution must be one of that flow.

        Raises:
            ExecutionRefused: there is no such execution, it is not paused, or the inputs are wrong.
        """


class TriggerStore(Protocol):
    """The triggers of the tenant that are scheduled, poll or listen."""

    async def set_enabled(self, namespace: str, flow_id: str, trigger_id: str, enabled: bool) -> None:
        """Let a trigger work, or no more.

        Raises:
            LookupError: there is no such trigger.
        """

    async def schedules(
        self, *, namespace: str | None = None, flow_id: str | None = None
    ) -> Sequence[TriggerState]:
        """The states of the triggers that run by a schedule. ``namespace`` alone includes those below it."""


class ServerAccess(Protocol):
    """What the server offers to tasks that ask about it. None of it is reachable from a template."""

    @property
    def logs(self) -> LogSearch: ...
    @property
    def kv(self) -> KeyValueStore: ...
    @property
    def namespace_files(self) -> NamespaceFileStore: ...
    @property
    def subflow_outputs(self) -> SubflowOutputs: ...
    @property
    def executions(self) -> ExecutionAccess: ...
    @property
    def metrics(self) -> MetricStore: ...
    @property
    def flows(self) -> FlowStore: ...
    @property
    def triggers(self) -> TriggerStore: ...


class TaskIdentity(Protocol):
    """Where in which execution a task runs."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def flow_id(self) -> str: ...
    @property
    def flow_revision(self) -> int: ...
    @property
    def execution_id(self) -> str: ...
    @property
    def task_id(self) -> str: ...
    @property
    def task_run_id(self) -> str: ...
    @property
    def attempt(self) -> int:
        """0 for the first attempt."""


MetricType = Literal["counter", "timer", "gauge"]


class RunContext(Protocol):
    """The one argument of a task's ``run``.

    ``cancelled`` is set when the run is killed or timed out. An ``async def run`` is cancelled at its
    next ``await`` besides; a plain ``def run`` should look at the event when it takes long.
    """

    @property
    def identity(self) -> TaskIdentity: ...
    @property
    def logger(self) -> TaskLogger: ...
    @property
    def files(self) -> FileStore: ...
    @property
    def server(self) -> ServerAccess: ...
    @property
    def cancelled(self) -> asyncio.Event: ...
    @property
    def variables(self) -> Mapping[str, JsonValue]:
        """The variables that this task's expressions could read (already rendered into its properties)."""

    @property
    def configuration(self) -> Mapping[str, JsonValue]:
        """The server configuration's values for this plugin type (``kestra.plugins.configurations``)."""

    @property
    def working_directory(self) -> Path:
        """A folder of this attempt, made at the first use, deleted after the run."""

    @property
    def process_environment(self) -> Mapping[str, str]:
        """Environment variables that every process started by the task must carry.

        By them the worker finds the task's processes, so that none outlives a kill, a timeout or a crash.
        """

    @property
    def kill_grace(self) -> timedelta:
        """How long the task and its processes have for ending by themselves once they are told to."""

    @property
    def began(self) -> datetime:
        """When the work of this attempt was first begun (UTC).

        Earlier than this run when the attempt was handed out again because its worker was lost: a wait
        goes on from there instead of beginning anew.
        """

    def render(self, template: JsonValue, variables: Mapping[str, JsonValue] | None = None) -> JsonValue:
        """Render text, lists or maps once more, with extra variables on top of the task's own.

        For the rare property that is declared ``Static`` to be rendered by the task itself, such as a
        condition over a response. Expressions that ask the server (``secret()``, ``kv()``, ..) wait for
        it, so a task that may meet them calls this in a thread: from a plain ``def run``.

        Raises:
            windhover.expression.ExpressionError: the template is wrong or names something undefined.
        """

    def encrypt(self, text: str) -> JsonValue:
        """A secret as it may be stored: expressions of later tasks read its text.

        Raises:
            TaskFailure: the server has no key to encrypt with.
        """

    def metric(
        self, type: MetricType, name: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        """Report a counter, a timer (milliseconds) or a gauge."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the task is, from 0 to 1, for whoever watches the run.

        It is shown while the task runs (``progress`` of its task run in the API, the live view of
        ``windhover run``) and not kept; call it as often as is convenient.
        """

    def now(self) -> datetime:
        """The server's clock, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait, or raise ``asyncio.CancelledError`` as soon as the run is killed or timed out."""
