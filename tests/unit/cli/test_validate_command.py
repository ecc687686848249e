"""``windhover flow validate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from windhover.cli.validate import validate_files

VALID = """id: flow
namespace: company.team
tasks:
  - id: tell
    type: io.kestra.plugin.core.log.Log
    message: hi
"""
INVALID = VALID.replace("message", "mesage")


def test_every_problem_is_a_line_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(INVALID)

    assert validate_files([file]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{file}:6:5: unknown-property tasks[0].mesage: ") for line in lines)
    assert any("did you mean `message`?" in line for line in lines)
    assert lines[-1] == "1 flow checked, 1 invalid."


def test_folders_are_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yml").write_text(VALID)
    (tmp_path / "b.yaml").write_text(VALID)
    (tmp_path / "notes.txt").write_text("no flow")

    assert validate_files([tmp_path]) == 0

    assert capsys.readouterr().out == "2 flows checked, all valid.\n"


def test_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(INVALID)

    validate_files([file], as_json=True)

    problems = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    unknown = next(problem for problem in problems if problem["code"] == "unknown-property")
    assert (unknown["line"], unknown["column"], unknown["suggestion"]) == (6, 5, "message")


def test_deprecated_types_are_named_and_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(VALID.replace("log.Log\n    message", "debug.Echo\n    format"))

    assert validate_files([file]) == 0

    assert "deprecated" in capsys.readouterr().out


def test_old_names_are_told_with_those_of_today(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(VALID.replace("io.kestra.plugin.core.log.Log", "io.kestra.core.tasks.log.Log"))

    assert validate_files([file]) == 0

    told = capsys.readouterr().out
    assert "io.kestra.core.tasks.log.Log is replaced by io.kestra.plugin.core.log.Log" in told


def test_no_flows_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate_files([tmp_path]) == 2

    assert capsys.readouterr().err == "No flow files there.\n"


def test_a_missing_file_is_a_problem_of_that_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate_files([tmp_path / "none.yaml"]) == 1

    assert "none.yaml:1:1" in capsys.readouterr().out
