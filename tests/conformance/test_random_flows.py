"""Runs recorded random flows against a real server, where they are at hand: nests of every construct."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.server_process import ServerProcess

_HERE = Path(__file__).resolve().parent
_FOLDER = Path(os.environ.get("WINDHOVER_SHARED", _HERE.parents[2] / "shared")) / "conformance"
_RUNNER = _FOLDER / "random_flows.py"
_RECORDED = _FOLDER / "random-flows.jsonl"

pytestmark = [
    pytest.mark.skipif(
        not _RECORDED.exists(), reason=f"no recorded flows at {_FOLDER}; set WINDHOVER_SHARED"
    ),
    pytest.mark.slow,
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with an empty database."""
    server = ServerProcess(tmp_path / "home")
    server.start()
    yield server
    server.stop()


def known_differences() -> tuple[set[int], set[int]]:
    """The seeds of flows that must end otherwise than recorded, and of those that may."""
    must, may = set[int](), set[int]()
    for quirk in yaml.safe_load((_HERE / "random_flows.yaml").read_text()).values():
        (may if quirk.get("race") else must).update(quirk["seeds"])
    return must, may


@pytest.mark.timeout(240)
def test_random_flows_end_as_recorded(server: ServerProcess) -> None:
    arguments = ["compare", "--url", server.url, "--cases", _RECORDED, "--jobs", "24"]

    run = subprocess.run([sys.executable, _RUNNER, *arguments], capture_output=True, text=True, check=False)

    differences = {int(seed): text for seed, text in re.findall(r"(?m)^FAIL (\d+): (.*)$", run.stdout)}
    assert re.search(r"(?m)^\d+ passed, \d+ failed$", run.stdout), run.stdout + run.stderr
    unfinished = {
        seed: text for seed, text in differences.items() if "ended" in text or "does not end" in text
    }
    assert not unfinished, server.log()[-2000:]
    must, may = known_differences()
    assert not {seed: text for seed, text in differences.items() if seed not in must | may}
    recorded = set(map(int, re.findall(r'(?m)^\{"seed": (\d+)', _RECORDED.read_text())))
    assert not must & recorded - set(differences), "equal now: take them out of random_flows.yaml"
