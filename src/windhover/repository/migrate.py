"""Running the migrations, and writing the text of the tables from their definition.

Imports Alembic and SQLAlchemy: only called when a database is of an older version, and by developers:
``python -m windhover.repository.migrate`` writes ``ddl/*.sql`` anew after ``tables.py`` has changed.
"""

from __future__ import annotations

import sqlite3
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from windhover.repository.schema import HEAD
from windhover.repository.sqlite_statistics import SQLITE_STATISTICS
from windhover.repository.tables import metadata

if TYPE_CHECKING:
    import asyncpg

_HERE = Path(__file__).parent


def migrate_sqlite(connection: sqlite3.Connection) -> None:
    """Apply the missing migrations to a SQLite database, on the connection given, in one transaction."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as wrapped:
        # The connection does not begin transactions by itself.
        wrapped.exec_driver_sql("BEGIN IMMEDIATE")
        config = _config()
        config.attributes["connection"] = wrapped
        command.upgrade(config, "head")
        wrapped.commit()


async def migrate_postgres(connection: asyncpg.Connection, revision: str | None) -> None:
    """Apply the migrations after ``revision`` to a PostgreSQL database, in one transaction.

    Alembic writes them as text, which asyncpg runs: so there is one driver, and a migration cannot look at
    the rows it changes other than by SQL.
    """
    config = _config()
    config.output_buffer = StringIO()
    command.upgrade(config, f"{revision or 'base'}:head", sql=True)
    async with connection.transaction():
        await connection.execute(config.output_buffer.getvalue())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations"))
    return config


def render_ddl(dialect: str) -> str:
    """The text that creates all tables in an empty database of the dialect ("sqlite" or "postgresql")."""
    compiler = sqlite.dialect() if dialect == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=compiler)))
        statements.extend(
            str(CreateIndex(index).compile(dialect=compiler))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        )
    if dialect == "sqlite":
        # The first creates the table of statistics.
        statements.append("ANALYZE sqlite_schema")
        rows = ",\n    ".join(str(row) for row in SQLITE_STATISTICS)
        statements.append(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES\n    {rows}")
    statements.append("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    statements.append(f"INSERT INTO alembic_version (version_num) VALUES ('{HEAD}')")
    lines = "\n".join(_tidy(statement) + ";" for statement in statements)
    return f"-- Made from tables.py by `python -m windhover.repository.migrate`.\n{lines}\n"


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.strip().replace("\t", "    ").splitlines())


def main() -> None:
    for dialect in ("sqlite", "postgresql"):
        (_HERE / "ddl" / f"{dialect}.sql").write_text(render_ddl(dialect))


if __name__ == "__main__":
    main()
