from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from windhover.worker.inline import InlineWorker


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    async with InlineWorker(tmp_path) as inline:
        yield inline
