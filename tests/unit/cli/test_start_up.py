"""What ``windhover run`` of a small flow must not pay for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
id: hello
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: Hello World!
"""

#: Libraries that take long to import, and that only servers or other types of task need.
HEAVY = {
    "alembic", "amazon", "asyncpg", "babel", "cryptography", "fastapi", "holidays", "httpx", "jq", "jsonata",
    "jsonschema", "obstore", "regex", "rich", "sqlalchemy", "starlette", "uvicorn", "uvloop",
}  # fmt: skip

#: Parts of the product that a flow without triggers, scripts and searches does not touch.
UNUSED = {"windhover.config", "windhover.webserver", "windhover.repository.tables", "windhover.core.flow"}

#: Prints the modules that a run has loaded; the file's path is the argument.
MODULES = """
import sys
from windhover.cli.commands import app
try:
    app(["run", sys.argv[1]])
finally:
    print("\\n".join(sys.modules))
"""

#: Prints the dataclasses of the product that a run has made; the file's path is the argument.
CLASSES = """
import dataclasses, inspect, sys
from windhover.cli.commands import app
try:
    app(["run", sys.argv[1]])
finally:
    for name, module in sorted(sys.modules.items()):
        for one in vars(module).values() if name.startswith("windhover.") else ():
            if inspect.isclass(one) and one.__module__ == name and dataclasses.is_dataclass(one):
                print("dataclass", f"{name}.{one.__name__}")
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    file = tmp_path / "hello.yml"
    file.write_text(FLOW)
    return file


def test_a_small_flow_runs_without_the_heavy_libraries(flow: Path) -> None:
    loaded = set(_printed(MODULES, flow))
    assert "windhover.core.log.log" in loaded
    assert (HEAVY | UNUSED) & loaded == set()


def test_values_are_structs_where_every_start_makes_their_classes(flow: Path) -> None:
    """The class of a dataclass takes 0.7 ms to make, of a ``msgspec.Struct`` 0.02; there are over 130."""
    assert [line for line in _printed(CLASSES, flow) if line.startswith("dataclass ")] == []


def _printed(program: str, *arguments: Path) -> list[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
