"""Ctrl-C during ``windhover run``: the execution is killed, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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


def test_a_run_that_is_interrupted_before_it_begins_says_nothing(tmp_path: Path) -> None:
    """Whatever it was about: its imports, its database, its flow."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    flow = tmp_path / "flow.yaml"
    flow.write_text(f"""
id: sleeps
namespace: {NAMESPACE}
tasks:
  - id: sleep
    type: io.kestra.plugin.core.flow.Sleep
    duration: PT1M
""")
    for delay in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8):
        run = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "windhover.cli.main", "run", str(flow)],
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert run.stderr is not None
            said = [next(line for line in run.stderr if "windhover.cli" in line)]
            time.sleep(delay)
            run.send_signal(signal.SIGINT)
            said += [line for line in run.stderr if not line.startswith("import time:")]
            assert (run.wait(timeout=20), said[1:]) == (130, [])
        finally:
            run.kill()
    assert list(temporary.iterdir()) == []
