from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from windhover.worker import WorkerSettings
from windhover.worker.inline import InlineWorker


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    settings = WorkerSettings(kill_grace=timedelta(seconds=1))
    async with InlineWorker(tmp_path, settings=settings) as inline:
        yield inline
