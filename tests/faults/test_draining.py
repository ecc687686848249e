"""SIGTERM while tasks run: they may end, or they come again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.faults.conftest import Server, ServerFactory, until, until_file
from tests.faults.gates import gate


def gates(tmp_path: Path, kind: str = "Gate") -> tuple[str, Path, Path]:
    entered, opened = tmp_path / "entered", tmp_path / "opened"
    return gate(entered, opened, kind), entered, opened


def test_a_task_that_ends_while_its_worker_drains_is_recorded(server: Server, tmp_path: Path) -> None:
    source, entered, opened = gates(tmp_path)
    server.save(source)
    execution = server.run("gate")
    until_file(entered)
    server.process.terminate()
    until(lambda: _is_stopping(server), 10)
    opened.touch()
    assert server.process.wait() == 0
    server.process.start()
    found = server.wait_for_end(execution)
    assert found["state"]["current"] == "SUCCESS"
    assert [len(run["attempts"]) for run in found["taskRunList"]] == [1, 1]
    assert entered.read_text() == "entered\n"


def test_jobs_that_no_worker_had_taken_are_handed_out_at_the_next_start(
    make_server: ServerFactory, tmp_path: Path
) -> None:
    source, entered, opened = gates(tmp_path)
    server = make_server(threads=1)
    server.process.start()
    server.save(source)
    executions = [server.run("gate") for _ in range(5)]
    until_file(entered)
    server.process.terminate()
    until(lambda: _is_stopping(server), 10)
    opened.touch()
    assert server.process.wait() == 0
    assert entered.read_text() == "entered\n"
    server.process.start()
    for execution in executions:
        assert server.wait_for_end(execution)["state"]["current"] == "SUCCESS"
    assert entered.read_text() == "entered\n" * 5


def test_a_second_signal_forces_the_end_and_the_task_comes_again(server: Server, tmp_path: Path) -> None:
    source, entered, opened = gates(tmp_path)
    server.save(source)
    execution = server.run("gate")
    until_file(entered)
    server.process.terminate()
    until(lambda: _is_stopping(server), 10)
    server.process.terminate()
    assert server.process.wait(10) == 2
    server.process.start()
    until_file(entered, 2)
    opened.touch()
    found = server.wait_for_end(execution)
    assert found["state"]["current"] == "SUCCESS"
    first = found["taskRunList"][0]
    assert [attempt["state"]["current"] for attempt in first["attempts"]] == ["RESUBMITTED", "SUCCESS"]


def test_tasks_left_after_the_grace_period_are_cut_off(make_server: ServerFactory, tmp_path: Path) -> None:
    source, entered, opened = gates(tmp_path)
    server = make_server(configuration="kestra.server.termination-grace-period: PT0.5S\n")
    server.process.start()
    server.save(source)
    execution = server.run("gate")
    until_file(entered)
    server.process.terminate()
    assert server.process.wait(15) == 2
    opened.touch()
    server.process.start()
    assert server.wait_for_end(execution)["state"]["current"] == "SUCCESS"


def test_a_thread_that_hears_nothing_does_not_hold_up_a_forced_end(server: Server, tmp_path: Path) -> None:
    source, entered, _ = gates(tmp_path, "Stubborn")
    server.save(source)
    server.run("gate")
    until_file(entered)
    server.process.terminate()
    until(lambda: _is_stopping(server), 10)
    server.process.terminate()
    assert server.process.wait(15) == 2


def _is_stopping(server: Server) -> bool:
    """The server has taken the signal: its record in the list of services says so."""
    (file,) = server.process.home.rglob("*.db")
    with sqlite3.connect(file) as connection:
        return bool(connection.execute("SELECT 1 FROM services WHERE state = 'TERMINATING'").fetchall())
