"""The HTTP tasks against a server of this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from windhover.core.http.download import Download
from windhover.core.http.request import Request
from windhover.core.http.sse_request import SseRequest
from windhover.core.http.trigger import Trigger
from windhover.core.storage.write import Write
from windhover.model.execution import JsonValue
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.definition import bind_properties
from windhover.plugin.task import Output, RunnableTask, Static
from windhover.worker.inline import InlineWorker

Receive = Callable[[], Awaitable[dict[str, object]]]
Send = Callable[[dict[str, object]], Awaitable[None]]


async def _application(scope: dict[str, object], receive: Receive, send: Send) -> None:
    """Answers by the path: what came in, a status, a file, events, too many bytes."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")  # type: ignore[operator]
        if not message.get("more_body"):
            break
    path = str(scope["path"])
    headers: list[tuple[bytes, bytes]] = []
    status = 200
    if path.startswith("/status/"):
        status, content = int(path.removeprefix("/status/")), b"sorry"
    elif path == "/moved":
        status, content = 302, b""
        headers.append((b"location", b"/echo"))
    elif path == "/file":
        content = b"id,name\n1,Ada\n"
        headers.append((b"content-disposition", b'attachment; filename="../a report.csv"'))
    elif path == "/empty":
        content = b""
    elif path == "/huge":
        content = b"x" * (20 * 1024 * 1024)
    elif path == "/binary":
        content = b"\xff\xfe\x00"
    elif path == "/events":
        content = b': hello\n\nid: 1\ndata: {"text": "Hel"}\n\nid: 2\ndata: {"text": "lo"}\n\ndata: plain\n'
    else:
        content = json.dumps(
            {
                "method": scope["method"],
                "path": path,
                "query": bytes(scope["query_string"]).decode(),  # type: ignore[call-overload]
                "headers": {k.decode(): v.decode("latin-1") for k, v in scope["headers"]},  # type: ignore[attr-defined]
                "body": body.decode(errors="replace"),
            }
        ).encode()
        headers += [(b"content-type", b"application/json"), (b"x-two", b"a"), (b"x-two", b"b")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@pytest_asyncio.fixture
async def address() -> AsyncIterator[str]:
    from windhover.server.http import HttpServer

    server = HttpServer(_application, "127.0.0.1", 0)  # type: ignore[arg-type]
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()


async def test_a_request_sends_what_its_properties_say(worker: InlineWorker, address: str) -> None:
    run = await worker.run(
        Request,
        {
            "uri": address + "/some path",
            "method": "post",
            "body": '{"n": {{ inputs.n }}}',
            "params": {"a": ["1", "2"], "b": "x y"},
            "headers": {"X-Request": "{{ inputs.n }}"},
            "options": {"auth": {"type": "BASIC", "username": "ada", "password": "secret"}},
        },
        {"inputs": {"n": 1}},
    )
    assert run.state is StateType.SUCCESS, run.messages
    assert run.outputs["code"] == 200
    assert run.outputs["headers"]["x-two"] == ["a", "b"]
    said = json.loads(run.outputs["body"])
    assert (said["method"], said["path"], said["body"]) == ("POST", "/some path", '{"n": 1}')
    assert said["query"] == "a=1&a=2&b=x%20y"
    assert said["headers"]["content-type"] == "application/json; charset=UTF-8"
    assert said["headers"]["x-request"] == "1"
    assert said["headers"]["authorization"].startswith("Basic ")


async def test_headers_are_one_line_and_a_body_has_the_charset_of_its_content_type(
    worker: InlineWorker, address: str
) -> None:
    properties = {
        "uri": address,
        "method": "POST",
        "body": "ä",
        "contentType": "text/plain; charset=UTF-16BE",
    }
    run = await worker.run(Request, {**properties, "headers": {"x-folded": "a\n b\n", "x-name": "Zoë"}})
    said = json.loads(run.outputs["body"])
    assert said["headers"]["content-type"] == "text/plain; charset=UTF-16BE"
    assert said["headers"]["content-length"] == "2"
    assert (said["headers"]["x-folded"], said["headers"]["x-name"]) == ("a b", "Zoë")
    blank = await worker.run(Request, {**properties, "contentType": " "})
    assert blank.at(LogLevel.ERROR) == ["`contentType` must not be blank"]


async def test_an_answer_may_be_empty_or_have_no_body(worker: InlineWorker, address: str) -> None:
    empty = await worker.run(Request, {"uri": address + "/empty"})
    assert empty.outputs["body"] == ""
    head = await worker.run(Request, {"uri": address + "/empty", "method": "HEAD"})
    assert "body" not in head.outputs


async def test_forms_are_encoded_or_sent_in_parts_with_stored_files(
    worker: InlineWorker, address: str
) -> None:
    form = await worker.run(
        Request,
        {"uri": address, "method": "POST", "formData": {"a": "1 2"}, "contentType": "application/x-www-form"},
    )
    assert json.loads(form.outputs["body"])["body"] == "a=1+2"
    stored = await worker.run(Write, {"content": "id,name", "extension": ".csv"})
    parts = await worker.run(
        Request,
        {
            "uri": address,
            "method": "POST",
            "contentType": "multipart/form-data",
            "formData": {
                "plain": "text",
                "file": stored.outputs["uri"],
                "named": {"name": "b.txt", "content": "inside"},
            },
        },
    )
    body = json.loads(parts.outputs["body"])["body"]
    assert "id,name" in body
    assert 'filename="content.csv"' in body
    assert 'filename="b.txt"' in body
    assert "inside" in body


@pytest.mark.parametrize(
    ("path", "options", "succeeds"),
    [
        ("/status/404", {}, False),
        ("/status/404", {"allowFailed": True}, True),
        ("/status/404", {"allowedResponseCodes": [404]}, True),
        ("/status/200", {"allowedResponseCodes": [404]}, False),
        ("/moved", {}, True),
        ("/moved", {"followRedirects": False, "allowedResponseCodes": [302]}, True),
    ],
)
async def test_which_answers_pass(
    worker: InlineWorker, address: str, path: str, options: dict[str, object], succeeds: bool
) -> None:
    run = await worker.run(Request, {"uri": address + path, "options": options})
    assert run.state is (StateType.SUCCESS if succeeds else StateType.FAILED)
    if path == "/status/404" and not succeeds:
        assert run.at(LogLevel.ERROR) == ["Failed http request with response code '404' and body:\nsorry"]


async def test_old_properties_still_count(worker: InlineWorker, address: str) -> None:
    run = await worker.run(
        Request,
        {
            "uri": address + "/echo",
            "allowFailed": True,
            "options": {"basicAuthUser": "ada", "basicAuthPassword": "x", "logLevel": "TRACE"},
        },
    )
    assert "authorization" in json.loads(run.outputs["body"])["headers"]
    logged = "\n".join(run.at(LogLevel.DEBUG))
    assert "accept: */*" in logged
    assert "Response body:" in logged
    assert (await worker.run(Request, {"uri": address + "/status/500", "allowFailed": True})).outputs[
        "code"
    ] == 500


async def test_an_answer_that_is_no_output_fails_and_says_what_to_use(
    worker: InlineWorker, address: str
) -> None:
    for path in ("/huge", "/binary"):
        run = await worker.run(Request, {"uri": address + path})
        assert run.state is StateType.FAILED
        assert "io.kestra.plugin.core.http.Download" in run.at(LogLevel.ERROR)[0]


async def test_a_secret_answer_is_encrypted(tmp_path: Path, address: str) -> None:
    async with InlineWorker(tmp_path, encrypt=lambda text: {"value": text[::-1]}) as worker:
        run = await worker.run(Request, {"uri": address + "/file", "encryptBody": True})
    assert run.outputs["encryptedBody"] == {"value": "\nadA,1\neman,di"}
    assert "body" not in run.outputs
    async with InlineWorker(tmp_path / "without") as worker:
        refused = await worker.run(Request, {"uri": address + "/file", "encryptBody": True})
    assert "kestra.encryption.secret-key" in refused.at(LogLevel.ERROR)[0]


@pytest.mark.parametrize("uri", ["ftp://example.com/a", "http://127.0.0.1:1/", "http://[bad/"])
async def test_what_cannot_be_reached_fails(worker: InlineWorker, uri: str) -> None:
    run = await worker.run(Request, {"uri": uri})
    assert run.state is StateType.FAILED
    assert uri.split("://")[0] in run.at(LogLevel.ERROR)[0]


async def test_a_download_is_stored_under_the_name_the_server_gives(
    worker: InlineWorker, address: str
) -> None:
    run = await worker.run(Download, {"uri": address + "/file"})
    uri = run.outputs["uri"]
    assert uri.endswith("/a+report.csv")
    assert run.outputs["length"] == 14
    assert await worker.storage.for_tenant("main").read(uri) == b"id,name\n1,Ada\n"
    metrics = {metric.name: metric.value for metric in run.metrics}
    assert metrics["request.count"] == metrics["response.count"] == 1
    assert metrics["response.length"] == 14 < metrics["response.bytes"]
    assert metrics["request.bytes"] > len("GET /file HTTP/1.1")
    assert run.metrics[0].tags == {
        "request.hostname": "127.0.0.1",
        "request.method": "GET",
        "request.scheme": "http",
        "response.code": "200",
    }
    named = await worker.run(Download, {"uri": address + "/file", "saveAs": "mine.csv"})
    assert named.outputs["uri"].endswith("/mine.csv")


async def test_an_empty_download_fails_unless_it_may_be_empty(worker: InlineWorker, address: str) -> None:
    assert (await worker.run(Download, {"uri": address + "/empty"})).state is StateType.FAILED
    allowed = await worker.run(Download, {"uri": address + "/empty", "failOnEmptyResponse": False})
    assert allowed.outputs["length"] == 0
    assert allowed.outputs["uri"].endswith(".tmp")
    assert allowed.at(LogLevel.WARN) == [f"The answer of {address}/empty is empty"]


async def test_events_are_collected_or_put_together(worker: InlineWorker, address: str) -> None:
    run = await worker.run(SseRequest, {"uri": address + "/events"})
    assert run.state is StateType.SUCCESS, run.messages
    assert run.outputs["size"] == 4
    assert run.outputs["events"] == [
        {"comment": "hello"},
        {"id": "1", "data": {"text": "Hel"}},
        {"id": "2", "data": {"text": "lo"}},
        {"data": "plain"},
    ]
    joined = await worker.run(
        SseRequest,
        {
            "uri": address + "/events",
            "concatJqExpression": 'if type == "object" then .text else empty end',
            "failedOnMissingJq": False,
        },
    )
    assert joined.state is StateType.SUCCESS, joined.messages
    assert joined.outputs["result"] == "Hello"
    assert "events" not in joined.outputs
    missing = await worker.run(SseRequest, {"uri": address + "/events", "concatJqExpression": ".nope?"})
    assert missing.state is StateType.FAILED


class Look(RunnableTask[Output | None]):
    """Lets a trigger look once, with all that a worker gives."""

    type_name = "test.Look"

    trigger: Static[dict[str, JsonValue]]

    async def run(self, ctx: RunContext) -> Output | None:
        event = await bind_properties(Trigger, self.trigger).poll(ctx)
        return None if event is None else event.output


async def test_a_trigger_looks_at_the_answer_whatever_its_status(worker: InlineWorker, address: str) -> None:
    found = await worker.run(Look, {"trigger": {"uri": address + "/file"}})
    assert found.outputs["body"] == "id,name\n1,Ada\n"
    refused = await worker.run(Look, {"trigger": {"uri": address + "/status/404"}})
    assert (refused.state, refused.outputs) == (StateType.SUCCESS, {})
    condition = "{{ response.statusCode == 404 and response.body == 'sorry' }}"
    wanted = {"uri": address + "/status/404", "responseCondition": condition}
    assert (await worker.run(Look, {"trigger": wanted})).outputs["code"] == 404


async def test_a_kill_ends_a_request(worker: InlineWorker) -> None:
    """A server that never answers does not hold a killed task."""
    server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(3600), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    run = await worker.run(Request, {"uri": f"http://127.0.0.1:{port}/"}, timeout="PT0.2S")
    assert run.at(LogLevel.ERROR) == ["Timeout after 00:00:00.200"]
    server.close()
