"""A kill wins, in whatever state it finds the execution, and nothing revives what was killed."""

from __future__ import annotations

import time
from pathlib import Path

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
from tests.faults.gates import gate

#: Seconds within which a killed task must be over: the grace period, and what the server needs itself.
GRACE = 8.0


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def test_an_execution_that_waits_for_its_time(server: Server, tmp_path: Path) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    opened.touch()
    server.save(gate(entered, opened))
    killed = server.run("gate", scheduleDate=_in_seconds(5))
    later = server.run("gate", scheduleDate=_in_seconds(6))
    assert server.state(killed) == "CREATED"
    server.kill(killed)
    assert server.state(killed) == "KILLED"
    # Its time has come and gone when the other one has run.
    assert server.wait_for_end(later)["state"]["current"] == "SUCCESS"
    found = server.execution(killed)
    assert found["state"]["current"] == "KILLED"
    assert not found.get("taskRunList")
    assert entered.read_text() == "entered\n"


def test_a_task_that_no_worker_has_taken(make_server: ServerFactory, tmp_path: Path) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    server = make_server(threads=1)
    server.process.start()
    server.save(gate(entered, opened))
    running = server.run("gate")
    until_file(entered)
    waiting = server.run("gate")
    assert server.execution(waiting)["taskRunList"][0]["state"]["current"] == "SUBMITTED"
    server.kill(waiting)
    found = server.wait_for_end(waiting, GRACE)
    assert found["state"]["current"] == "KILLED"
    assert [run["state"]["current"] for run in found["taskRunList"]] == ["KILLED"]
    opened.touch()
    assert server.wait_for_end(running)["state"]["current"] == "SUCCESS"
    assert server.wait_for_end(server.run("gate"))["state"]["current"] == "SUCCESS"
    assert entered.read_text() == "entered\n" * 2


def test_a_task_that_sleeps(server: Server) -> None:
    server.save(f"""
id: sleeping
namespace: {NAMESPACE}
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: 0
    values: [1, 2, 3]
    tasks:
      - id: sleep
        type: io.kestra.plugin.core.flow.Sleep
        duration: PT1H
""")
    execution = server.run("sleeping")
    until(lambda: _running(server, execution) == 4, 20)
    server.kill(execution)
    found = server.wait_for_end(execution, GRACE)
    assert {run["state"]["current"] for run in found["taskRunList"]} == {"KILLED"}
    assert found["state"]["current"] == "KILLED"
    assert_nothing_unfinished(found)


def test_a_tree_of_processes(server: Server, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    endless = "while :; do sleep 1; done"
    deaf = "trap '' TERM HUP INT; while :; do sleep 1; done"
    server.save(f"""
id: tree
namespace: {NAMESPACE}
tasks:
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner:
      type: io.kestra.plugin.core.runner.Process
    commands:
      - |
        sh -c "sh -c '{endless}' {marker}-grandchild; true" {marker}-child &
        (setsid nohup sh -c '{endless}' {marker}-daemon > /dev/null 2>&1 &)
        setsid sh -c "{deaf}" {marker}-deaf &
        {endless}
""")
    execution = server.run("tree")
    for role in ("child", "grandchild", "daemon", "deaf"):
        until(lambda role=role: processes_naming(f"{marker}-{role}"), 20, lambda role=role: role)
    server.kill(execution)
    found = server.wait_for_end(execution, GRACE)
    assert found["state"]["current"] == "KILLED"
    assert_nothing_unfinished(found)
    until(lambda: not processes_naming(str(marker)), 5, lambda: str(processes_naming(str(marker))))


def test_a_thread_that_does_not_look_whether_it_is_cancelled(server: Server, tmp_path: Path) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    server.save(gate(entered, opened, "Stubborn"))
    execution = server.run("gate")
    until_file(entered)
    server.kill(execution)
    assert server.wait_for_end(execution, GRACE)["state"]["current"] == "KILLED"
    # Its late result is refused, and its slot is given back.
    opened.touch()
    until(lambda: "its slot is free again" in server.log(), 30, server.log)
    found = server.execution(execution)
    assert found["state"]["current"] == "KILLED"
    assert [run["state"]["current"] for run in found["taskRunList"]] == ["KILLED"]
    assert len(found["taskRunList"][0]["attempts"]) == 1


def test_a_task_whose_worker_is_gone(server: Server, tmp_path: Path) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    server.save(gate(entered, opened))
    execution = server.run("gate")
    until_file(entered)
    server.process.kill_all()
    server.process.start()
    server.kill(execution)
    found = server.wait_for_end(execution, GRACE)
    assert found["state"]["current"] == "KILLED"
    assert_nothing_unfinished(found)


def test_a_server_that_dies_between_the_kill_and_the_end(server: Server, tmp_path: Path) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    server.save(gate(entered, opened, "Stubborn"))
    execution = server.run("gate")
    until_file(entered)
    server.kill(execution)
    server.process.kill_all()
    server.process.start()
    found = server.wait_for_end(execution, GRACE)
    assert found["state"]["current"] == "KILLED"
    assert_nothing_unfinished(found)
    assert entered.read_text() == "entered\n"


def test_what_was_killed_stays_so_after_a_restart(server: Server, tmp_path: Path) -> None:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    server.save(gate(entered, opened))
    execution = server.run("gate")
    until_file(entered)
    server.kill(execution)
    before = server.wait_for_end(execution, GRACE)
    opened.touch()
    server.process.kill_all()
    server.process.start()
    assert server.wait_for_end(server.run("gate"))["state"]["current"] == "SUCCESS"
    assert server.execution(execution) == before


def _running(server: Server, execution: str) -> int:
    runs = server.execution(execution).get("taskRunList", [])
    return sum(run["state"]["current"] == "RUNNING" for run in runs)


def _in_seconds(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
