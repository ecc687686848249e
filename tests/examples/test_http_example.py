"""The example that asks a server, with a server to ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.web_site import running_site

from windhover.cli.run import RunOptions, run_flow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(
    ("status", "body", "line"), [(200, b"<p>hello</p>", "200, 12 bytes"), (404, b"nothing", "404, 0 bytes")]
)
def test_http_example(status: int, body: bytes, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with running_site() as site:
        site.status, site.body = status, body
        options = RunOptions(EXAMPLES / "http.yaml", [f"address={site.url}/page"], [], True, "INFO", None)
        assert run_flow(options) == 0
    assert line in messages(capsys)


def test_events_example(capsys: pytest.CaptureFixture[str]) -> None:
    with running_site() as site:
        site.body = b'data: {"text": "one"}\n\ndata: {"text": "two"}\n\n'
        example = EXAMPLES / "http-events.yaml"
        options = RunOptions(example, [f"address={site.url}/events"], [], True, "INFO", None)
        assert run_flow(options) == 0
    assert "2 events, the last says two" in messages(capsys)


def messages(capsys: pytest.CaptureFixture[str]) -> list[str]:
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    return [event["message"] for event in events if event["event"] == "log"]
