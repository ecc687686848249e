"""Outputs that are too large for a row, and those that are too large for anything."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from tests.faults.conftest import NAMESPACE, Server, SharedServers

MEBIBYTE = 1024 * 1024


@pytest.fixture
def server(shared_servers: SharedServers) -> Server:
    """A server with low limits: outputs above 64 KiB are stored, those above 4 MiB are refused."""
    return shared_servers("windhover.limits.inline-outputs: 65536\nwindhover.limits.max-outputs: 4194304\n")


def blob(size: int, *more: str) -> str:
    return f"""
id: blob
namespace: {NAMESPACE}
tasks:
  - id: blob
    type: tests.fault.Blob
    size: {size}
""" + "".join(more)


READERS = """
  - id: read
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.blob.text | length }}"
  - id: if
    type: io.kestra.plugin.core.flow.If
    condition: "{{ outputs.blob.flag and (outputs.blob.text | length) > 1000 }}"
    then:
      - id: taken
        type: io.kestra.plugin.core.debug.Return
        format: "{{ outputs.blob.items | length }}"
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: 0
    values: "{{ outputs.blob.items | slice(0, 3) }}"
    tasks:
      - id: item
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }} of {{ outputs.blob.items | length }}"
"""


def test_a_large_output_is_stored_and_read_back_by_tasks_conditions_and_loops(server: Server) -> None:
    server.save(blob(MEBIBYTE, READERS))
    execution = server.run("blob")
    found = server.wait_for_end(execution)
    assert found["state"]["current"] == "SUCCESS", server.logs(execution)
    outputs = {(run["taskId"], run.get("value")): run.get("outputs") for run in found["taskRunList"]}
    assert outputs["read", None] == {"value": str(MEBIBYTE)}
    assert outputs["taken", None] == {"value": str(MEBIBYTE // 8)}
    assert outputs["item", "00002"] == {"value": f"00002 of {MEBIBYTE // 8}"}
    stored = outputs["blob", None]["text"]
    assert stored["uri"].startswith("kestra:///")
    assert stored["size"] == MEBIBYTE + 2


def test_stored_outputs_are_still_readable_after_a_crash(server: Server, tmp_path: Path) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    between = f"""
  - id: gate
    type: tests.fault.Gate
    entered: {entered}
    opened: {opened}
"""
    server.save(blob(MEBIBYTE, between, READERS))
    execution = server.run("blob")
    server.process.kill_all()
    server.process.start()
    opened.touch()
    assert server.wait_for_end(execution)["state"]["current"] == "SUCCESS"


def test_an_output_above_the_limit_fails_that_task_and_says_why(server: Server) -> None:
    server.save(
        blob(5 * MEBIBYTE)
        + """
errors:
  - id: handler
    type: io.kestra.plugin.core.log.Log
    message: handled
"""
    )
    execution = server.run("blob")
    found = server.wait_for_end(execution)
    assert found["state"]["current"] == "FAILED"
    assert [run["state"]["current"] for run in found["taskRunList"]] == ["FAILED", "SUCCESS"]
    (message,) = [line["message"] for line in server.logs(execution, minLevel="ERROR")]
    assert "more than the limit of 4.0 MiB" in message
    assert "`items` alone is 5.5 MiB" in message


def test_the_memory_and_the_database_do_not_grow_with_what_is_stored(server: Server) -> None:
    count = 30
    server.save(blob(MEBIBYTE, READERS))
    process = psutil.Process(server.process.pid)

    def memory_after_as_many_at_once() -> int:
        for execution in [server.run("blob") for _ in range(count)]:
            assert server.wait_for_end(execution)["state"]["current"] == "SUCCESS"
        return int(process.memory_info().rss)

    size = database_size(server)
    first = memory_after_as_many_at_once()
    second = memory_after_as_many_at_once()
    assert second - first < 2 * count * MEBIBYTE, "an output, read back, takes several times its size"
    assert database_size(server) - size < 8 * MEBIBYTE


def database_size(server: Server) -> int:
    return sum(file.stat().st_size for file in server.process.home.rglob("*.db*"))
