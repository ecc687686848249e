"""The expression language is a library of its own."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_MODULES = sorted((_ROOT / "src" / "windhover" / "expression").rglob("*.py"))

_PROGRAM = """
import json, sys
from windhover.expression import Scope, compile_template
template = compile_template("{{ [a, 1] | yaml }}{{ a | date('yyyy') }}{{ [a] | jsonata('$') }}")
text = template.render(Scope({"a": "2024-01-01"}))
own = ("windhover", "windhover.expression")
loaded = [n for n in sys.modules if n.startswith("windhover") and not n.startswith(own[1]) and n not in own]
print(json.dumps([text, loaded]))
"""


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: path.stem)
def test_nothing_else_of_the_product_is_imported(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert not name.startswith("windhover") or name.startswith("windhover.expression"), name


def test_rendering_loads_nothing_else_of_the_product() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    text, loaded = json.loads(done.stdout)
    assert text.endswith('2024["2024-01-01"]')
    assert loaded == []


def test_the_example_of_the_documentation_runs() -> None:
    page = (_ROOT / "docs" / "expressions.md").read_text()
    example = re.search(r"## On its own.*?```python\n(.*?)```", page, re.DOTALL)
    assert example is not None
    names: dict[str, object] = {}
    exec(example[1], names)
    found = names["template"]
    assert found.reads == {("user", "name")}  # type: ignore[attr-defined]
