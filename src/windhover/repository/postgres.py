"""PostgreSQL, for servers of several machines.

Statements run on asyncpg directly. A batch takes one round trip as a rule, however many rows it has: its
statements are joined into one, and their rows travel as one array a column. Connections that broke are
replaced by the pool; what was under way on them fails as unavailable.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from windhover.repository.database import Dialect
from windhover.repository.errors import ConstraintViolated, RepositoryError, RepositoryUnavailable
from windhover.repository.schema import prepare_postgres
from windhover.repository.statement import Row, Statement, Write, together

logger = logging.getLogger(__name__)

DEFAULT_POOL_SIZE = 10
#: Seconds until a connection attempt, or a statement whose server fell silent, is given up.
_CONNECT_TIMEOUT = 10.0
_COMMAND_TIMEOUT = 120.0
#: How long a statement waits for a lock before it is tried again, with a line in the log that says so.
_LOCK_TIMEOUT = "5s"
#: Seconds after which a connection that nobody needs is closed.
_IDLE_LIFETIME = 300.0

_UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, crashed, starting up, terminated by an administrator
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.PostgresSystemError,  # input or output failed on the server
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is not yet, or no longer, the primary
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,  # the server said goodbye while a statement was being sent
    OSError,
    TimeoutError,
)
_BROKEN_CONNECTION = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    ConnectionError,
)

_Result = TypeVar("_Result")


class PostgresDatabase:
    """A PostgreSQL database, reached through a pool of connections.

    The tables are those of the first schema in the search path; ``?search_path=name`` in the DSN sets it.
    """

    dialect: Dialect = "postgresql"

    def __init__(self, dsn: str, *, pool_size: int = DEFAULT_POOL_SIZE) -> None:
        self._dsn = dsn
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None

    def __repr__(self) -> str:
        return f"PostgresDatabase({_without_password(self._dsn)!r})"

    async def open(self) -> None:
        self._pool = await self._translating(self._connect())

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def write(self, writes: Sequence[Write]) -> None:
        async def work(connection: asyncpg.Connection) -> None:
            # One statement is a transaction by itself.
            if len(groups) == 1:
                await _run(connection, groups[0])
                return
            async with connection.transaction():
                for group in groups:
                    await _run(connection, group)

        groups = _groups(writes)
        await self._with_connection(work)

    async def execute(self, statement: Statement, parameters: Row = ()) -> int:
        async def work(connection: asyncpg.Connection) -> int:
            status: str = await connection.execute(statement.postgresql, *parameters)
            return int(status.rpartition(" ")[2])

        return await self._with_connection(work)

    async def fetch(self, statement: Statement, parameters: Row = ()) -> Sequence[Row]:
        async def work(connection: asyncpg.Connection) -> Sequence[Row]:
            rows: Sequence[Row] = await connection.fetch(statement.postgresql, *parameters)
            return rows

        return await self._with_connection(work, repeatable=True)

    async def fetch_together(self, queries: Sequence[tuple[Statement, Row]]) -> Sequence[Sequence[Row]]:
        async def work(connection: asyncpg.Connection) -> Sequence[Sequence[Row]]:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return [await connection.fetch(query.postgresql, *row) for query, row in queries]

        return await self._with_connection(work, repeatable=True)

    def for_other_loop(self) -> PostgresDatabase:
        """A pool of one connection: connections belong to the loop that opened them."""
        return PostgresDatabase(self._dsn, pool_size=1)

    async def reclaim_space(self) -> None:
        """Nothing to ask for: the server's autovacuum does it."""

    async def _connect(self) -> asyncpg.Pool:
        pool = await asyncpg.create_pool(
            self._dsn,
            # A pool that keeps a floor logs a stack trace each second while the server is away. The heartbeat
            # keeps one connection of a server open; a pool of a single one never lets go of it.
            min_size=0,
            max_size=self._pool_size,
            max_inactive_connection_lifetime=_IDLE_LIFETIME if self._pool_size > 1 else 0,
            timeout=_CONNECT_TIMEOUT,
            command_timeout=_COMMAND_TIMEOUT,
            # Compiling a plan costs more than any of these statements.
            server_settings={"application_name": "windhover", "jit": "off", "lock_timeout": _LOCK_TIMEOUT},
        )
        try:
            async with pool.acquire() as connection:
                # Another server may be migrating the tables; the pool takes the setting back afterwards.
                await connection.execute("SET lock_timeout = 0")
                await prepare_postgres(connection)
                if await connection.fetchval("SHOW synchronous_commit") == "off":
                    logger.warning(
                        "The PostgreSQL server runs with synchronous_commit=off: "
                        "what was acknowledged last may be lost when it crashes."
                    )
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _with_connection(
        self, work: Callable[[asyncpg.Connection], Awaitable[_Result]], *, repeatable: bool = False
    ) -> _Result:
        async def attempt() -> _Result:
            if self._pool is None:
                raise RepositoryUnavailable("The database is closed.")
            async with self._pool.acquire(timeout=_CONNECT_TIMEOUT) as connection:
                try:
                    return await work(connection)
                except asyncpg.InternalClientError:
                    # Its protocol is in disorder: the pool must not hand it out again.
                    connection.terminate()
                    raise

        if repeatable:
            try:
                return await attempt()
            except _BROKEN_CONNECTION as error:
                # The pool notices a server that was restarted only when it uses the old connection.
                logger.debug("Reading again on another connection: %s", error)
            except Exception as error:
                raise self._translated(error) from error
        return await self._translating(attempt())

    async def _translating(self, work: Awaitable[_Result]) -> _Result:
        try:
            return await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> Exception:
        where = _without_password(self._dsn)
        if isinstance(error, RepositoryUnavailable | RepositoryError):
            return error
        if isinstance(error, asyncpg.UniqueViolationError):
            return ConstraintViolated(str(error))
        if isinstance(error, asyncpg.DataError | asyncpg.exceptions.UnsupportedClientFeatureError):
            return RepositoryError(f"A value cannot be stored in {where}: {error}")
        # InterfaceError also says that a connection was closed under a statement.
        if isinstance(error, (*_UNAVAILABLE, asyncpg.InterfaceError)):
            return RepositoryUnavailable(f"{where} does not serve now: {error or type(error).__name__}")
        if isinstance(error, asyncpg.PostgresError | UnicodeEncodeError | OverflowError):
            return RepositoryError(f"{where} refuses: {error}")
        return error


def _groups(writes: Sequence[Write]) -> list[list[Write]]:
    """Writes that can run as one statement: none of them sees what another of them does."""
    groups: list[list[Write]] = []
    tables: set[str] = set()
    for write in writes:
        needed = {write.statement.table, *write.statement.reads}
        if not groups or not tables.isdisjoint(needed):
            groups.append([])
            tables = set()
        groups[-1].append(write)
        tables.add(write.statement.table)
    return groups


async def _run(connection: asyncpg.Connection, group: Sequence[Write]) -> None:
    columns = [column for write in group for column in zip(*write.rows, strict=True)]
    await connection.execute(together(tuple(write.statement for write in group)), *columns)


def _without_password(dsn: str) -> str:
    scheme, separator, rest = dsn.partition("://")
    credentials, at, location = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}{at}{location.partition('?')[0]}"
