"""The example that uses a secret: from the environment, and stored on a server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server_process import ServerProcess

from windhover.cli.run import RunOptions, run_flow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "secrets.yaml"
#: Not the one that the comment in the example names, which is stored with it.
TOKEN = "t0ken-of-the-server"


def told(token: str) -> str:
    """What the example logs."""
    digest = hashlib.sha256(f"{token}/orders/17".encode()).hexdigest()
    return f"The order was signed with ******: {digest[:8]}"


def configuration(key: str) -> str:
    return f"kestra: {{encryption: {{secret-key: {key}}}}}\nlogging: {{level: DEBUG}}\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    server = ServerProcess(tmp_path / "home", configuration=configuration(key))
    server.start()
    yield server
    server.stop()


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SECRET_API_TOKEN", "YS1sb25nLXRva2Vu")
    assert run_flow(RunOptions(EXAMPLE, [], [], True, "TRACE", None)) == 0
    printed = capsys.readouterr().out
    messages = [json.loads(line).get("message") for line in printed.splitlines()]
    assert told("a-long-token") in messages
    assert "a-long-token" not in printed


def test_stored_on_a_server_and_read_by_no_other_key(server: ServerProcess, tmp_path: Path) -> None:
    secret = {"key": "API_TOKEN", "value": TOKEN}
    put = httpx.put(f"{server.api}/namespaces/examples/secrets", json=secret)
    assert put.status_code == 200, put.text
    assert httpx.post(f"{server.api}/flows", content=EXAMPLE.read_text()).status_code == 200

    state, lines = execute(server)
    assert state == "SUCCESS"
    assert told(TOKEN) in lines

    evaluated = evaluate(server, "{{ secret('API_TOKEN') ~ secret('API_TOKEN') | upper }}")
    assert "******" in evaluated
    server.stop()
    settings = tmp_path / "home.yml"
    settings.write_text(configuration("A" * 43 + "="))
    server.start()
    state, lines = execute(server)
    assert state == "FAILED"
    assert any(
        "The secret 'API_TOKEN' of namespace 'examples' cannot be decrypted" in line
        and "`kestra.encryption.secret-key` is not the key" in line
        for line in lines
    )
    server.stop()

    assert TOKEN not in server.log()
    for file in (tmp_path / "home").rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def execute(server: ServerProcess) -> tuple[str, list[str]]:
    """The state in which the example ends on the server, and all lines of its log."""
    path = f"{server.api}/executions/examples.secrets/secrets"
    ended: dict[str, Any] = httpx.post(path, params={"wait": "true"}, timeout=30).json()
    assert TOKEN not in json.dumps(ended)
    logs = httpx.get(f"{server.api}/logs/{ended['id']}")
    assert TOKEN not in logs.text
    return ended["state"]["current"], [line["message"] for line in logs.json()]


def evaluate(server: ServerProcess, template: str) -> str:
    """What the API shows of a template in the newest execution."""
    found = httpx.get(f"{server.api}/executions/search", params={"size": 1}).json()["results"]
    path = f"{server.api}/executions/{found[0]['id']}/actions/eval"
    answer = httpx.post(path, content=template, headers={"content-type": "text/plain"})
    assert TOKEN not in answer.text
    assert TOKEN.upper() not in answer.text
    return answer.text
