"""The load generator: starts executions at a steady rate and finds out when each of them ended.

    python -m benchmarks.load URL FLOW RATE SECONDS

It is a process of its own and as light as may be, because it shares the machine with the server: bare HTTP
over kept-alive connections. Requests are sent when their time has come, whether or not those before are
answered, and latency counts from that time: a server that stalls does not slow its own measurement. When
an execution ended is what its record says; both are on the same clock. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import urllib.request
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast
from urllib.parse import urlencode, urlsplit

from benchmarks.flows import NAMESPACE

_CONNECTIONS = 48
_PAGE = 500
#: Seconds after the last request within which the last execution must have ended.
_PATIENCE = 60

_LENGTH = re.compile(rb"content-length: (\d+)", re.I)
_ID = re.compile(rb'"id":"([^"]+)"')


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of a run; latencies are in seconds, from the time of sending to the end of the execution."""

    rate: float
    sent: int
    ended: int
    failed: int
    median: float
    p95: float
    p99: float
    answer_p95: float


class _Connection(asyncio.Protocol):
    """One request at a time over one connection."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._load.idle.append(self)

    def send(self, due: float) -> None:
        self._due = due
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(received, 0, head)
        if length is None or len(received) < head + 4 + int(length[1]):
            return
        self._received = b""
        self._load.answered(self, self._due, received)


class _Load:
    def __init__(self, request: bytes) -> None:
        self.request = request
        self.idle: list[_Connection] = []
        self.waiting: deque[float] = deque()
        self.due_of: dict[str, float] = {}
        self.answers: list[float] = []
        self.refused = 0

    def send(self, due: float) -> None:
        if self.idle:
            self.idle.pop().send(due)
        else:
            self.waiting.append(due)

    def answered(self, connection: _Connection, due: float, response: bytes) -> None:
        self.answers.append(time.time() - due)
        found = _ID.search(response) if response.startswith(b"HTTP/1.1 200") else None
        if found is None:
            self.refused += 1
        else:
            self.due_of[found[1].decode()] = due
        if self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.idle.append(connection)

    @property
    def done(self) -> int:
        return len(self.answers)


async def _send_all(load: _Load, host: str, port: int, rate: float, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    for _ in range(_CONNECTIONS):
        await loop.create_connection(lambda: _Connection(load), host, port)
    count = round(rate * seconds)
    began = time.time()
    for number in range(count):
        due = began + number / rate
        ahead = due - time.time()
        if ahead > 0.0005:
            await asyncio.sleep(ahead)
        load.send(due)
    deadline = time.time() + _PATIENCE
    while load.done < count and time.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return count


def _search(url: str, flow: str, **more: object) -> dict[str, object]:
    query = urlencode({"namespace": NAMESPACE, "flowId": flow, **more}, doseq=True)
    with urllib.request.urlopen(f"{url}/api/v1/main/executions/search?{query}") as answer:
        found: dict[str, object] = json.load(answer)
        return found


def _ends(url: str, flow: str, due_of: dict[str, float]) -> tuple[list[float], int]:
    """The latencies of the executions that were started, and how many did not succeed."""
    deadline = time.time() + _PATIENCE
    while time.time() < deadline:
        if not _search(url, flow, size=1, state=["CREATED", "RUNNING"])["total"]:
            break
        time.sleep(0.1)
    latencies: list[float] = []
    failed = 0
    page = 1
    left = set(due_of)
    while left:
        results = _search(url, flow, size=_PAGE, page=page, sort="state.startDate:desc")["results"]
        assert isinstance(results, list)
        if not results:
            break
        for execution in results:
            if execution["id"] not in left:
                continue
            left.discard(execution["id"])
            state = execution["state"]
            if state["current"] != "SUCCESS":
                failed += 1
                continue
            ended = datetime.fromisoformat(state["histories"][-1]["date"]).timestamp()
            latencies.append(ended - due_of[execution["id"]])
        page += 1
    return sorted(latencies), failed + len(left)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("inf")


def run(url: str, flow: str, rate: float, seconds: float) -> LoadResult:
    """Start ``rate`` executions a second for so many seconds."""
    import uvloop

    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    request = (
        f"POST /api/v1/main/executions/{NAMESPACE}/{flow} HTTP/1.1\r\n"
        f"Host: {parts.hostname}:{parts.port}\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    load = _Load(request)
    sent = uvloop.run(_send_all(load, parts.hostname, parts.port, rate, seconds))
    latencies, failed = _ends(url, flow, load.due_of)
    answers = sorted(load.answers)
    return LoadResult(
        rate=rate,
        sent=sent,
        ended=len(latencies),
        failed=failed + load.refused,
        median=_quantile(latencies, 0.5),
        p95=_quantile(latencies, 0.95),
        p99=_quantile(latencies, 0.99),
        answer_p95=_quantile(answers, 0.95),
    )


if __name__ == "__main__":
    result = run(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
    print(json.dumps(asdict(result)))
