"""Runs recorded expression cases inside of tasks on a real server, where they are at hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server_process import ServerProcess

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = Path(os.environ.get("WINDHOVER_SHARED", _ROOT.parent / "shared")) / "conformance"
_RUNNER = _FOLDER / "run_expressions.py"

_CONFIGURATION = """
kestra:
  encryption:
    secret-key: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
"""

#: What no request can make, so that the server is started with it.
_ENVIRONMENT = {"ENV_FOO": "bar"}
_PROVIDED = ("env:ENV_FOO=bar",)

#: Cases that cannot pass, and why. One that passes must be taken out.
FAILING: dict[str, str] = {}

pytestmark = [
    pytest.mark.skipif(not _RUNNER.exists(), reason=f"no recorded cases at {_FOLDER}; set WINDHOVER_SHARED"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with an empty database."""
    home = tmp_path_factory.mktemp("expressions") / "home"
    server = ServerProcess(home, configuration=_CONFIGURATION, environment=_ENVIRONMENT)
    server.start()
    yield server
    server.stop()


@pytest.mark.timeout(240)
def test_recorded_expressions_in_tasks(server: ServerProcess, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments: list[str | Path] = [
        "--url", server.url, "--cases", _FOLDER / "expressions.jsonl", "--jobs", "4", "--report", report,
        *(argument for need in _PROVIDED for argument in ("--provided", need)),
    ]  # fmt: skip

    run = subprocess.run([sys.executable, _RUNNER, *arguments], capture_output=True, text=True, check=False)

    assert report.exists(), run.stdout + run.stderr
    results = json.loads(report.read_text())["results"]
    by_status = {
        status: {result["id"] for result in results if result["status"] == status}
        for status in ("passed", "soft", "failed", "skipped")
    }
    assert by_status["failed"] == set(FAILING), run.stdout[-4000:] + server.log()[-2000:]
    assert by_status["skipped"] == set(), run.stdout[-2000:]
    assert len(by_status["passed"]) > 600
