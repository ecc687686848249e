"""A database that is full, locked or away for a while: the server waits, says why, and loses nothing."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from collections import Counter
from functools import partial

import asyncpg
import httpx
import pytest
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, assert_nothing_unfinished, until
from tests.postgres import Cluster
from tests.server_process import ServerDidNotStart

FLOW = f"""
id: steps
namespace: {NAMESPACE}
tasks:
  - id: one
    type: io.kestra.plugin.core.log.Log
    message: one
  - id: two
    type: io.kestra.plugin.core.debug.Return
    format: two
  - id: three
    type: io.kestra.plugin.core.log.Log
    message: three
"""


TAKES_A_FILE = f"""
id: takes_a_file
namespace: {NAMESPACE}
inputs:
  - id: report
    type: FILE
tasks:
  - id: size
    type: io.kestra.plugin.core.storage.Size
    uri: "{{{{ inputs.report }}}}"
"""
WRITES_A_FILE = f"""
id: writes_a_file
namespace: {NAMESPACE}
tasks:
  - id: blob
    type: tests.fault.Blob
    size: "{{{{ labels.size }}}}"
"""
MEBIBYTE = 1024 * 1024


class Load(threading.Thread):
    """Starts executions one after the other until it is stopped, and notes every answer."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._url = server.url(f"/executions/{NAMESPACE}/steps")
        self._stopped = threading.Event()
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.refusals: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._stopped.is_set():
                try:
                    answer = client.post(self._url)
                except httpx.TransportError:
                    return
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self.acknowledged.append(answer.json()["id"])
                else:
                    self.refusals.append(answer.text)
                    self._stopped.wait(0.1)

    def stop(self) -> None:
        self._stopped.set()
        self.join(60)


@pytest.fixture
def load(server: Server) -> Load:
    return begin_load(server)


def begin_load(server: Server) -> Load:
    server.save(FLOW)
    load = Load(server)
    load.start()
    until(lambda: len(load.acknowledged) >= 20, 20)
    return load


def finish(server: Server, load: Load) -> None:
    """Go on for a while after the trouble; then everything that was acknowledged must end well."""
    answered = len(load.acknowledged)
    until(lambda: len(load.acknowledged) >= answered + 20, 40, server.process.log)
    load.stop()
    assert set(load.statuses) <= {200, 503}, load.refusals[:3]
    assert all(refusal.strip() for refusal in load.refusals)
    for id_ in load.acknowledged:
        execution = server.wait_for_end(id_)
        assert execution["state"]["current"] == "SUCCESS"
        assert_nothing_unfinished(execution)
        assert len(execution["taskRunList"]) == 3


def test_a_full_disk(server: Server, load: Load) -> None:
    # No file may grow beyond it: the system refuses to write, as it does on a full disk.
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
    until(partial(says, server, "trying again in"), 20, server.process.log)
    blocked = len(load.acknowledged)
    until(lambda: server.process.log().count("trying again") >= 4, 20)
    assert len(load.acknowledged) <= blocked + 1
    assert server.client.get(f"{server.process.url}/ping").text == "pong"
    resource.prlimit(
        server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    finish(server, load)


def test_a_disk_that_is_full_for_files(server: Server) -> None:
    """Uploads are refused and tasks fail, each with the reason, and nothing half-written stays."""
    server.save(TAKES_A_FILE)
    server.save(WRITES_A_FILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (MEBIBYTE, resource.RLIM_INFINITY))
    url = server.url(f"/executions/{NAMESPACE}/takes_a_file")
    refused = server.client.post(url, files={"report": ("report.csv", b"x" * 2 * MEBIBYTE)})
    assert refused.status_code == 503, refused.text
    assert "storage" in refused.json()["message"]
    failed = server.wait_for_end(server.run("writes_a_file", labels=f"size:{2 * MEBIBYTE}"))
    assert failed["state"]["current"] == "FAILED"
    (message,) = {line["message"] for line in server.logs(failed["id"], minLevel="ERROR")}
    assert "the disk" in message
    assert [file for file in (server.process.home / "storage").rglob("*") if file.is_file()] == []
    assert server.get("/executions/search")["total"] == 1

    resource.prlimit(
        server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    assert server.client.post(url, files={"report": ("report.csv", b"x" * 2 * MEBIBYTE)}).status_code == 200
    ended = server.wait_for_end(server.run("writes_a_file", labels=f"size:{2 * MEBIBYTE}"))
    assert ended["state"]["current"] == "SUCCESS"


def test_a_database_that_another_process_has_locked(server: Server, load: Load) -> None:
    (file,) = server.process.home.rglob("*.db")
    other = sqlite3.connect(file, isolation_level=None, timeout=20)
    other.execute("BEGIN IMMEDIATE")
    until(partial(says, server, "holds the lock of"), 20, server.process.log)
    # Reading goes on meanwhile.
    assert server.execution(load.acknowledged[0])["id"] == load.acknowledged[0]
    other.execute("COMMIT")
    other.close()
    finish(server, load)


@pytest.mark.postgres
@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_a_postgresql_server_that_is_away_for_a_while(
    make_server: ServerFactory, own_postgres_cluster: Cluster, mode: str
) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)
    server.process.start()
    load = begin_load(server)
    own_postgres_cluster.stop(mode)
    # Whether a commit was under way is chance; the heartbeat and requests find out in any case.
    until(partial(says, server, "does not serve now"), 20, server.process.log)
    until(lambda: load.statuses[503] >= 4 or server.process.log().count("trying again") >= 4, 20)
    assert server.client.get(f"{server.process.url}/ping").text == "pong"
    own_postgres_cluster.start()
    finish(server, load)
    server.process.stop()
    assert "Traceback" not in server.process.log()


@pytest.mark.postgres
def test_a_table_of_postgresql_that_another_session_has_locked(
    make_server: ServerFactory, own_postgres_cluster: Cluster
) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)
    server.process.start()
    load = begin_load(server)
    with asyncio.Runner() as runner:
        other = runner.run(asyncpg.connect(own_postgres_cluster.dsn))
        runner.run(other.execute("BEGIN"))
        runner.run(other.execute("LOCK TABLE task_runs IN EXCLUSIVE MODE"))
        until(partial(says, server, "lock timeout"), 20, server.process.log)
        # Reading goes on meanwhile.
        assert server.execution(load.acknowledged[0])["id"] == load.acknowledged[0]
        runner.run(other.execute("COMMIT"))
        runner.run(other.close())
    finish(server, load)
    server.process.stop()


@pytest.mark.postgres
def test_a_server_without_its_database_does_not_start_and_says_why(
    make_server: ServerFactory, own_postgres_cluster: Cluster
) -> None:
    own_postgres_cluster.stop("immediate")
    server = make_server(postgres=own_postgres_cluster.dsn)
    with pytest.raises(ServerDidNotStart, match="does not serve now"):
        server.process.start()
    assert "Traceback" not in server.process.log()
    assert server.process.wait() == 1


@pytest.mark.postgres
def test_a_server_whose_database_does_not_come_back_can_be_stopped(
    make_server: ServerFactory, own_postgres_cluster: Cluster
) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)
    server.process.start()
    load = begin_load(server)
    own_postgres_cluster.stop("immediate")
    until(partial(says, server, "trying again in"), 20, server.process.log)
    server.process.terminate()
    assert server.process.wait(30) == 2
    load.stop()
    # What was acknowledged before is in the database, and ends when there is a server again.
    own_postgres_cluster.start()
    server.process.start()
    for id_ in load.acknowledged:
        assert server.wait_for_end(id_)["state"]["current"] == "SUCCESS"
    server.process.stop()


def says(server: Server, text: str) -> bool:
    return text in server.process.log()
