"""The example that asks a server, with a server to ask."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from windhover.cli.run import RunOptions, run_flow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "http.yaml"


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/page"
        body = b"<p>hello</p>" if found else b"nothing"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("path", "line"), [("/page", "200, 12 bytes"), ("/other", "404, 0 bytes")])
def test_http_example(address: str, path: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = RunOptions(EXAMPLE, [f"address={address}{path}"], [], True, "INFO", None)
    assert run_flow(options) == 0
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert line in [event["message"] for event in events if event["event"] == "log"]
