"""Messages of real brokers, and servers and brokers that go away while executions are made: none is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.brokers import BrokerNotInstalled
from tests.faults.conftest import Server, ServerFactory, until
from tests.realtime import FAMILIES, Executions, Family

_MESSAGES = 600
_GATHERED = 400
_MOST = 70


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Family]:
    """A broker that runs, of each kind in turn."""
    try:
        made: Family = request.param(tmp_path / "broker")
    except BrokerNotInstalled as reason:
        pytest.skip(f"Realtime triggers of {request.param.name} are left out: {reason}")
    with made.broker:
        yield made


class Listening:
    """A flow that listens to messages of its own."""

    def __init__(self, server: Server, family: Family, **properties: str) -> None:
        self.family = family
        self.executions = Executions(server.process, family)
        asyncio.run(family.prepare())
        server.save(family.flow(**properties))

    def publish(self, numbers: Sequence[int]) -> None:
        asyncio.run(self.family.publish(numbers))

    def has(self, count: int) -> bool:
        """Whether so many messages are in executions; those that come twice count once."""
        return len(self.executions.numbers()) >= count

    def assert_none_lost(self, count: int) -> None:
        found = self.executions.numbers()
        assert sorted(found) == list(range(count))
        if self.family.exactly_once:
            assert set(found.values()) == {1}


@pytest.mark.timeout(240)
def test_no_message_is_lost(family: Family, make_server: ServerFactory) -> None:
    """Neither one that starts an execution alone, nor one that is gathered with others."""
    server = make_server()
    server.process.start()
    alone = Listening(server, family)
    gathered = Listening(
        server, family.beside("gathered"), batch=f"{{maxEvents: {_MOST}, maxDuration: PT1S}}"
    )

    _kill_the_server_in_the_middle(server, alone, gathered)
    gathered.assert_none_lost(_GATHERED)
    sizes = Counter(len(family.numbers(execution)) for execution in gathered.executions.all())
    assert max(sizes) == _MOST
    assert sizes.total() < _GATHERED / 10

    server.process.stop()
    server.process.start()  # what was not acknowledged comes again now
    alone.publish([_MESSAGES])
    until(lambda: alone.has(_MESSAGES + 1), 60, server.process.log)
    alone.assert_none_lost(_MESSAGES + 1)

    family.broker.stop()
    family.broker.start()
    alone.publish([_MESSAGES + 1, _MESSAGES + 2])
    until(lambda: alone.has(_MESSAGES + 3), 60, server.process.log)
    assert sorted(alone.executions.numbers()) == list(range(_MESSAGES + 3))


def _kill_the_server_in_the_middle(server: Server, alone: Listening, gathered: Listening) -> None:
    """Return when every message is in an execution; half of them came while no server was there."""
    alone.publish(range(_MESSAGES // 2))
    gathered.publish(range(_GATHERED // 2))
    until(lambda: alone.executions.total() and gathered.executions.total(), 30, server.process.log)
    server.process.kill()
    alone.publish(range(_MESSAGES // 2, _MESSAGES))
    gathered.publish(range(_GATHERED // 2, _GATHERED))
    server.process.start()
    # Listened to again at once, and not when the lease of the killed server ends.
    until(lambda: alone.executions.total() > _MESSAGES // 2, 20, server.process.log)
    until(lambda: alone.executions.total() >= _MESSAGES, 60, server.process.log)
    until(lambda: alone.has(_MESSAGES), 30, server.process.log)
    # Those that were acknowledged waited in the database, those that were not came again.
    until(lambda: gathered.has(_GATHERED), 60, server.process.log)
