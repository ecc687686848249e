from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.brokers import RedisServer
from tests.inline_worker import worker as worker
from tests.running_broker import running_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for all tests; each uses names of its own."""
    with running_broker(RedisServer, tmp_path_factory.mktemp("redis")) as server:
        yield server
