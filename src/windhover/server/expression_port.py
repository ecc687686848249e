"""What expression functions reach of the server, for one job.

Its methods are called in a thread of the worker and wait there for the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TypeVar

from windhover.engine.messages import JobIdentity
from windhover.expression import EvaluationError
from windhover.model.log import LogEntry, LogLevel
from windhover.repository.filters import Paging
from windhover.repository.logs import LogQuery, LogRepository
from windhover.secret.environment import EnvironmentSecrets
from windhover.storage import StorageFileNotFoundError, TenantStorage, execution_prefix, is_within
from windhover.util.instants import instant_text

T = TypeVar("T")

ERROR_LOG_LIMIT = 1000
READ_LIMIT = 64 * 1024 * 1024


class JobExpressionPort:
    """Secrets, files of the execution and its error logs.

    What this server does not keep (key-value pairs, namespace files, apps, assets) is refused by name.
    """

    def __init__(
        self,
        identity: JobIdentity,
        loop: asyncio.AbstractEventLoop,
        *,
        logs: LogRepository,
        storage: TenantStorage,
        secrets: EnvironmentSecrets,
    ) -> None:
        self._identity = identity
        self._loop = loop
        self._logs = logs
        self._storage = storage
        self._secrets = secrets

    def _wait(self, coroutine: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def secret(self, key: str, namespace: str | None) -> str:
        return self._secrets.get(key)

    def error_logs(self) -> Sequence[Mapping[str, object]]:
        identity = self._identity
        query = LogQuery(
            tenant_id=identity.tenant_id,
            execution_id=identity.execution_id,
            min_level=LogLevel.ERROR,
            paging=Paging(1, ERROR_LOG_LIMIT),
        )
        return [log_variables(entry) for entry in self._wait(self._logs.find(query)).results]

    def read(self, path: str, namespace: str | None, version: int | None) -> str:
        content = self._wait(self._storage.read(self._own_file(path), READ_LIMIT))
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise EvaluationError(f"The file {path} is no UTF-8 text") from None

    def file_exists(self, path: str, namespace: str | None) -> bool:
        return self._wait(self._storage.exists(self._own_file(path)))

    def file_size(self, path: str, namespace: str | None) -> int:
        try:
            return self._wait(self._storage.stat(self._own_file(path))).size
        except StorageFileNotFoundError as error:
            raise EvaluationError(str(error)) from None

    def is_file_empty(self, path: str, namespace: str | None) -> bool:
        return self.file_size(path, namespace) == 0

    def file_uri(self, path: str, namespace: str | None, version: int | None) -> str:
        return _refuse("fileURI")

    def kv(self, key: str, namespace: str | None) -> object:
        return _refuse("kv")

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
        return _refuse("http")

    def assets(
        self, type: str | None, namespace: str | None, metadata: Mapping[str, object] | None
    ) -> Sequence[Mapping[str, object]]:
        return _refuse("assets")

    def app_link(self, app_id: str | None, base_url: bool) -> str:
        return _refuse("appLink")

    def _own_file(self, path: str) -> str:
        identity = self._identity
        if not path.startswith("kestra://"):
            raise EvaluationError(f"Cannot process the path '{path}': only kestra:/// URIs can be read here.")
        own = execution_prefix(identity.namespace, identity.flow_id, identity.execution_id)
        if not is_within(path, own):
            raise EvaluationError(f"The file {path} belongs to another execution.")
        return path


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
