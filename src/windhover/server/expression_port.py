"""What expression functions reach of the server: secrets, stored values, files, error logs.

Expressions are rendered by code that cannot await. How it waits for an answer is given to the port: in a
thread of the worker for the worker's event loop, on the executor for a loop in another thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

import msgspec

from windhover.expression import EvaluationError
from windhover.model.kv import NamespaceMissing
from windhover.model.log import LogEntry, LogLevel
from windhover.model.namespace_file import (
    InvalidPath,
    NamespaceFile,
    NamespaceFileMissing,
)
from windhover.repository.filters import Paging
from windhover.repository.logs import LogQuery, LogRepository
from windhover.repository.tenant_kv import TenantKv
from windhover.secret.chain import SecretChain
from windhover.server.expression_http import HttpRequest, fetch
from windhover.storage import StorageFileNotFoundError, TenantStorage
from windhover.storage.namespace_files import TenantNamespaceFiles, namespace_file_uri
from windhover.util.instants import instant_text
from windhover.worker.readable_files import ExecutionPlace, ReadableFiles

T = TypeVar("T")

ERROR_LOG_LIMIT = 1000
READ_LIMIT = 64 * 1024 * 1024

_STORED = "kestra://"
_NAMESPACE_FILE = "nsfile://"


class Place(ExecutionPlace, Protocol):
    """The execution that an expression is about."""

    @property
    def tenant_id(self) -> str: ...


class Wait(Protocol):
    """Waits for a coroutine from code that cannot await."""

    def __call__(self, coroutine: Coroutine[Any, Any, T]) -> T: ...


def waiting_for(loop: asyncio.AbstractEventLoop) -> Wait:
    """A wait, in another thread, for what is done on an event loop."""

    def wait(coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    return wait


class ExpressionSources(msgspec.Struct, frozen=True):
    """Where the answers come from, for one tenant."""

    logs: LogRepository
    storage: TenantStorage
    secrets: SecretChain
    kv: TenantKv
    namespace_files: TenantNamespaceFiles


class JobExpressionPort:
    """Secrets, stored values, files of the execution and of namespaces, and error logs.

    What this server does not keep (apps, assets, credentials) is refused by name.
    """

    def __init__(
        self,
        place: Place,
        sources: Callable[[], ExpressionSources],
        wait: Wait,
        variables: Mapping[str, object],
        *,
        read_limit: int = READ_LIMIT,
    ) -> None:
        """Make one. ``sources`` is asked, outside of what is waited for, when something is read; the
        ``variables`` tell which files were handed over.
        """
        self._place = place
        self._sources = sources
        self._wait = wait
        self._variables = variables
        self._read_limit = read_limit

    def secret(self, key: str, namespace: str | None) -> str:
        where = namespace if namespace is not None else self._place.namespace
        return self._wait(self._sources().secrets.read(where, key))

    def error_logs(self) -> Sequence[Mapping[str, object]]:
        query = LogQuery(
            tenant_id=self._place.tenant_id,
            execution_id=self._place.execution_id,
            min_level=LogLevel.ERROR,
            paging=Paging(1, ERROR_LOG_LIMIT),
        )
        return [log_variables(entry) for entry in self._wait(self._sources().logs.find(query)).results]

    def kv(self, key: str, namespace: str | None) -> object:
        return self._wait(self._kv(self._sources(), key, namespace))

    def read(self, path: str, namespace: str | None, version: int | None) -> str:
        content = self._wait(self._read(self._sources(), path, namespace, version))
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise EvaluationError(f"The file {path} is no UTF-8 text") from None

    def file_exists(self, path: str, namespace: str | None) -> bool:
        try:
            self._wait(self._size(self._sources(), path, namespace))
        except FileNotFoundError:
            return False
        return True

    def file_size(self, path: str, namespace: str | None) -> int:
        return self._wait(self._size(self._sources(), path, namespace))

    def is_file_empty(self, path: str, namespace: str | None) -> bool:
        return self.file_size(path, namespace) == 0

    def file_uri(self, path: str, namespace: str | None, version: int | None) -> str:
        where, name = self._named(path, namespace)
        if version is not None:
            return namespace_file_uri(where, name, version)
        found = self._wait(self._sources().namespace_files.find(where, name))
        latest = found.version if found is not None and found.version > 1 else None
        return namespace_file_uri(where, name, latest)

    def credential(self, key: str) -> str:
        return _refuse("credential")

    def http(
        self,
        uri: str,
        method: str,
        query: Mapping[str, object],
        body: object,
        content_type: str,
        headers: Mapping[str, object],
        options: Mapping[str, object],
        accept: str,
    ) -> object:
        request = HttpRequest(uri, method, query, body, content_type, headers, options, accept)
        return self._wait(fetch(request))

    def assets(
        self, type: str | None, namespace: str | None, metadata: Mapping[str, object] | None
    ) -> Sequence[Mapping[str, object]]:
        return _refuse("assets")

    def app_link(self, app_id: str | None, base_url: bool) -> str:
        return _refuse("appLink")

    async def _kv(self, sources: ExpressionSources, key: str, namespace: str | None) -> object:
        store = sources.kv
        where = namespace if namespace is not None else self._place.namespace
        entry = await store.get(where, key, inherit=namespace is None)
        if entry is not None:
            return entry.content.value
        if namespace not in (None, self._place.namespace) and not await store.has_namespace(where):
            raise NamespaceMissing(where)
        raise KeyError(key)

    async def _read(
        self, sources: ExpressionSources, path: str, namespace: str | None, version: int | None
    ) -> bytes:
        if path.startswith(_STORED):
            uri = await self._readable(sources).locate(path)
            return await sources.storage.read(uri, self._read_limit)
        file = await self._namespace_file(sources, path, namespace, version)
        return await sources.namespace_files.read(file, self._read_limit)

    async def _size(self, sources: ExpressionSources, path: str, namespace: str | None) -> int:
        if path.startswith(_STORED):
            uri = await self._readable(sources).locate(path)
            try:
                return (await sources.storage.stat(uri)).size
            except StorageFileNotFoundError as error:
                raise FileNotFoundError(str(error)) from None
        return (await self._namespace_file(sources, path, namespace, None)).size

    async def _namespace_file(
        self, sources: ExpressionSources, path: str, namespace: str | None, version: int | None
    ) -> NamespaceFile:
        where, name = self._named(path, namespace)
        try:
            return await sources.namespace_files.get(where, name, version)
        except InvalidPath:
            raise NamespaceFileMissing(where, name.lstrip("/"), version) from None

    def _named(self, path: str, namespace: str | None) -> tuple[str, str]:
        """The namespace and the path of a namespace file."""
        if path.startswith(_NAMESPACE_FILE):
            authority, _, name = path.removeprefix(_NAMESPACE_FILE).partition("/")
            if namespace is not None:
                raise EvaluationError(f"The URI {path} names a namespace itself; leave `namespace` out.")
            return authority or self._place.namespace, unquote(name)
        if "://" in path:
            raise EvaluationError(f"Cannot process the URI {path}: scheme not supported.")
        return namespace if namespace is not None else self._place.namespace, path

    def _readable(self, sources: ExpressionSources) -> ReadableFiles:
        return ReadableFiles(self._place, self._variables, sources.namespace_files)


def _refuse(function: str) -> T:  # type: ignore[type-var]
    raise EvaluationError(f"The function '{function}' is not available on this server.")


def log_variables(entry: LogEntry) -> dict[str, object]:
    """A log line as expressions see it; what is not known is left out."""
    shown: dict[str, object] = {
        "tenantId": entry.tenant_id,
        "namespace": entry.namespace,
        "flowId": entry.flow_id,
        "taskId": entry.task_id,
        "executionId": entry.execution_id,
        "taskRunId": entry.task_run_id,
        "attemptNumber": entry.attempt_number,
        "triggerId": entry.trigger_id,
        "timestamp": instant_text(entry.timestamp),
        "level": entry.level.name,
        "thread": entry.thread,
        "message": entry.message,
    }
    return {name: value for name, value in shown.items() if value is not None}
