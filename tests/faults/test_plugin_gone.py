"""A server that starts without a plugin that its executions need, and one that has it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.conftest import NAMESPACE, Server, until, until_file
from tests.server_process import ServerProcess


@pytest.fixture
def without_plugin(server: Server, tmp_path: Path) -> Iterator[Server]:
    """A server on the same home that does not know the tasks of the fault tests."""
    configuration = f"kestra.tasks.tmp-dir.path: {tmp_path / 'home'}-tmp\n"
    process = ServerProcess(server.process.home, configuration=configuration)
    yield Server(process)
    process.kill_all()


def test_what_was_under_way_ends_with_the_reason_and_can_be_restarted(
    server: Server, without_plugin: Server, tmp_path: Path
) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    server.save(f"""
id: gate
namespace: {NAMESPACE}
tasks:
  - id: before
    type: io.kestra.plugin.core.debug.Return
    format: kept
  - id: gate
    type: tests.fault.Gate
    entered: {entered}
    opened: {opened}
""")
    execution = server.run("gate")
    until_file(entered)
    # A worker does not wait for the database before it begins: the attempt may not be noted yet.
    until(lambda: server.execution(execution)["taskRunList"][1].get("attempts"), 20)
    server.process.kill_all()

    without_plugin.process.start()
    found = without_plugin.wait_for_end(execution)
    assert found["state"]["current"] == "FAILED"
    assert [run["state"]["current"] for run in found["taskRunList"]] == ["SUCCESS", "FAILED"]
    (message,) = [line["message"] for line in without_plugin.logs(execution, minLevel="ERROR")]
    assert "The execution cannot go on" in message
    assert "tests.fault.Gate" in message
    restart = f"/executions/{execution}/restart"
    refused = without_plugin.client.post(without_plugin.url(restart))
    assert 400 <= refused.status_code < 500
    assert "tests.fault.Gate" in refused.json()["message"]
    without_plugin.process.stop()

    server.process.start()
    opened.touch()
    assert server.client.post(server.url(restart)).status_code == 200
    ended = server.wait_for_end(execution)
    assert ended["state"]["current"] == "SUCCESS"
    assert [len(run["attempts"]) for run in ended["taskRunList"]] == [1, 2]
