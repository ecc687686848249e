"""Threads that each own one SQLite connection and do what an event loop asks of it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from windhover.repository.errors import RepositoryUnavailable

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class ConnectionThreads:
    """Up to ``size`` threads, started when they are needed, that take work from one queue in order.

    A thread opens its connection before its first piece of work; when that fails, the work fails, and the
    next tries again. With a size of one, work is done strictly one after the other.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], size: int, name: str) -> None:
        self._connect = connect
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._lock = threading.Lock()
        self._closed = False

    async def run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do ``work`` on a connection, in a thread. Once accepted it is done, even if the caller leaves."""
        if self._closed:
            raise RepositoryUnavailable("The database is closed.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Result] = loop.create_future()
        with self._lock:
            self._unfinished += 1
            if self._unfinished > len(self._threads) < self._size:
                self._start_thread()
        self._jobs.put(_Job(work, answer, loop))
        return await answer

    async def close(self) -> None:
        """Do what was accepted, close the connections and end the threads."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()

    def _start_thread(self) -> None:
        # A daemon, so that a program that forgets to close the database can still end.
        thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            try:
                if connection is None:
                    connection = self._connect()
                result = job.work(connection)
            except BaseException as error:
                self._answer(job, None, error)
                connection = _without_broken(connection)
            else:
                self._answer(job, result, None)
            # Neither the work nor its result may outlive this round.
            job = result = None
        if connection is not None:
            connection.close()

    def _answer(self, job: _Job, result: object, error: BaseException | None) -> None:
        with self._lock:
            self._unfinished -= 1
        try:
            job.loop.call_soon_threadsafe(_settle, job.answer, result, error)
        except RuntimeError:
            logger.debug("Nobody waits for this result any more: the event loop is closed.")


def _settle(answer: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def _without_broken(connection: sqlite3.Connection | None) -> sqlite3.Connection | None:
    """A connection that failed in the middle of a transaction is not used again."""
    if connection is not None and connection.in_transaction:
        connection.close()
        return None
    return connection
