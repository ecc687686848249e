"""Fixtures of the tests that drive the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.integration.webserver.server import Server, running_server

from windhover.repository.database import Database, open_database


@pytest_asyncio.fixture
async def server(database: Database, tmp_path: Path) -> AsyncIterator[Server]:
    """A server on each kind of database in turn."""
    async with running_server(database, tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An open, empty database of the embedded kind."""
    opened = await open_database(f"sqlite:///{tmp_path / 'web.db'}")
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def local_server(sqlite: Database, tmp_path: Path) -> AsyncIterator[Server]:
    """A server on the embedded database: for what does not depend on the database."""
    async with running_server(sqlite, tmp_path) as running:
        yield running
