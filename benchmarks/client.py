"""One kept-alive connection, for figures in which the client must not count."""

from __future__ import annotations

import http.client
import json
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from benchmarks.flows import NAMESPACE


class Client:
    """Speaks to the API of one server, one request at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=300)

    def request(self, method: str, path: str) -> Any:
        """The JSON of an answer.

        Raises:
            RuntimeError: it is not 200.
        """
        self._connection.request(method, f"/api/v1/main{path}", headers={"Content-Length": "0"})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {body[:500]!r}")
        return json.loads(body)

    def run(self, flow: str) -> float:
        """Start an execution with ``wait=true``; seconds until the answer, which comes after its end."""
        began = time.perf_counter()
        execution = self.request("POST", f"/executions/{NAMESPACE}/{flow}?wait=true")
        seconds = time.perf_counter() - began
        _succeeded(execution)
        return seconds

    def run_and_look_at(self, flow: str) -> float:
        """Seconds from the request to the end that the execution's own record tells."""
        began = time.time()
        started = self.request("POST", f"/executions/{NAMESPACE}/{flow}?wait=true")
        _succeeded(started)
        return datetime.fromisoformat(started["state"]["histories"][-1]["date"]).timestamp() - began


def _succeeded(execution: Any) -> None:
    state = execution["state"]["current"]
    if state != "SUCCESS":
        raise RuntimeError(f"Execution {execution['id']} of {execution['flowId']} ended as {state}")
