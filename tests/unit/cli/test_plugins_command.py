"""``windhover plugins``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from windhover.cli.plugins import list_plugins, new_plugin, show_plugin


def test_all_types_of_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_plugins("flowable") == 0

    lines = capsys.readouterr().out.splitlines()
    assert "io.kestra.plugin.core.flow.ForEach  FLOWABLE" in lines
    assert "io.kestra.plugin.core.flow.EachParallel  FLOWABLE  (deprecated)" in lines
    assert not any("log.Log" in line for line in lines)


def test_a_kind_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_plugins("tsak") == 2

    assert "There is no kind tsak; there are RUNNABLE, " in capsys.readouterr().err


def test_plugins_that_are_installed_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    list_plugins(None)

    assert "io.kestra.plugin.scripts.python.Script  RUNNABLE" in capsys.readouterr().out.splitlines()


def test_the_schema_of_a_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_plugin("io.kestra.plugin.core.log.Log") == 0

    assert "message" in json.dumps(json.loads(capsys.readouterr().out))


def test_a_type_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_plugin("io.kestra.plugin.core.log.Lgo") == 1

    assert "Did you mean io.kestra.plugin.core.log.Log?" in capsys.readouterr().err


def test_a_new_plugin_is_not_written_over_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new_plugin("acme-greetings", tmp_path) == 0
    assert (tmp_path / "acme-greetings" / "pyproject.toml").is_file()
    example = capsys.readouterr().out.split()[-1]
    assert Path(example).is_file()

    assert new_plugin("acme-greetings", tmp_path) == 1
    assert capsys.readouterr().err
