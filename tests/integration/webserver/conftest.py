"""Fixtures of the tests that drive the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.integration.webserver.server import Server, running_server
from tests.integration.webserver.trigger_api import (
    API,
    HOURLY,
    TriggerApi,
    flow,
    running_trigger_api,
    schedule,
)

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


@pytest_asyncio.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[TriggerApi]:
    """A server whose clock is set by the test, on each kind of database in turn."""
    async with running_trigger_api(database, tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def several(api: TriggerApi) -> TriggerApi:
    """Four triggers of three flows; ``c`` is disabled in its flow, ``b`` by the API, ``d`` is locked."""
    await api.save(flow("one", schedule("a"), schedule("b", "0 6 * * *")))
    await api.save(flow("two", schedule("c", HOURLY, "disabled: true"), namespace="io.test.sub"))
    await api.save(flow("three", schedule("d", "30 12 * * *"), namespace="system", task="flow.Pause"))
    await api.call(
        "PUT",
        f"{API}/set-disabled",
        body={"namespace": "io.test", "flowId": "one", "triggerId": "b", "disabled": True},
    )
    await api.bench.at(12, 30)
    return api
