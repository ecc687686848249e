"""Holds the expression language against recorded cases, where they are at hand."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, cast

import pytest

from windhover.expression import ExpressionError, Scope, ServerPort, compile_template

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = Path(os.environ.get("WINDHOVER_SHARED", _ROOT.parent / "shared"))
_FILE = _FOLDER / "conformance" / "expressions.jsonl"


class RecordedServer:
    """Answers what the ``needs`` of a case describe."""

    def __init__(self, needs: list[str]) -> None:
        self._given = {need.partition("=")[0]: need.partition("=")[2] for need in needs}

    def secret(self, key: str, namespace: str | None) -> str:
        if f"secret:{key}" not in self._given:
            raise LookupError(f"Cannot find secret for key '{key}'.")
        return self._given[f"secret:{key}"]

    def kv(self, key: str, namespace: str | None) -> object:
        return json.loads(self._given[f"kv:{key}"])

    def read(self, path: str, namespace: str | None, version: int | None) -> str:
        for name in (f"nsfile:{path}", f"outfile:{path.rpartition('/')[2]}"):
            if name in self._given:
                return self._given[name]
        raise PermissionError(f"'{path}' may not be read here")

    def file_size(self, path: str, namespace: str | None) -> int:
        return len(self.read(path, namespace, None).encode())

    def file_exists(self, path: str, namespace: str | None) -> bool:
        return bool(self.read(path, namespace, None))

    def http(self, uri: str, *request: object) -> object:
        return json.loads(self._given["http:" + uri.removeprefix("http://stub")])

    def variables(self) -> dict[str, object]:
        """Variables that such a server would add."""
        outputs = {
            name.partition(":")[2]: {"uri": f"kestra:///{name.partition(':')[2]}"}
            for name in self._given
            if name.startswith("outfile:")
        }
        envs = {
            name.removeprefix("env:ENV_").lower(): value
            for name, value in self._given.items()
            if name.startswith("env:")
        }
        return {
            "outputs": outputs,
            "envs": envs,
            "stub": "http://stub",
            "flow": {"namespace": "company.team"},
        }


def _cases() -> list[dict[str, Any]]:
    if not _FILE.exists():
        return []
    return [json.loads(line) for line in _FILE.read_text().splitlines() if line]


@pytest.mark.skipif(not _FILE.exists(), reason=f"no recorded cases at {_FILE}; set WINDHOVER_SHARED")
@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["id"])
def test_recorded_case(case: dict[str, Any]) -> None:
    needs = case.get("needs")
    scope = Scope(case.get("vars") or {})
    if needs:
        server = RecordedServer(needs)
        scope = Scope({**server.variables(), **(case.get("vars") or {})}, cast("ServerPort", server))

    if case.get("expect_error"):
        with pytest.raises(ExpressionError) as raised:
            compile_template(case["template"]).render(scope)
        assert str(case.get("error_contains", "")).lower() in str(raised.value).lower()
    elif case.get("typed"):
        value = compile_template(case["template"]).evaluate(scope)
        assert value == case["expect_value"]
        assert isinstance(value, bool) is isinstance(case["expect_value"], bool)
    else:
        text = compile_template(case["template"]).render(scope)
        if "expect_regex" in case:
            assert re.search(case["expect_regex"], text)
        elif case.get("compare") == "json":
            assert json.loads(text) == json.loads(case["expect"])
        else:
            assert text == case["expect"]
