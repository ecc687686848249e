"""Answering when an execution has ended, and where the UI shows it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from windhover.model.execution import Execution
from windhover.webserver.errors import unavailable
from windhover.webserver.execution_feed import ExecutionListener
from windhover.webserver.services import WebServices


async def wait_for_end(request: Request, listener: ExecutionListener) -> bool:
    """Wait until the execution has ended; False when the client went away first.

    Raises:
        ApiError: 503, the server is stopping.
    """
    ended = asyncio.ensure_future(listener.wait_for_end())
    gone = asyncio.ensure_future(_disconnection(request))
    try:
        await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
        if listener.closed and not listener.ended:
            raise unavailable("The server is stopping; the execution goes on when it is back.")
        return ended.done()
    finally:
        ended.cancel()
        gone.cancel()


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def execution_url(services: WebServices, request: Request, execution: Execution) -> str:
    """Where the UI shows an execution."""
    base = services.settings.url or str(request.base_url)
    place = f"{execution.namespace}/{execution.flow_id}/{execution.id}"
    return f"{base.rstrip('/')}/ui/{execution.tenant_id}/executions/{place}"
