"""Bringing a database to the tables that this version needs, before anything else is done with it.

An up-to-date database costs one query. An empty one gets all tables at once, from the text in ``ddl/``,
which spares the import of SQLAlchemy and Alembic (a second or two). Only a database of an older version
is migrated, with Alembic. Tests prove that both ways lead to the same tables as ``tables.py`` names.
"""

from __future__ import annotations

import logging
import sqlite3
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from windhover.repository.errors import SchemaMismatch

if TYPE_CHECKING:
    import asyncpg

logger = logging.getLogger(__name__)

#: The revision of the tables that this version works with: the newest file in ``migrations/versions``.
HEAD = "0001"

_READ_REVISION = "SELECT version_num FROM alembic_version"
#: Any number will do, as long as nobody else locks it: servers that start together wait here.
_MIGRATION_LOCK = 7_204_117_883


def prepare_sqlite(connection: sqlite3.Connection, path: Path | None) -> None:
    """Create or migrate the tables of a SQLite database.

    Raises:
        SchemaMismatch: it was written by a newer version, or is no database of this program.
    """
    if _sqlite_revision(connection) == HEAD:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Again, now that nobody else can write: another process may just have done it.
        revision = _sqlite_revision(connection)
        if revision is None:
            (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if objects:
                raise _foreign_tables(str(path))
            for statement in ddl("sqlite"):
                connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if revision is not None and _must_migrate(revision):
        from windhover.repository.migrate import migrate_sqlite

        logger.info("Migrating the tables of %s from revision %s to %s", path, revision, HEAD)
        migrate_sqlite(connection)


async def prepare_postgres(connection: asyncpg.Connection) -> None:
    """Create or migrate the tables in the first schema of the connection's search path.

    Raises:
        SchemaMismatch: they were written by a newer version, or are no tables of this program.
    """
    if await _postgres_revision(connection) == HEAD:
        return
    await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
    try:
        revision = await _postgres_revision(connection)
        if revision is None:
            if await connection.fetchval("SELECT to_regclass('executions') IS NOT NULL"):
                raise _foreign_tables("The PostgreSQL schema")
            async with connection.transaction():
                await connection.execute(";\n".join(ddl("postgresql")))
        elif _must_migrate(revision):
            from windhover.repository.migrate import migrate_postgres

            logger.info("Migrating the tables from revision %s to %s", revision, HEAD)
            await migrate_postgres(connection, revision)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _MIGRATION_LOCK)


@cache
def ddl(dialect: str) -> tuple[str, ...]:
    """The statements that create all tables in an empty database and note their revision."""
    text = resources.files("windhover.repository").joinpath("ddl", f"{dialect}.sql").read_text()
    return tuple(statement for part in text.split(";\n") if (statement := part.strip()))


def _must_migrate(revision: str) -> bool:
    if revision > HEAD:
        raise SchemaMismatch(
            f"The tables of the database are of revision {revision}, and this version of the program knows "
            f"them up to {HEAD}: a newer version has written them. Start that version, or restore a backup."
        )
    return revision < HEAD


def _foreign_tables(what: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"{what} holds tables without a revision: it is not a database of this program. Use an empty one."
    )


def _sqlite_revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute(_READ_REVISION).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return str(row[0]) if row else None


async def _postgres_revision(connection: asyncpg.Connection) -> str | None:
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await connection.fetchval(_READ_REVISION)
    return revision
