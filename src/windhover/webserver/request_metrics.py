"""How many requests the API has answered, and how long that took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UNMATCHED = "UNMATCHED_URI"


@dataclass(slots=True)
class RequestTimes:
    """The requests of one method, route and status; times in seconds."""

    count: int = 0
    total: float = 0.0
    longest: float = 0.0


class RequestMetrics:
    """Counts requests by method, route (not path: there are few of them) and status."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str, int], RequestTimes] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        times = self._times.setdefault((method, route, status), RequestTimes())
        times.count += 1
        times.total += seconds
        times.longest = max(times.longest, seconds)

    def __iter__(self) -> Iterator[tuple[tuple[str, str, int], RequestTimes]]:
        return iter(list(self._times.items()))


class RequestMetricsMiddleware:
    """Measures every request until its answer has been sent."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, noting_status)
        finally:
            route = getattr(scope.get("route"), "path", _UNMATCHED)
            self._metrics.add(scope["method"], route, status, time.perf_counter() - began)
