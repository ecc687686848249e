"""Bringing databases to the tables of this version, on both databases."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from tests.integration.repository.records import NOW, execution

from windhover.repository import migrate, schema
from windhover.repository.batch import CommitBatch
from windhover.repository.database import open_database
from windhover.repository.errors import RepositoryError, SchemaMismatch
from windhover.repository.executions import ExecutionRepository
from windhover.repository.schema import HEAD, ddl
from windhover.repository.settings import SettingRepository
from windhover.repository.sqlite import SqliteDatabase
from windhover.repository.statement import sql

_SQLITE_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"
_POSTGRES_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, collation_name
FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'alembic_version'
"""
_POSTGRES_INDEXES = """
SELECT replace(indexdef, current_schema() || '.', '')
FROM pg_indexes WHERE schemaname = current_schema() AND tablename <> 'alembic_version'
"""


def sqlite_schema(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    rows = connection.execute(_SQLITE_SCHEMA).fetchall()
    tidy = {
        (type_, name, table, "".join((text or "").replace('"', "").split()))
        for type_, name, table, text in rows
    }
    statistics = connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()
    return tidy | {tuple(row) for row in statistics if row[0] != "alembic_version"}


async def postgres_schema(connection: asyncpg.Connection) -> set[tuple[str, ...]]:
    columns = await connection.fetch(_POSTGRES_COLUMNS)
    indexes = await connection.fetch(_POSTGRES_INDEXES)
    return {tuple(row) for row in [*columns, *indexes]}


def test_migrations_lead_to_the_same_tables_on_sqlite() -> None:
    fresh, migrated = (sqlite3.connect(":memory:", isolation_level=None) for _ in range(2))
    for statement in ddl("sqlite"):
        fresh.execute(statement)
    expected = sqlite_schema(fresh)
    migrate.migrate_sqlite(migrated)

    assert sqlite_schema(migrated) == expected
    assert migrated.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


@pytest.mark.postgres
async def test_migrations_lead_to_the_same_tables_on_postgresql(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        await connection.execute(";\n".join(ddl("postgresql")))
        fresh = await postgres_schema(connection)
        name = await connection.fetchval("SELECT current_schema()")
        await connection.execute(f"DROP SCHEMA {name} CASCADE; CREATE SCHEMA {name}")

        await migrate.migrate_postgres(connection, None)

        assert await postgres_schema(connection) == fresh
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == HEAD
    finally:
        await connection.close()


async def test_a_database_is_opened_again_with_what_it_holds(database_url: str) -> None:
    written = execution()
    database = await open_database(database_url)
    await ExecutionRepository(database).commit(CommitBatch(created=[written]))
    await database.close()
    await database.close()

    database = await open_database(database_url)
    assert await ExecutionRepository(database).header(written.id) == written
    await database.close()


NEXT_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = "{head}"

def upgrade():
    op.add_column("settings", sa.Column("comment", sa.Text()))
    op.execute("UPDATE settings SET comment = 'migrated'")
"""


async def test_a_database_of_an_older_version_is_migrated(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await open_database(database_url)
    await SettingRepository(database).put("a", 1, NOW)
    await database.close()

    shutil.copytree(Path(migrate.__file__).parent / "migrations", tmp_path / "package" / "migrations")
    (tmp_path / "package/migrations/versions/9998_next.py").write_text(NEXT_MIGRATION.format(head=HEAD))
    monkeypatch.setattr(migrate, "_HERE", tmp_path / "package")
    monkeypatch.setattr(schema, "HEAD", "9998")
    # Twice: the second finds nothing to do.
    for _ in range(2):
        database = await open_database(database_url)
        assert await SettingRepository(database).all() == {"a": 1}
        assert [tuple(row) for row in await database.fetch(sql("SELECT comment FROM settings"))] == [
            ("migrated",)
        ]
        await database.close()

    monkeypatch.undo()
    with pytest.raises(SchemaMismatch, match="newer version"):
        await open_database(database_url)


async def set_revision(url: str, revision: str) -> None:
    statement = f"UPDATE alembic_version SET version_num = '{revision}'"
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute(statement)
        connection.commit()
        connection.close()
    else:
        postgres = await asyncpg.connect(url)
        await postgres.execute(statement)
        await postgres.close()


async def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    await (await open_database(database_url)).close()
    await set_revision(database_url, "9999")
    with pytest.raises(SchemaMismatch, match=f"revision 9999, .* up to {HEAD}: a newer version"):
        await open_database(database_url)


async def test_tables_of_another_program_are_left_alone(database_url: str) -> None:
    statement = "CREATE TABLE executions (id integer)"
    if database_url.startswith("sqlite"):
        connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        connection.execute(statement)
        connection.close()
    else:
        postgres = await asyncpg.connect(database_url)
        await postgres.execute(statement)
        await postgres.close()
    with pytest.raises(SchemaMismatch, match="not a database of this program"):
        await open_database(database_url)


async def test_servers_that_start_together_create_the_tables_once(database_url: str) -> None:
    import asyncio

    databases = await asyncio.gather(*(open_database(database_url) for _ in range(3)))
    for database in databases:
        await database.close()


async def test_a_url_of_no_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="not the URL of a known database"):
        await open_database("oracle://somewhere")
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryError, match="folder of the database cannot be made"):
        await open_database(f"sqlite:///{tmp_path}/file/windhover.db")


async def test_a_database_in_memory_serves_readers_too() -> None:
    database = SqliteDatabase.in_memory()
    await database.open()
    written = execution()
    executions = ExecutionRepository(database)
    await executions.commit(CommitBatch(created=[written]))
    assert await executions.load(written.id) == (written, [])
    await database.close()


def test_running_flows_imports_neither_sqlalchemy_nor_alembic(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from tests.integration.repository.records import NOW, execution, task_run
from windhover.repository.batch import CommitBatch
from windhover.repository.database import open_database
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flows import FlowDraft, FlowRepository

async def main():
    for url in sys.argv[1:]:
        database = await open_database(url)
        executions, one = ExecutionRepository(database), execution()
        await executions.commit(CommitBatch(created=[one], task_runs=[task_run(one.id)]))
        assert await executions.load(one.id)
        assert await executions.unfinished() == [one.id]
        assert await executions.next_timer() is None
        flows = FlowRepository(database)
        await flows.save(FlowDraft("main", "a", "b", "id: b"), NOW)
        assert await flows.all_latest()
        await database.close()

asyncio.run(main())
heavy = {"sqlalchemy", "alembic", "asyncpg", "pydantic"} & set(sys.modules)
assert not heavy, heavy
"""
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", program, "sqlite://", f"sqlite:///{tmp_path}/windhover.db"],
        check=True,
        cwd=root,
    )
