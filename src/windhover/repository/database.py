"""The seam between the repositories and the two databases they run on.

A database runs statements and knows nothing of what they are about. :class:`Database` has two
implementations, :class:`~windhover.repository.sqlite.SqliteDatabase` and
:class:`~windhover.repository.postgres.PostgresDatabase`.

Documentation page: ``docs/databases.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec

from windhover.repository.errors import RepositoryError
from windhover.repository.statement import Row, Statement, Write

Dialect = Literal["sqlite", "postgresql"]


class Database(Protocol):
    """Runs statements, each call in a transaction of its own.

    Every method raises :class:`~windhover.repository.errors.RepositoryUnavailable` for what may pass and
    :class:`~windhover.repository.errors.RepositoryError` for what will not.
    """

    @property
    def dialect(self) -> Dialect: ...

    async def open(self) -> None:
        """Connect, and bring the tables to the form this version needs."""

    async def close(self) -> None:
        """Finish what was accepted and disconnect. Closing twice is allowed."""

    async def write(self, writes: Sequence[Write]) -> None:
        """Run statements in order in one transaction: all of them last, or none of them."""

    async def execute(self, statement: Statement, parameters: Row = ()) -> int:
        """Run one changing statement and return the number of rows it changed."""

    async def fetch(self, statement: Statement, parameters: Row = ()) -> Sequence[Row]:
        """Read rows."""

    async def fetch_together(self, queries: Sequence[tuple[Statement, Row]]) -> Sequence[Sequence[Row]]:
        """Read the rows of several queries, all as of the same instant."""

    def for_other_loop(self) -> Database:
        """The same database for another event loop, to be opened and closed there.

        It may be this object, where that can be used from any loop.
        """

    async def reclaim_space(self) -> None:
        """Give space that deleted rows held back to the file system, where that needs asking for."""


class DatabaseSettings(msgspec.Struct, frozen=True):
    """Where the database is.

    ``url`` is ``sqlite:///path/to/file``, ``sqlite://`` (in memory, nothing is kept) or
    ``postgresql://user:password@host:port/database``; the JDBC form of the latter,
    ``jdbc:postgresql://host:port/database?user=…``, is understood too. ``pool_size`` limits the
    connections (PostgreSQL) or the readers (SQLite).
    """

    url: str
    username: str | None = None
    password: str | None = None
    pool_size: int | None = None


async def open_database(settings: DatabaseSettings | str) -> Database:
    """Connect to a database, create or migrate its tables, and return it ready for use.

    Raises:
        RepositoryUnavailable: it cannot be reached now.
        RepositoryError: the URL is of no known kind, or the tables were written by a newer version.
    """
    if isinstance(settings, str):
        settings = DatabaseSettings(settings)
    database = _connector(settings)
    await database.open()
    return database


def _connector(settings: DatabaseSettings) -> Database:
    url = settings.url.removeprefix("jdbc:")
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        from windhover.repository.sqlite import DEFAULT_READERS, SqliteDatabase

        path = rest.removeprefix("/") if separator else rest
        if path in ("", ":memory:"):
            return SqliteDatabase.in_memory()
        return SqliteDatabase(path, readers=settings.pool_size or DEFAULT_READERS)
    if scheme in ("postgresql", "postgres"):
        from windhover.repository.postgres import DEFAULT_POOL_SIZE, PostgresDatabase

        return PostgresDatabase(_dsn(url, settings), pool_size=settings.pool_size or DEFAULT_POOL_SIZE)
    raise RepositoryError(
        f"`{settings.url}` is not the URL of a known database: "
        "use sqlite:///path/to/file or postgresql://user:password@host:5432/database"
    )


def _dsn(url: str, settings: DatabaseSettings) -> str:
    """The URL with the user and the password in the place where the driver looks for them."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    username = settings.username or query.pop("user", None)
    password = settings.password or query.pop("password", None)
    schema = query.pop("currentSchema", None)
    if schema is not None:
        query["search_path"] = schema
    netloc = parts.netloc
    if username is not None:
        secret = f":{quote(password, safe='')}" if password is not None else ""
        netloc = f"{quote(username, safe='')}{secret}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(("postgresql", netloc, parts.path, urlencode(query), ""))
