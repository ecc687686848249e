"""Waiting for a database that is away: the executor cannot go on without it, and must not fall over."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from windhover.repository.errors import RepositoryUnavailable

logger = logging.getLogger(__name__)

Repository = TypeVar("Repository")
Result = TypeVar("Result")


class Patience:
    """Tries again what the database was not there for, until it is.

    ``delay`` and ``limit``: seconds between two tries, at first and at most.
    """

    def __init__(self, delay: float, limit: float) -> None:
        self._delay = delay
        self._limit = limit
        self._deadline: float | None = None

    def with_(self, repository: Repository) -> Repository:
        """The same repository, whose coroutines wait for the database instead of failing."""
        return cast("Repository", _Patient(repository, self))

    def give_up_after(self, seconds: float) -> None:
        """From now on wait no longer than this: the server stops."""
        self._deadline = asyncio.get_running_loop().time() + seconds

    async def until_done(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """The result of a call.

        Raises:
            RepositoryUnavailable: the database did not come back before the server had to stop.
        """
        delay = self._delay
        while True:
            try:
                return await call()
            except RepositoryUnavailable as error:
                if self._is_over():
                    raise
                logger.warning("The database does not serve, trying again in %.1f s: %s", delay, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, self._limit)

    def _is_over(self) -> bool:
        return self._deadline is not None and asyncio.get_running_loop().time() >= self._deadline


class _Patient:
    def __init__(self, repository: object, patience: Patience) -> None:
        self._repository = repository
        self._patience = patience

    def __getattr__(self, name: str) -> object:
        found = getattr(self._repository, name)
        if inspect.iscoroutinefunction(found):
            function = found

            def found(*arguments: object, **options: object) -> Awaitable[object]:
                return self._patience.until_done(lambda: function(*arguments, **options))

        # The next time it is there without being looked for.
        setattr(self, name, found)
        return found
