from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.brokers import NatsServer
from tests.inline_worker import worker as worker
from tests.running_broker import running_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server for all tests; each uses names of its own."""
    with running_broker(NatsServer, tmp_path_factory.mktemp("nats")) as server:
        yield server
