"""SQLite, embedded: one writer, several readers, every acknowledged write on the disk.

The write-ahead log with ``synchronous=FULL`` makes each commit survive a power cut. One thread writes,
because SQLite lets one write anyway and waiting in a queue is cheaper than fighting over a lock; readers
have connections of their own and never wait for it.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from windhover.repository.connection_threads import ConnectionThreads
from windhover.repository.database import Dialect
from windhover.repository.errors import ConstraintViolated, RepositoryError, RepositoryUnavailable
from windhover.repository.schema import prepare_sqlite
from windhover.repository.statement import Row, Statement, Write, repeated

logger = logging.getLogger(__name__)

DEFAULT_READERS = 4
#: How long a call waits for another process that holds the database's lock before it gives up.
DEFAULT_LOCK_TIMEOUT = 30.0
#: One wait inside SQLite; after each, the wait is logged.
_BUSY_TIMEOUT = 2.0
#: The pause where SQLite itself did not wait.
_BUSY_PAUSE = 0.01

_WRITER_CACHE_KIB = 8192
_READER_CACHE_KIB = 2048
_RECLAIM_PAGES = 500
#: Rows that one step of a statement writes at most; a power of two.
_ROWS_AT_ONCE = 64

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_TRANSIENT = _BUSY | {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_PROTOCOL,
}

_Result = TypeVar("_Result")


class SqliteDatabase:
    """A database in one file of this machine.

    Do not put the file on a network file system: SQLite's locks and shared memory need a local one.
    """

    dialect: Dialect = "sqlite"

    def __init__(
        self,
        path: str | Path,
        *,
        readers: int = DEFAULT_READERS,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
    ) -> None:
        self.path: Path | None = Path(path)
        self._lock_timeout = lock_timeout
        self._writer = ConnectionThreads(self._connect_writer, 1, "sqlite-writer")
        self._readers = ConnectionThreads(self._connect_reader, readers, "sqlite-reader")

    @classmethod
    def in_memory(cls) -> SqliteDatabase:
        """A database that lives as long as this object. All calls share its one connection."""
        database = cls.__new__(cls)
        database.path = None
        database._lock_timeout = DEFAULT_LOCK_TIMEOUT
        database._writer = ConnectionThreads(database._connect_writer, 1, "sqlite-memory")
        database._readers = database._writer
        return database

    def __repr__(self) -> str:
        return f"SqliteDatabase({str(self.path) if self.path else ':memory:'!r})"

    async def open(self) -> None:
        if self.path is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RepositoryError(f"The folder of the database cannot be made: {error}") from error
        await self._writer.run(lambda connection: self._patiently(connection, self._prepare))

    async def close(self) -> None:
        await self._readers.close()
        await self._writer.close()

    async def write(self, writes: Sequence[Write]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for write in writes:
                _run(connection, write)

        await self._writer.run(lambda connection: self._transaction(connection, work))

    async def execute(self, statement: Statement, parameters: Row = ()) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(statement.sqlite, parameters).rowcount

        return await self._writer.run(lambda connection: self._transaction(connection, work))

    async def fetch(self, statement: Statement, parameters: Row = ()) -> Sequence[Row]:
        def work(connection: sqlite3.Connection) -> Sequence[Row]:
            return connection.execute(statement.sqlite, parameters).fetchall()

        return await self._readers.run(lambda connection: self._patiently(connection, work))

    async def fetch_together(self, queries: Sequence[tuple[Statement, Row]]) -> Sequence[Sequence[Row]]:
        def work(connection: sqlite3.Connection) -> Sequence[Sequence[Row]]:
            connection.execute("BEGIN")
            try:
                return [connection.execute(query.sqlite, row).fetchall() for query, row in queries]
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")

        return await self._readers.run(lambda connection: self._patiently(connection, work))

    def for_other_loop(self) -> SqliteDatabase:
        """This object: its threads answer to whichever loop asks."""
        return self

    async def reclaim_space(self) -> None:
        """Shrink the file by the pages that deletions left free, in short steps between other writes."""
        while await self._writer.run(lambda connection: self._patiently(connection, _reclaim_step)):
            pass

    def _transaction(
        self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _Result]
    ) -> _Result:
        def whole(connection: sqlite3.Connection) -> _Result:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result

        return self._patiently(connection, whole)

    def _patiently(
        self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _Result]
    ) -> _Result:
        """Do something, again and again while another process holds the lock, and name what goes wrong."""
        started = time.monotonic()
        while True:
            attempted = time.monotonic()
            try:
                return work(connection)
            except sqlite3.Error as error:
                now = time.monotonic()
                if _code(error) not in _BUSY or now - started >= self._lock_timeout:
                    raise self._translated(error) from error
                if now - attempted < _BUSY_PAUSE:
                    # SQLite does not wait where two would wait for each other, as when both switch to WAL.
                    time.sleep(_BUSY_PAUSE)
                    continue
                logger.warning(
                    "Another process holds the lock of %s; waiting since %.1f s (%s)",
                    self.path,
                    now - started,
                    error,
                )
            except (OverflowError, UnicodeEncodeError) as error:
                raise RepositoryError(f"A value cannot be stored: {error}") from error

    def _translated(self, error: sqlite3.Error) -> RepositoryError | RepositoryUnavailable:
        code = _code(error)
        if code in _BUSY:
            return RepositoryUnavailable(
                f"{self.path} is locked by another process since {self._lock_timeout:g} s: {error}"
            )
        if code == sqlite3.SQLITE_FULL:
            return RepositoryUnavailable(f"There is no space left for {self.path}: {error}")
        if code in _TRANSIENT:
            return RepositoryUnavailable(f"{self.path} cannot be read or written now: {error}")
        if isinstance(error, sqlite3.IntegrityError):
            return ConstraintViolated(str(error))
        return RepositoryError(f"{self.path or 'The database in memory'}: {error}")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        prepare_sqlite(connection, self.path)

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect(_WRITER_CACHE_KIB)
        if self.path is not None:
            self._patiently(connection, _make_durable)
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect(_READER_CACHE_KIB)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path or ":memory:",
                timeout=min(_BUSY_TIMEOUT, self._lock_timeout),
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            connection.execute(f"PRAGMA cache_size=-{cache_kib}")
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.create_function("regexp", 2, _regexp, deterministic=True)
            # SQLite's own lower() knows ASCII alone.
            connection.create_function("lower", 1, _lower, deterministic=True)
        except sqlite3.Error as error:
            raise self._translated(error) from error
        return connection


def _run(connection: sqlite3.Connection, write: Write) -> None:
    """Run a statement for all its rows.

    After each step the thread must get the interpreter's lock back, for which it may wait milliseconds while
    the event loop is busy. So there are as few steps as possible: many rows in each.
    """
    statement, rows = write
    if len(rows) == 1:
        connection.execute(statement.sqlite, rows[0])
        return
    if not statement.sqlite_values:
        connection.executemany(statement.sqlite, rows)
        return
    begin, size = 0, _ROWS_AT_ONCE
    while begin < len(rows):
        # Powers of two, so that few different statements have to be prepared.
        while size > len(rows) - begin:
            size //= 2
        values = [value for row in rows[begin : begin + size] for value in row]
        connection.execute(repeated(statement, size), values)
        begin += size


def _code(error: sqlite3.Error) -> int:
    """The primary code: extended ones carry it in their lowest byte."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _make_durable(connection: sqlite3.Connection) -> None:
    # Before the first table, or it has no effect. Free pages then return to the file system.
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA journal_size_limit=67108864")


def _reclaim_step(connection: sqlite3.Connection) -> bool:
    # Each row that the pragma yields is one page returned: it must be read to its end.
    connection.execute(f"PRAGMA incremental_vacuum({_RECLAIM_PAGES})").fetchall()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (automatic,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    return bool(automatic) and free > 0


def _regexp(pattern: str, text: str | None) -> bool:
    return text is not None and re.search(pattern, text) is not None


def _lower(text: str | None) -> str | None:
    return None if text is None else str(text).lower()
