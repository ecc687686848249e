"""SIGKILL to everything, at any moment: what was acknowledged goes on at the next start."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from tests.faults.conftest import (
    NAMESPACE,
    Server,
    ServerFactory,
    assert_nothing_unfinished,
    processes_naming,
    until,
    until_file,
)
from tests.postgres import Cluster
from tests.server_process import ServerDidNotStart

#: Crashes that the suite tries; each begins at another moment.
ROUNDS = int(os.environ.get("WINDHOVER_ROUNDS", "5"))


def flow_with_effects(effects: Path) -> str:
    """Five effects an execution, in a sequence, a loop and a shell; one branch that fails by design."""
    line = "{{ execution.id }} {{ taskrun.id }}"
    return f"""
id: effects
namespace: {NAMESPACE}
tasks:
  - id: first
    type: tests.fault.Append
    path: {effects}
    line: "{line} first"
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: 0
    values: [1, 2, 3]
    tasks:
      - id: item
        type: tests.fault.Append
        path: {effects}
        line: "{line} item{{{{ taskrun.value }}}}"
  - id: allowed
    type: io.kestra.plugin.core.execution.Fail
    allowFailure: true
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner:
      type: io.kestra.plugin.core.runner.Process
    commands:
      - echo "{line} shell" >> {effects}
  - id: last
    type: io.kestra.plugin.core.log.Log
    message: done
"""


EFFECTS = ("first", "item1", "item2", "item3", "shell")


class Starter(threading.Thread):
    """Starts executions as fast as they are answered, until the server is gone."""

    def __init__(self, server: Server, flow: str) -> None:
        super().__init__()
        self._url = server.url(f"/executions/{NAMESPACE}/{flow}")
        self.acknowledged: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            while True:
                try:
                    answer = client.post(self._url)
                except httpx.TransportError:
                    return
                if answer.status_code != 200:
                    return
                self.acknowledged.append(answer.json()["id"])


@pytest.mark.timeout(60 + ROUNDS * 30)
def test_what_was_acknowledged_reaches_its_end_after_any_crash(
    make_server: ServerFactory, tmp_path: Path
) -> None:
    server = make_server()
    _crash_again_and_again(server, tmp_path / "effects", server.process.kill_all)
    server.process.stop()
    assert_no_gaps(server.process.home)
    assert_nothing_left_to_do(server.process.home)


@pytest.mark.postgres
@pytest.mark.timeout(60 + ROUNDS * 30)
def test_the_same_when_postgresql_dies_with_it(
    make_server: ServerFactory, own_postgres_cluster: Cluster, tmp_path: Path
) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)

    def crash() -> None:
        own_postgres_cluster.stop("immediate")
        server.process.kill_all()
        own_postgres_cluster.start()

    _crash_again_and_again(server, tmp_path / "effects", crash, rounds=min(ROUNDS, 3))
    server.process.stop()


def _crash_again_and_again(
    server: Server, effects: Path, crash: Callable[[], None], rounds: int = ROUNDS
) -> None:
    """Crash under load, start again, and see that what was acknowledged comes to its right end."""
    seed = int(os.environ.get("WINDHOVER_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    print(f"WINDHOVER_SEED={seed}")
    server.process.start()
    server.save(flow_with_effects(effects))
    acknowledged: list[str] = []
    for _ in range(rounds):
        starters = [Starter(server, "effects") for _ in range(3)]
        for starter in starters:
            starter.start()
        until(partial(_any_acknowledged, starters), 20)
        threading.Event().wait(chance.uniform(0.0, 0.6))
        crash()
        for starter in starters:
            starter.join()
            acknowledged += starter.acknowledged
        server.process.start()
    assert len(acknowledged) >= rounds

    for id_ in acknowledged:
        execution = server.wait_for_end(id_, seconds=60)
        assert execution["state"]["current"] == "WARNING", [execution, server.logs(id_)]
        assert_nothing_unfinished(execution)
        assert len(execution["taskRunList"]) == 8
    happened = {(line.split()[0], line.split()[-1]) for line in effects.read_text().splitlines()}
    missing = {(id_, effect) for id_ in acknowledged for effect in EFFECTS} - happened
    assert not missing


def assert_no_gaps(home: Path) -> None:
    """The log lines of every execution are numbered from 1 without a gap."""
    (file,) = home.rglob("*.db")
    with sqlite3.connect(file) as connection:
        found = connection.execute(
            "SELECT execution_id, count(*), min(sequence), max(sequence) FROM logs GROUP BY execution_id"
        ).fetchall()
    assert found
    assert [row for row in found if row[2] != 1 or row[3] != row[1]] == []


def assert_nothing_left_to_do(home: Path) -> None:
    """Once all has ended the database holds no work: what was acknowledged is deleted, not kept."""
    (file,) = home.rglob("*.db")
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM timers").fetchone() == (0,)


def test_processes_of_a_killed_server_are_gone_after_the_next_start(server: Server, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    again = tmp_path / "again"
    server.save(f"""
id: orphan
namespace: {NAMESPACE}
tasks:
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner:
      type: io.kestra.plugin.core.runner.Process
    commands:
      - "if [ -e {again} ]; then exit 0; fi; touch {again}"
      - "setsid sh -c 'while :; do sleep 1; done' {marker} & sh -c 'while :; do sleep 1; done' {marker}"
""")
    execution = server.run("orphan")
    # The shell of the task, and the two that it starts.
    orphans = until(lambda: _at_least(processes_naming(str(marker)), 3), 20)
    server.process.kill()
    assert all(process.is_running() for process in orphans)
    server.process.start()
    assert processes_naming(str(marker)) == []
    # The task is handed out again and finds what its first attempt left.
    found = server.wait_for_end(execution)
    assert found["state"]["current"] == "SUCCESS"
    (run,) = found["taskRunList"]
    assert [attempt["state"]["current"] for attempt in run["attempts"]] == ["RESUBMITTED", "SUCCESS"]
    assert "left behind" in server.process.log()


def test_a_second_server_on_the_same_home_is_refused(server: Server, make_server: ServerFactory) -> None:
    with pytest.raises(ServerDidNotStart, match="Another server runs on this database"):
        make_server().process.start()
    assert server.client.get(f"{server.process.url}/ping").text == "pong"


def test_an_execution_that_waits_for_its_time_starts_after_a_crash(server: Server, tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    server.save(flow_with_effects(effects))
    due = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    execution = server.run("effects", scheduleDate=due)
    server.process.kill_all()
    server.process.start()
    assert server.wait_for_end(execution)["state"]["current"] == "WARNING"
    until_file(effects, 5)


def _any_acknowledged(starters: list[Starter]) -> bool:
    return any(starter.acknowledged for starter in starters)


def _at_least(found: list[psutil.Process], count: int) -> list[psutil.Process] | None:
    return found if len(found) >= count else None
