"""Packages for Python tasks, from a wheel that the test makes itself."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker
from windhover_scripts.python.script import Script


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "falcon_probe-1.0-py3-none-any.whl"
    info = "falcon_probe-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("falcon_probe.py", "WINGS = 2\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: falcon-probe\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"falcon_probe.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("manager", ["UV", "PIP"])
async def test_packages_are_installed_once(tmp_path: Path, wheel: Path, manager: str) -> None:
    configurations = {Script.type_name: {"cacheDirectory": str(tmp_path / "cache")}}
    properties = {
        "script": "import falcon_probe, sys\nprint(falcon_probe.WINGS)\nprint(sys.prefix != sys.base_prefix)",
        "dependencies": [str(wheel)],
        "packageManager": manager,
    }
    async with InlineWorker(tmp_path, configurations=configurations) as worker:
        first = await worker.run(Script, properties)
        second = await worker.run(Script, properties)
    assert first.messages[0] == f"Installing Python packages: {wheel}"
    assert first.messages[-2:] == ["2", "True"]
    assert second.messages == ["2", "True"]


@pytest.mark.slow
async def test_packages_that_cannot_be_had_fail_the_task(tmp_path: Path) -> None:
    configurations = {Script.type_name: {"cacheDirectory": str(tmp_path / "cache")}}
    async with InlineWorker(tmp_path, configurations=configurations) as worker:
        run = await worker.run(Script, {"script": "", "dependencies": [str(tmp_path / "missing.whl")]})
    assert run.state is StateType.FAILED
    assert run.at(LogLevel.ERROR)[0].startswith("The Python packages cannot be installed")
