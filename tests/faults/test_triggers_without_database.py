"""The database goes away while schedules run: afterwards they catch up, and no date runs twice."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, until
from tests.postgres import Cluster

#: For how long the database is away.
SECONDS = float(os.environ.get("WINDHOVER_DATABASE_AWAY_SECONDS", "8"))

Away = Callable[[], contextlib.AbstractContextManager[None]]


def every_second(id: str, *lines: str) -> str:
    more = "".join(f"    {line}\n" for line in lines)
    return f"""
id: {id}
namespace: {NAMESPACE}
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.date }}}}"
triggers:
  - id: s
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "* * * * * *"
    withSeconds: true
{more}"""


FLOWS = {
    "together": every_second("together", "allowConcurrent: true"),
    "in-turn": every_second("in-turn"),
    "not-late": every_second("not-late", "allowConcurrent: true", "lateMaximumDelay: PT3S"),
}


def test_sqlite_that_another_process_has_locked(make_server: ServerFactory) -> None:
    server = make_server()
    server.process.start()
    (file,) = server.process.home.rglob("*.db")

    @contextlib.contextmanager
    def locked() -> Iterator[None]:
        other = sqlite3.connect(file, isolation_level=None, timeout=20)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")
        other.close()

    catches_up(server, locked)


@pytest.mark.postgres
@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_postgresql_that_is_stopped(
    make_server: ServerFactory, own_postgres_cluster: Cluster, mode: str
) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)
    server.process.start()

    @contextlib.contextmanager
    def stopped() -> Iterator[None]:
        own_postgres_cluster.stop(mode)
        yield
        own_postgres_cluster.start()

    catches_up(server, stopped)


def catches_up(server: Server, away: Away) -> None:
    for source in FLOWS.values():
        server.save(source)
    until(lambda: all(len(dates_of(server, flow)) >= 2 for flow in FLOWS), 20, server.process.log)
    began = time.monotonic()
    with away():
        # How long it is away is what the test is about, not a wait for a result.
        time.sleep(SECONDS)
    seconds = time.monotonic() - began
    back = datetime.now(UTC) + timedelta(seconds=2)
    until(partial(caught_up, server, back), 30 + 2 * SECONDS, server.process.log)
    for flow in FLOWS:
        counts = Counter(dates_of(server, flow))
        assert [date for date, count in counts.items() if count > 1] == [], f"{flow}: run twice"
        left_out = between(counts) - counts.keys()
        if flow == "not-late":
            assert left_out, "dates that are too late do not run"
            assert len(left_out) <= seconds + 3
        else:
            assert sorted(left_out) == [], f"{flow}: left out"
    lines = server.get("/logs/search", triggerId="s", flowId="not-late")["results"]
    assert any("later than allowed" in line["message"] for line in lines)
    server.process.stop()
    assert "Traceback" not in server.process.log()


def caught_up(server: Server, instant: datetime) -> bool:
    return all(max(dates_of(server, flow)) > instant for flow in FLOWS)


def dates_of(server: Server, flow: str) -> list[datetime]:
    """The dates that executions of a flow were started for."""
    found: list[Any] = []
    page = 1
    while True:
        answer = server.get("/executions/search", flowId=flow, size=1000, page=page)
        found += answer["results"]
        if len(found) >= answer["total"]:
            return [datetime.fromisoformat(one["trigger"]["variables"]["date"]) for one in found]
        page += 1


def between(dates: Counter[datetime]) -> set[datetime]:
    """Every second from the first date to the last."""
    first, last = min(dates), max(dates)
    return {first + timedelta(seconds=step) for step in range(round((last - first).total_seconds()) + 1)}
