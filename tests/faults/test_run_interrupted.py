"""Ctrl-C during ``windhover run``: the execution is killed, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.conftest import NAMESPACE, processes_naming, until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_all_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    marker, temporary = tmp_path / "marker", tmp_path / "temporary"
    temporary.mkdir()
    endless = "while :; do sleep 1; done"
    flow = tmp_path / "flow.yaml"
    flow.write_text(f"""
id: endless
namespace: {NAMESPACE}
tasks:
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    commands:
      - "setsid sh -c '{endless}' {marker}-daemon & sh -c '{endless}' {marker}-child"
  - id: never
    type: io.kestra.plugin.core.log.Log
    message: never
finally:
  - id: farewell
    type: io.kestra.plugin.core.log.Log
    message: farewell
""")
    run = subprocess.Popen(
        [sys.executable, "-m", "windhover.cli.main", "run", str(flow)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for role in ("daemon", "child"):
            until(lambda role=role: processes_naming(f"{marker}-{role}"), 20, lambda role=role: role)
        run.send_signal(number)
        output, errors = run.communicate(timeout=20)
    finally:
        run.kill()
    assert run.returncode == 130
    assert "KILLED in " in output.splitlines()[-1]
    assert "never" not in output
    assert errors == ""
    assert processes_naming(str(marker)) == []
    assert list(temporary.iterdir()) == []
