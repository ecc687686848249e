"""``windhover plugins``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from windhover.plugin.kind import PluginKind
from windhover.plugin.registry import Registry


def list_plugins(kind: str | None) -> int:
    """Print every type, one a line; 2 when there is no such kind."""
    kinds = [known.value for known in PluginKind]
    if kind is not None and kind.upper() not in kinds:
        print(f"There is no kind {kind}; there are {', '.join(kinds)}.", file=sys.stderr)
        return 2
    registry = Registry()
    found = sorted(registry.types(), key=lambda plugin: plugin.type_name)
    for plugin in found:
        if kind is None or plugin.kind.value.lower() == kind.lower():
            deprecated = "  (deprecated)" if plugin.deprecated else ""
            print(f"{plugin.type_name}  {plugin.kind.value}{deprecated}")
    return 0


def show_plugin(type_name: str) -> int:
    """Print the JSON Schema of a type; 1 when there is none."""
    from windhover.plugin.schema import schema_for

    registry = Registry()
    plugin = registry.find(type_name)
    if plugin is None:
        nearest = registry.suggest(type_name)
        hint = f" Did you mean {nearest}?" if nearest else ""
        print(f"There is no type {type_name}.{hint}", file=sys.stderr)
        return 1
    print(json.dumps(schema_for(plugin), indent=2, default=str))
    return 0


def new_plugin(name: str, folder: Path) -> int:
    """Write the skeleton of a plugin distribution."""
    from windhover.plugin.scaffold import write_plugin_package

    root = folder / name
    try:
        write_plugin_package(root, name)
    except (FileExistsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Made {root}. Try it:\n\n  pip install -e {root}\n  windhover run {root}/flows/hello.yaml")
    return 0
