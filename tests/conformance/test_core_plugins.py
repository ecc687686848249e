"""Compares the bundled types with those of Kestra: names, old names, properties, outputs and metrics."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from windhover.plugin.registry import Registry
from windhover.plugin.schema import schema_for

_ROOT = Path(__file__).resolve().parents[2]
_FILE = (
    Path(os.environ.get("WINDHOVER_SHARED", _ROOT.parent / "shared")) / "reference" / "core-plugins-1.3.json"
)

pytestmark = pytest.mark.skipif(not _FILE.exists(), reason=f"no list of types at {_FILE}")

#: Kinds that flows do not name: they are shown, or are part of the server.
_OTHER_KINDS = {"chart", "data", "dataKpi", "storage", "asset"}

#: Types that are not there, and why. One that is must be taken out.
ABSENT: dict[str, str] = {}

#: Properties and outputs that a type lacks.
MISSING: dict[str, set[str]] = {
    "io.kestra.plugin.scripts.runner.docker.Docker": {
        "config", "containerId", "cpu", "credentials", "delete", "deviceRequests", "entryPoint", "extraHosts",
        "fileHandlingStrategy", "host", "killGracePeriod", "memory", "networkMode", "portBindings",
        "privileged", "pullPolicy", "resume", "shmSize", "user", "volumes", "wait",
    },
}  # fmt: skip

#: Defaults that are said otherwise, and mean the same.
OTHERWISE = {
    "batch": "rows have their default in the splitting, after the other ways to split",
    "namespace": "the flow's own is taken when the task runs",
    "timezone": "the server's is taken when the schedule is read",
}


def _types() -> dict[str, dict[str, Any]]:
    if not _FILE.exists():
        return {}
    plugins: dict[str, dict[str, Any]] = json.loads(_FILE.read_text())["plugins"]
    return {
        name: facts
        for name, facts in plugins.items()
        if facts["kind"] not in _OTHER_KINDS and not facts.get("internal")
    }


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


@pytest.mark.parametrize(
    ("name", "facts"), _types().items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_type_is_complete(registry: Registry, name: str, facts: dict[str, Any]) -> None:
    plugin = registry.find(name)
    assert (plugin is None) == (name in ABSENT)
    if plugin is None:
        return
    schema = schema_for(plugin)
    known = {*schema["properties"]["properties"], *((schema.get("outputs") or {}).get("properties") or ())}
    wanted = {key for key, value in facts["props"].items() if not value.get("hidden")} | {
        *facts.get("out", ())
    }
    assert wanted - known == MISSING.get(name, set())
    needed = {key for key, value in facts["props"].items() if value.get("R") and "default" not in value}
    assert needed - set(schema["properties"]["required"]) == set()
    assert plugin.deprecated == bool(facts.get("dep"))
    assert {*facts.get("aliases", ())} == {*getattr(plugin.cls, "aliases", ())}
    for alias in facts.get("aliases", ()):
        found = registry.find(alias)
        assert found is not None
        assert found.type_name == name
    reported = {metric.name for metric in getattr(plugin.cls, "reported_metrics", ())}
    assert not set(facts.get("metrics", ())) - reported


@pytest.mark.parametrize(
    ("name", "facts"), _types().items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_defaults_are_the_same(registry: Registry, name: str, facts: dict[str, Any]) -> None:
    plugin = registry.find(name)
    if plugin is None:
        return
    properties = schema_for(plugin)["properties"]["properties"]
    different = {
        key: (value["default"], properties[key].get("default"))
        for key, value in facts["props"].items()
        if "default" in value
        and key in properties
        and key not in OTHERWISE
        and _said(value["default"]) != _said(properties[key].get("default"))
    }
    assert not different


def _said(value: object) -> str:
    """A default as one text, however it is written: true and "true", a map and its JSON."""
    if isinstance(value, str) and value.startswith("{") and not value.startswith("{{"):
        value = json.loads(value)
    if isinstance(value, dict):
        return json.dumps({key: _said(item) for key, item in value.items()}, sort_keys=True)
    text = str(value)
    return text.lower() if text in ("True", "False") else text.replace("}}", " }}").replace("  }}", " }}")
