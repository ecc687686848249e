"""A worker with nothing else around it, as a fixture for the conftest files that import it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from windhover.worker import WorkerSettings
from windhover.worker.inline import InlineWorker


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    """A worker whose files are in the test's folder; what is killed has a second to end."""
    settings = WorkerSettings(kill_grace=timedelta(seconds=1))
    async with InlineWorker(tmp_path, settings=settings) as inline:
        yield inline
