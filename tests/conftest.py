"""Fixtures for all tests that need a database."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from tests import postgres

if TYPE_CHECKING:
    from windhover.repository.database import Database


# How long it takes to think up an input says how busy the machine is, and nothing of what is tested.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        postgres.announce_cluster()


def pytest_unconfigure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        postgres.stop_shared_cluster()


@pytest.fixture(scope="session")
def postgres_cluster() -> postgres.Cluster:
    """The PostgreSQL server of this test run; skips where none is installed."""
    try:
        return postgres.shared_cluster()
    except postgres.PostgresNotInstalled as reason:
        pytest.skip(f"PostgreSQL tests are left out: {reason}")


@pytest.fixture
def own_postgres_cluster(postgres_cluster: postgres.Cluster) -> Iterator[postgres.Cluster]:
    """A PostgreSQL server that a test may stop and start as it likes."""
    folder = Path(tempfile.mkdtemp(prefix="windhover-postgres-"))
    cluster = postgres.own_cluster(folder)
    yield cluster
    if (cluster.data / "postmaster.pid").exists():
        cluster.stop()
    shutil.rmtree(folder)


@pytest_asyncio.fixture
async def postgres_database(postgres_cluster: postgres.Cluster) -> AsyncIterator[str]:
    """The DSN of an empty database, removed after the test."""
    dsn = await postgres_cluster.create_database()
    yield dsn
    await postgres_cluster.drop_database(dsn)


@pytest_asyncio.fixture
async def postgres_dsn(postgres_cluster: postgres.Cluster) -> AsyncIterator[str]:
    """The DSN of an empty schema, removed after the test."""
    import asyncpg

    schema = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres_cluster.dsn)
    try:
        await connection.execute(f"CREATE SCHEMA {schema}")
        yield f"{postgres_cluster.dsn}?search_path={schema}"
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")
    finally:
        await connection.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'windhover.db'}"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, empty database, of each kind in turn."""
    from windhover.repository.database import open_database

    opened = await open_database(database_url)
    yield opened
    await opened.close()
