"""Asking the executor, with a bound on the wait."""

from __future__ import annotations

import asyncio

from windhover.engine.messages import Accepted, Command
from windhover.model.execution import Execution
from windhover.webserver.errors import unavailable
from windhover.webserver.services import WebServices


async def ask(services: WebServices, command: Command) -> Execution:
    """Send a command and wait until its effect is committed; see :func:`request`."""
    return (await request(services, command)).execution


async def request(services: WebServices, command: Command) -> Accepted:
    """Send a command and wait until its effect is committed.

    Raises:
        CommandRefused: it cannot be carried out.
        QueueClosed: the executor is stopping.
        ApiError: 503, there was no answer in time.
    """
    try:
        async with asyncio.timeout(services.command_timeout):
            return await services.queue.executor.request(command)
    except TimeoutError:
        raise unavailable(
            f"The executor has not answered within {services.command_timeout:g} seconds; "
            "what was asked may still be carried out."
        ) from None
