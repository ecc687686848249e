"""SIGKILL to everything, at any moment: what was acknowledged goes on at the next start."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import psutil
import pytest
from tests.faults.conftest import (
    NAMESPACE,
    Server,
    ServerFactory,
    processes_naming,
    until,
    until_file,
)
from tests.faults.crashes.campaign import crash_again_and_again
from tests.faults.crashes.dates import Dates
from tests.faults.crashes.deliveries import Deliveries
from tests.faults.crashes.effects import (
    Effects,
    assert_no_gaps,
    assert_nothing_left_to_do,
    flow_with_effects,
)
from tests.faults.crashes.gathered import Gathered
from tests.faults.crashes.refusals import Refusals
from tests.faults.crashes.waits import Waits
from tests.postgres import Cluster
from tests.server_process import ServerDidNotStart

#: Crashes that the suite tries; each begins at another moment.
ROUNDS = int(os.environ.get("WINDHOVER_ROUNDS", "5"))


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


@pytest.mark.timeout(180 + ROUNDS * 30)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_no_work_is_lost_and_none_comes_twice(
    request: pytest.FixtureRequest,
    make_server: ServerFactory,
    tmp_path: Path,
    subtests: pytest.Subtests,
    database: str,
) -> None:
    """Work of every kind on one server; PostgreSQL dies with it every other time."""
    seed = int(os.environ.get("WINDHOVER_SEED", time.time_ns() % 1_000_000))
    print(f"WINDHOVER_SEED={seed}")
    cluster: Cluster | None = None
    if database == "postgresql":
        cluster = request.getfixturevalue("own_postgres_cluster")
    server = make_server(postgres=cluster.dsn if cluster else None)

    def crash(round_: int) -> None:
        dies_too = cluster is not None and round_ % 2 == 1
        if cluster and dies_too:
            cluster.stop("immediate")
        server.process.kill_all()
        if cluster and dies_too:
            cluster.start()

    # Those that wait for something before they begin come first: the others send until the crash.
    scenarios = [
        Dates(server),
        Refusals(server),
        Waits(server),
        Effects(server, tmp_path),
        Deliveries(server),
        Gathered(server),
    ]
    crash_again_and_again(server, scenarios, crash, ROUNDS, random.Random(seed))
    for scenario in scenarios:
        with subtests.test(type(scenario).__name__):
            scenario.check()
    server.process.stop()
    if database == "sqlite":
        assert_no_gaps(server.process.home)
        assert_nothing_left_to_do(server.process.home)


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
    assert "left behind" in server.log()


def test_a_second_server_on_the_same_home_is_refused(make_server: ServerFactory) -> None:
    server = make_server()
    server.process.start()
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


def _at_least(found: list[psutil.Process], count: int) -> list[psutil.Process] | None:
    return found if len(found) >= count else None
