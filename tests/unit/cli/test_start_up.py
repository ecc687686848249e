"""What ``windhover run`` of a small flow must not pay for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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

PROGRAM = """
import sys
from windhover.cli.main import app
try:
    app(["run", sys.argv[1]])
finally:
    print("\\n".join(sys.modules))
"""


def test_a_small_flow_runs_without_the_heavy_libraries(tmp_path: Path) -> None:
    file = tmp_path / "hello.yml"
    file.write_text(FLOW)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines())
    assert "windhover.core.log.log" in loaded
    assert (HEAVY | UNUSED) & loaded == set()
