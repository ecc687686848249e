"""What `windhover plugins new` writes works as it is."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from windhover.plugin.discovery import ENTRY_POINT_GROUP, PluginPackage
from windhover.plugin.registry import describe
from windhover.plugin.scaffold import write_plugin_package


def test_the_package_is_found_by_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin_package(tmp_path, "acme-mail", prefix="com.acme.mail")
    monkeypatch.syspath_prepend(tmp_path / "src")

    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    entry_point = project["project"]["entry-points"][ENTRY_POINT_GROUP]["acme-mail"]
    cls = PluginPackage(entry_point).locate("com.acme.mail.Greet")

    assert cls is not None
    assert describe(cls, requested="com.acme.mail.Greet").type_name == "com.acme.mail.Greet"


def test_its_own_test_passes(tmp_path: Path) -> None:
    write_plugin_package(tmp_path, "acme")

    done = subprocess.run(
        [sys.executable, "-c", "import tests.test_greet as t; t.test_it_greets_in_the_log()"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path / 'src'}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "type: acme.Greet" in (tmp_path / "flows/hello.yaml").read_text()


@pytest.mark.parametrize("name", ["", "Acme", "a b", "../acme", "acme_", "class"])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        write_plugin_package(tmp_path, name)


def test_a_bad_prefix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a prefix"):
        write_plugin_package(tmp_path, "acme", prefix="com..acme")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")

    with pytest.raises(FileExistsError):
        write_plugin_package(tmp_path, "acme")

    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"
