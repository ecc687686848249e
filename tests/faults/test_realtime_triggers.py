"""Messages of real brokers, and a server that is killed while it makes executions of them: none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.brokers import BrokerNotInstalled
from tests.faults.conftest import ServerFactory, until
from tests.realtime import FAMILIES, Executions, Family

_MESSAGES = 1_000
_GATHERED = 400


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Family]:
    """A broker that runs, of each kind in turn."""
    try:
        made: Family = request.param(tmp_path / "broker")
    except BrokerNotInstalled as reason:
        pytest.skip(f"Realtime triggers of {request.param.name} are left out: {reason}")
    with made.broker:
        asyncio.run(made.prepare())
        yield made


def test_a_server_that_is_killed_loses_no_message(family: Family, make_server: ServerFactory) -> None:
    server = make_server()
    executions = Executions(server.process, family)
    server.process.start()
    server.save(family.flow())

    half = _MESSAGES // 2
    asyncio.run(family.publish(range(half)))
    until(lambda: executions.total() > 0, 30, server.process.log)
    server.process.kill()
    asyncio.run(family.publish(range(half, _MESSAGES)))
    server.process.start()
    # Listened to again at once, and not when the lease of the killed server ends.
    until(lambda: executions.total() > half, 20, server.process.log)
    until(lambda: executions.total() >= _MESSAGES, 60, server.process.log)
    until(lambda: len(executions.numbers()) == _MESSAGES, 30, server.process.log)
    server.process.stop()
    server.process.start()  # what was not acknowledged comes again now

    asyncio.run(family.publish([_MESSAGES]))
    until(lambda: executions.numbers()[_MESSAGES], 60, server.process.log)
    numbers_seen = executions.numbers()
    assert sorted(numbers_seen) == list(range(_MESSAGES + 1))
    if family.exactly_once:
        assert set(numbers_seen.values()) == {1}


def test_a_server_that_is_killed_loses_no_message_that_it_has_gathered(
    family: Family, make_server: ServerFactory
) -> None:
    """Those that it acknowledged wait in the database, those that it did not come again."""
    server = make_server()
    executions = Executions(server.process, family)
    server.process.start()
    server.save(family.flow(batch="{maxEvents: 70, maxDuration: PT1S}"))

    half = _GATHERED // 2
    asyncio.run(family.publish(range(half)))
    until(lambda: executions.total() > 0, 30, server.process.log)
    server.process.kill()
    asyncio.run(family.publish(range(half, _GATHERED)))
    server.process.start()
    until(lambda: len(executions.numbers()) == _GATHERED, 60, server.process.log)

    found = executions.numbers()
    assert sorted(found) == list(range(_GATHERED))
    if family.exactly_once:
        assert set(found.values()) == {1}
    sizes = [len(family.numbers(execution)) for execution in executions.all()]
    assert max(sizes) == 70
    assert len(sizes) < _GATHERED / 10


def test_a_broker_that_comes_back_is_listened_to_again(family: Family, make_server: ServerFactory) -> None:
    server = make_server()
    executions = Executions(server.process, family)
    server.process.start()
    server.save(family.flow())
    asyncio.run(family.publish([0]))
    until(lambda: executions.total() == 1, 30, server.process.log)

    family.broker.stop()
    family.broker.start()
    asyncio.run(family.publish([1, 2]))

    until(lambda: executions.total() == 3, 60, server.process.log)
    assert sorted(executions.numbers()) == [0, 1, 2]
