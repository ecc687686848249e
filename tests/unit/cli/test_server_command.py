"""``windhover server``: what it says once it answers, and when it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from windhover.cli.server import ServerOptions, banner, serve
from windhover.config import load
from windhover.server.standalone import Addresses


def options(
    home: Path, *, port: int = 0, config: list[Path] | None = None, log_level: str = "ERROR"
) -> ServerOptions:
    return ServerOptions(port, 0, home, config or [], 1, [], log_level, embedded=True)


def test_the_banner_names_all_that_one_wants_to_know(tmp_path: Path) -> None:
    settings = load([], overrides={"windhover.home": str(tmp_path)})

    shown = banner(settings, Addresses("0.0.0.0", 8080, 8081))

    assert "http://localhost:8080/api/v1/main" in shown
    assert "http://localhost:8081/health" in shown
    assert str(tmp_path / "data" / "windhover.db") in shown
    assert str(tmp_path / "storage") in shown


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]

        assert serve(options(tmp_path / "home", port=port)) == 1

    assert f"Port {port} of 0.0.0.0 cannot be listened on" in capsys.readouterr().err


def test_a_wrong_configuration_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yml"
    file.write_text("kestra:\n  server:\n    liveness:\n      timeout: soon\n")

    assert serve(options(tmp_path / "home", config=[file])) == 1

    shown = capsys.readouterr().err
    assert shown.startswith("The configuration is wrong:")
    assert "config.yml:4:16: kestra.server.liveness.timeout" in shown


def test_a_log_level_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(options(tmp_path / "home", log_level="LOUD")) == 1

    assert "`LOUD` is no level" in capsys.readouterr().err
