"""A scheduler that works when it is told to, and what triggers listen to and look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.scheduler.bench import Bench, running_bench
from tests.integration.scheduler.watching import Listen, Look, Source

from windhover.repository.database import Database


@pytest_asyncio.fixture
async def bench(database: Database, tmp_path: Path) -> AsyncIterator[Bench]:
    async with running_bench(database, tmp_path) as running:
        yield running


@pytest.fixture
def source() -> Source:
    """What the triggers of a test listen to and look at."""
    made = Source()
    Listen.source = made
    Look.source = made
    return made
