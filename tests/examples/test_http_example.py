"""The example that asks a server, with a server to ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.web_site import running_site

from windhover.cli.run import RunOptions, run_flow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "http.yaml"


@pytest.mark.parametrize(
    ("status", "body", "line"), [(200, b"<p>hello</p>", "200, 12 bytes"), (404, b"nothing", "404, 0 bytes")]
)
def test_http_example(status: int, body: bytes, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with running_site() as site:
        site.status, site.body = status, body
        options = RunOptions(EXAMPLE, [f"address={site.url}/page"], [], True, "INFO", None)
        assert run_flow(options) == 0
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert line in [event["message"] for event in events if event["event"] == "log"]
