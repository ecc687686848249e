"""Runs recorded flow executions against a real server, on every database, where they are at hand."""

from __future__ import annotations

import asyncio
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
_RUNNER = _FOLDER / "run_flows.py"

#: Cases that cannot pass, and why. One that passes must be taken out.
FAILING: dict[str, str] = {}

_CONFIGURATION = """
kestra:
  encryption:
    secret-key: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
"""

pytestmark = [
    pytest.mark.skipif(not _RUNNER.exists(), reason=f"no recorded cases at {_FOLDER}; set WINDHOVER_SHARED"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with an empty database."""
    dsn = None
    if request.param == "postgresql":
        dsn = asyncio.run(request.getfixturevalue("postgres_cluster").create_database())
    home = tmp_path_factory.mktemp("conformance") / "home"
    server = ServerProcess(home, postgres=dsn, configuration=_CONFIGURATION)
    server.start()
    yield server
    server.stop()


@pytest.mark.timeout(300)
def test_recorded_flows(server: ServerProcess, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = [
        "--url", server.url, "--cases", _FOLDER / "flows.yaml", "--flows", _FOLDER / "flows",
        "--jobs", "8", "--timeout", "60", "--report", report,
    ]  # fmt: skip

    run = subprocess.run([sys.executable, _RUNNER, *arguments], capture_output=True, text=True, check=False)

    assert report.exists(), run.stdout + run.stderr
    results = json.loads(report.read_text())["results"]
    unexpected = {
        result["id"]: result["reason"] or "it passes now: take it out of FAILING"
        for result in results
        if result["passed"] is (result["id"] in FAILING)
    }
    assert not unexpected, server.log()[-2000:]
    assert results
