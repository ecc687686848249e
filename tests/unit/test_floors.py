"""The house of ARCHITECTURE.md: a package imports only from the floors below its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "windhover"

#: ``util`` is the ground under the lowest floor: the records of ``model`` are made of its ids and instants.
FLOORS = {
    "util": -1,
    "model": 0,
    "config": 0,
    "plugin": 1,
    "expression": 1,
    "engine": 2,
    "core": 2,
    "repository": 3,
    "queue": 3,
    "storage": 3,
    "secret": 3,
    "telemetry": 3,
    "webserver": 4,
    "executor": 4,
    "scheduler": 4,
    "worker": 4,
    "indexer": 4,
    "server": 5,
    "cli": 6,
}

#: What a plugin may import. ``core.runner`` is in it because the default task runner, a process on the
#: worker, is one of the bundled types: script tasks name its class as the one they run with.
FOR_PLUGINS = (
    "windhover.plugin",
    "windhover.model",
    "windhover.expression",
    "windhover.util",
    "windhover.core.runner",
)

PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            module = node.module or ""
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_every_package_has_a_floor() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages <= set(FLOORS)


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_imports_point_down(package: str) -> None:
    wrong = []
    for path in (SOURCE / package).rglob("*.py"):
        for line, name in imported(path):
            _, _, inside = name.partition("windhover.")
            other = inside.partition(".")[0]
            if not name.startswith("windhover.") or other == package or other not in FLOORS:
                continue
            if FLOORS[other] >= FLOORS[package]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong


def test_nobody_imports_what_is_not_a_package() -> None:
    """Beside the packages there is only the version, so that no module grows outside of the floors."""
    assert {path.name for path in SOURCE.glob("*.py")} == {"__init__.py"}


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_plugins_import_what_is_made_for_them(plugin: Path) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in (plugin / "src").rglob("*.py")
        for line, name in imported(path)
        if name.startswith("windhover.") and not within(name, FOR_PLUGINS)
    ]
    assert not wrong


def test_nothing_names_a_plugin() -> None:
    """The server finds plugins by their entry points; it must run without any of them."""
    modules = tuple(path.name for plugin in PLUGINS for path in (plugin / "src").iterdir())
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in SOURCE.rglob("*.py")
        for line, name in imported(path)
        if within(name, modules)
    ]
    assert not wrong
