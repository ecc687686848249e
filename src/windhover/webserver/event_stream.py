"""Server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: Kept out of proxies' buffers, so that an event arrives when it is sent.
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Connection": "keep-alive"}

#: A comment: it reaches the client, tells nothing, and keeps proxies from closing the stream.
HEARTBEAT = b": keep-alive\n\n"

#: The id of the last event. A client that comes back with it is told (204) that there is no more.
END = "end"


def event(data: bytes, *, id: str | None = None, name: str | None = None) -> bytes:
    """One event; ``data`` must be a single line, as JSON is."""
    head = b""
    if id is not None:
        head += b"id: " + id.encode() + b"\n"
    if name is not None:
        head += b"event: " + name.encode() + b"\n"
    return head + b"data: " + data + b"\n\n"


class EventStream(Response):
    """Sends events as they come, until there are no more or the client has gone."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch)
            await self._send_all(send)
            group.cancel_scope.cancel()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self._events:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
