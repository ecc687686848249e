"""A disk that is full, a table that is locked, a database that does not come back: nothing is lost."""

from __future__ import annotations

import asyncio
import resource
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from tests.brokers import free_port
from tests.faults.conftest import NAMESPACE, Server, ServerFactory, until
from tests.faults.load import Load, begin_load, finish, says
from tests.postgres import Cluster
from tests.server_process import ServerDidNotStart

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
ENDS_WHEN_OPENED = f"""
id: ends_when_opened
namespace: {NAMESPACE}
tasks:
  - id: gate
    type: tests.fault.Gate
    entered: {{entered}}
    opened: {{opened}}
"""
MEBIBYTE = 1024 * 1024


@pytest.fixture
def load(server: Server) -> Load:
    return begin_load(server)


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


@pytest.mark.postgres
def test_a_table_of_postgresql_that_another_session_has_locked(
    make_server: ServerFactory, postgres_database: str
) -> None:
    server = make_server(postgres=postgres_database)
    server.process.start()
    load = begin_load(server)
    with asyncio.Runner() as runner:
        other = runner.run(asyncpg.connect(postgres_database))
        runner.run(other.execute("BEGIN"))
        runner.run(other.execute("LOCK TABLE task_runs IN EXCLUSIVE MODE"))
        until(partial(says, server, "lock timeout"), 20, server.process.log)
        # Reading goes on meanwhile.
        assert server.execution(load.acknowledged[0])["id"] == load.acknowledged[0]
        runner.run(other.execute("COMMIT"))
        runner.run(other.close())
    finish(server, load)
    server.process.stop()


def test_a_server_without_its_database_does_not_start_and_says_why(make_server: ServerFactory) -> None:
    server = make_server(postgres=f"postgresql://windhover@127.0.0.1:{free_port()}/windhover")
    with pytest.raises(ServerDidNotStart, match="does not serve now"):
        server.process.start()
    assert "Traceback" not in server.process.log()
    assert server.process.wait() == 1


@pytest.mark.postgres
def test_a_server_whose_database_does_not_come_back_can_be_stopped(
    make_server: ServerFactory, own_postgres_cluster: Cluster, tmp_path: Path
) -> None:
    server = make_server(postgres=own_postgres_cluster.dsn)
    server.process.start()
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    server.save(ENDS_WHEN_OPENED.format(entered=entered, opened=opened))
    running = server.run("ends_when_opened")
    until(entered.exists, 20, server.process.log)
    load = begin_load(server)
    own_postgres_cluster.stop("immediate")
    # Whether a commit of the load was under way is chance; that of this task's end is not.
    opened.touch()
    until(partial(says, server, "trying again in"), 20, server.process.log)
    server.process.terminate()
    assert server.process.wait(30) == 2
    load.stop()
    # What was acknowledged before is in the database, and ends when there is a server again.
    own_postgres_cluster.start()
    server.process.start()
    for id_ in (running, *load.acknowledged):
        assert server.wait_for_end(id_)["state"]["current"] == "SUCCESS"
    server.process.stop()
