"""A runtime, without network, on each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from tests.integration.executor.flows import Flows

from windhover.repository.database import Database
from windhover.server.runtime import Runtime, RuntimeSettings


@pytest_asyncio.fixture
async def flows(database: Database, tmp_path: Path) -> AsyncIterator[Flows]:
    settings = RuntimeSettings(
        home=tmp_path, storage_path=tmp_path / "storage", temporary=tmp_path / "work", environ={}
    )
    runtime = Runtime(database, settings)
    await runtime.start()
    flows = Flows(runtime)
    yield flows
    await flows.runtime.stop(timedelta())
    await flows.runtime.close()
