"""Requests that expressions make."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace

from windhover.expression import EvaluationError
from windhover.server import expression_http
from windhover.server.expression_http import HttpRequest, fetch


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; under ``/status/N`` with that status, under ``/text`` with text."""

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        length = int(self.headers.get("content-length", 0))
        asked = {
            "method": self.command,
            "query": parse_qsl(path.query),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        is_text = path.path == "/text"
        content = b"caf\xe9" if is_text else json.dumps(asked).encode()
        self.send_response(int(path.path[8:]) if path.path.startswith("/status/") else 200)
        self.send_header("content-type", "text/plain; charset=iso-8859-1" if is_text else "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def request(uri: str, **changes: Any) -> HttpRequest:
    plain = HttpRequest(uri, "GET", {}, None, "application/json", {}, {}, "application/json")
    return replace(plain, **changes)


async def asked(to: HttpRequest) -> dict[str, Any]:
    answer = await fetch(to)
    assert isinstance(answer, dict)
    return answer


async def test_query_headers_and_body_are_sent(address: str) -> None:
    found = await asked(
        request(address, method="POST", query={"a": [1, "x y"]}, body={"k": None}, headers={"X-Key": 7})
    )
    assert found["method"] == "POST"
    assert found["query"] == [["a", "1"], ["a", "x y"]]
    assert found["headers"]["x-key"] == "7"
    assert found["headers"]["content-type"] == found["headers"]["accept"] == "application/json"
    assert json.loads(found["body"]) in ({"k": None}, {})


async def test_a_form_is_sent_as_one(address: str) -> None:
    form = "application/x-www-form-urlencoded"
    found = await asked(request(address, method="POST", body={"a": "x y", "b": 1}, content_type=form))
    assert found["body"] == "a=x+y&b=1"


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"type": "BASIC", "username": "ada", "password": "x"}, "Basic YWRhOng="),
        ({"type": "BEARER", "token": "t"}, "Bearer t"),
    ],
)
async def test_credentials_are_sent(address: str, auth: dict[str, str], header: str) -> None:
    assert (await asked(request(address, options={"auth": auth})))["headers"]["authorization"] == header


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"timeuot": {}}, "timeout"),
        ({"timeout": {"readIdleTimeout": "soon"}}, "readIdleTimeout"),
        ({"auth": {"type": "MAGIC"}}, "MAGIC"),
        ({"proxy": {"type": "HTTP"}}, "address"),
    ],
)
async def test_options_that_cannot_be_followed_are_named(
    address: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EvaluationError, match=reason):
        await fetch(request(address, options=options))


async def test_text_is_given_as_text(address: str) -> None:
    assert await fetch(request(f"{address}/text")) == "café"


async def test_an_error_names_the_status(address: str) -> None:
    with pytest.raises(EvaluationError, match="status 404"):
        await fetch(request(f"{address}/status/404"))
    assert await asked(request(f"{address}/status/404", options={"allowFailed": True}))
    with pytest.raises(EvaluationError, match="status 200"):
        await fetch(request(address, options={"allowedResponseCodes": [201]}))


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "ftp://example.com", "nothing", "http://127.0.0.1:1/"])
async def test_what_cannot_be_asked_is_an_error_of_the_expression(uri: str) -> None:
    with pytest.raises(EvaluationError, match=uri.replace("/", ".")):
        await fetch(request(uri))


async def test_an_answer_that_is_too_large_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expression_http, "MAX_ANSWER", 10)
    with pytest.raises(EvaluationError, match="larger than 10 bytes"):
        await fetch(request(address))
