"""A database that is locked or away for a while: the server says why, waits, catches up, loses nothing."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from tests.faults.conftest import Server, ServerFactory, until
from tests.faults.load import Load, begin_load, finish, says
from tests.faults.second_by_second import (
    assert_each_second_once,
    assert_none_twice,
    every_second,
    seconds_between,
)
from tests.postgres import Cluster

#: For how long the database is away.
SECONDS = float(os.environ.get("WINDHOVER_DATABASE_AWAY_SECONDS", "8"))

#: Takes the database away, and waits until the server has said so.
Away = Callable[[Load], AbstractContextManager[None]]

FLOWS = {
    "together": every_second("together", "allowConcurrent: true"),
    "in-turn": every_second("in-turn"),
    "not-late": every_second("not-late", "allowConcurrent: true", "lateMaximumDelay: PT3S"),
}


def test_sqlite_that_another_process_has_locked(make_server: ServerFactory) -> None:
    server = make_server()
    server.process.start()
    (file,) = server.process.home.rglob("*.db")

    @contextmanager
    def locked(load: Load) -> Iterator[None]:
        other = sqlite3.connect(file, isolation_level=None, timeout=20)
        other.execute("BEGIN IMMEDIATE")
        until(partial(says, server, "holds the lock of"), 20, server.process.log)
        # Reading goes on meanwhile.
        assert server.execution(load.acknowledged[0])["id"] == load.acknowledged[0]
        yield
        other.execute("COMMIT")
        other.close()

    loses_nothing_and_catches_up(server, locked)


@pytest.mark.postgres
@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_postgresql_that_is_stopped(
    make_server: ServerFactory, own_postgres_cluster: Cluster, mode: str
) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)
    server.process.start()

    @contextmanager
    def stopped(load: Load) -> Iterator[None]:
        own_postgres_cluster.stop(mode)
        # Whether a commit was under way is chance; the heartbeat and requests find out in any case.
        until(partial(says, server, "does not serve now"), 20, server.process.log)
        until(lambda: load.statuses[503] >= 4 or server.process.log().count("trying again") >= 4, 20)
        assert server.client.get(f"{server.process.url}/ping").text == "pong"
        yield
        own_postgres_cluster.start()

    loses_nothing_and_catches_up(server, stopped)


def loses_nothing_and_catches_up(server: Server, away: Away) -> None:
    for source in FLOWS.values():
        server.save(source)
    until(lambda: all(server.total(flow) >= 2 for flow in FLOWS), 20, server.process.log)
    load = begin_load(server)
    began = time.monotonic()
    with away(load):
        # How long it is away is what the test is about, not a wait for a result.
        threading.Event().wait(began + SECONDS - time.monotonic())
    seconds = time.monotonic() - began
    back = datetime.now(UTC) + timedelta(seconds=2)
    finish(server, load)
    until(partial(caught_up, server, back), 30 + 2 * SECONDS, server.process.log)
    for flow in FLOWS:
        dates = dates_of(server, flow)
        if flow == "not-late":
            assert_none_twice(dates, flow)
            left_out = seconds_between(dates) - set(dates)
            assert left_out, "dates that are too late do not run"
            assert len(left_out) <= seconds + 3
        else:
            assert_each_second_once(dates, flow)
    lines = server.get("/logs/search", triggerId="s", flowId="not-late")["results"]
    assert any("later than allowed" in line["message"] for line in lines)
    server.process.stop()
    assert "Traceback" not in server.process.log()


def caught_up(server: Server, instant: datetime) -> bool:
    return all(max(dates_of(server, flow)) > instant for flow in FLOWS)


def dates_of(server: Server, flow: str) -> list[datetime]:
    """The dates that executions of a flow were started for."""
    found = server.executions(flow)
    return [datetime.fromisoformat(one["trigger"]["variables"]["date"]) for one in found]
