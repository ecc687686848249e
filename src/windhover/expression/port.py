"""What expressions ask of the server they run in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class ServerPort(Protocol):
    """Secrets, stored values, files, logs and HTTP, as the functions of the language use them.

    A refusal is raised as an exception whose message is meant for the flow's author; an ExpressionError
    passes as it is, any other becomes an EvaluationError with the same words. ``namespace`` None means the
    flow's own.
    """

    def secret(self, key: str, namespace: str | None) -> str:
        """The secret named ``key`` (already in upper case), as text.

        Raises if there is none (``Cannot find secret for key 'K'.``) or the namespace is not allowed.
        """
        ...

    def credential(self, key: str) -> str:
        """A short-lived access token of a managed credential. Raises if there is none."""
        ...

    def kv(self, key: str, namespace: str | None) -> object:
        """The value of a key as JSON-like data; parent namespaces count only where ``namespace`` is None.

        Raises KeyError if there is no such key or it has expired, another exception if the namespace may not
        be read or does not exist.
        """
        ...

    def read(self, path: str, namespace: str | None, version: int | None) -> str:
        """Content, as UTF-8, of a ``kestra://`` or other storage URI, or else of a namespace file.

        Raises if the file does not exist or may not be read.
        """
        ...

    def file_uri(self, path: str, namespace: str | None, version: int | None) -> str:
        """The storage URI of a namespace file, whether it exists or not."""
        ...

    def file_exists(self, path: str, namespace: str | None) -> bool:
        """Whether the file exists. Raises if it may not be read."""
        ...

    def file_size(self, path: str, namespace: str | None) -> int:
        """Size in bytes. Raises if the file does not exist or may not be read."""
        ...

    def is_file_empty(self, path: str, namespace: str | None) -> bool:
        """Whether the file has no content. Raises if it does not exist or may not be read."""
        ...

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
        """Body of the answer, parsed if it is JSON. Raises, with the status, if the request failed."""
        ...

    def error_logs(self) -> Sequence[Mapping[str, object]]:
        """The ERROR log entries of the execution so far."""
        ...

    def assets(
        self, type: str | None, namespace: str | None, metadata: Mapping[str, object] | None
    ) -> Sequence[Mapping[str, object]]:
        """Assets with these properties."""
        ...

    def app_link(self, app_id: str | None, base_url: bool) -> str:
        """Address of an app, or of the server's app catalogue."""
        ...
