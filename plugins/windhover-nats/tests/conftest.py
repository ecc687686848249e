from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.brokers import BrokerNotInstalled, NatsServer

from windhover.worker import WorkerSettings
from windhover.worker.inline import InlineWorker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server for all tests; each uses names of its own."""
    try:
        server = NatsServer(tmp_path_factory.mktemp("nats"))
    except BrokerNotInstalled as reason:
        pytest.skip(f"Tests with NATS are left out: {reason}")
    with server:
        yield server


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    settings = WorkerSettings(kill_grace=timedelta(seconds=1))
    async with InlineWorker(tmp_path, settings=settings) as inline:
        yield inline
