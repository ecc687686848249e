"""Executions started over the API: each effect of what was acknowledged happens."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import httpx
from tests.faults.conftest import NAMESPACE, Server, assert_nothing_unfinished
from tests.faults.crashes.campaign import Scenario, Senders

EFFECTS = ("first", "item1", "item2", "item3", "shell")


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


class Effects(Scenario):
    """What was acknowledged reaches its end, with all its effects and all its log lines."""

    def __init__(self, server: Server, folder: Path) -> None:
        super().__init__(server)
        self._file = folder / "effects"
        self.flows = [flow_with_effects(self._file)]
        self._acknowledged: list[str] = []

    def begin(self, round_: int) -> None:
        self._senders = Senders("abc", self._start)

    def _start(self, client: httpx.Client, _: str) -> httpx.Response:
        return client.post(self.server.url(f"/executions/{NAMESPACE}/effects"))

    def crashed(self) -> None:
        self._senders.join()
        for sender in self._senders.all:
            self._acknowledged += [answer["id"] for answer in sender.answers.values()]

    def check(self) -> None:
        for id_ in self._acknowledged:
            execution = self.server.wait_for_end(id_, seconds=60)
            assert execution["state"]["current"] == "WARNING", [execution, self.server.logs(id_)]
            assert_nothing_unfinished(execution)
            assert len(execution["taskRunList"]) == 8
        happened = {(line.split()[0], line.split()[-1]) for line in self._file.read_text().splitlines()}
        missing = {(id_, effect) for id_ in self._acknowledged for effect in EFFECTS} - happened
        assert not missing


def assert_no_gaps(home: Path) -> None:
    """The log lines of every execution are numbered from 1 without a gap."""
    (file,) = home.rglob("*.db")
    with sqlite3.connect(file) as connection:
        found = connection.execute(
            "SELECT execution_id, count(*), min(sequence), max(sequence) FROM logs"
            " WHERE execution_id IN (SELECT id FROM executions) GROUP BY execution_id"
        ).fetchall()
    assert found
    assert [row for row in found if row[2] != 1 or row[3] != row[1]] == []


def assert_nothing_left_to_do(home: Path) -> None:
    """Once all has ended the database holds no work: what was acknowledged is deleted, not kept."""
    (file,) = home.rglob("*.db")
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM timers").fetchone() == (0,)
