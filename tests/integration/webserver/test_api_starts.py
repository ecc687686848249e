"""Starting executions: inputs of every form, files, labels, and all that is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from tests.integration.webserver.server import Server

EXECUTIONS = "/api/v1/main/executions"
BOUNDARY = "multipart/form-data; boundary=b"

FILED = """\
id: filed
namespace: company.team
inputs:
  - id: f
    type: FILE
    required: false
  - id: n
    type: INT
    required: false
  - id: secret
    type: SECRET
    required: false
tasks:
  - id: t
    type: io.kestra.plugin.core.debug.Return
    format: "{{ inputs.n ?? 'none' }}"
"""


def stored_files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "storage").rglob("*") if path.is_file())


async def test_a_file_goes_into_the_storage_and_comes_back(server: Server) -> None:
    await server.create_flow(FILED)
    content = b"a,b\n" + b"1,2\n" * 300_000
    execution = await server.execute("filed", files={"f": ("table one.csv", content), "n": (None, "7")})
    uri = execution["inputs"]["f"]
    assert uri == f"kestra:///company/team/filed/executions/{execution['id']}/inputs/f/table%20one.csv"
    path = f"{EXECUTIONS}/{execution['id']}/file"
    client = server.client
    assert (await client.get(path, params={"path": uri})).content == content
    assert (await client.get(f"{path}/metas", params={"path": uri})).json() == {"size": len(content)}
    part = await client.get(path, params={"path": uri}, headers={"Range": "bytes=4-6"})
    assert (part.status_code, part.content) == (206, b"1,2")
    assert part.headers["Content-Range"] == f"bytes 4-6/{len(content)}"
    tail = await client.get(path, params={"path": uri}, headers={"Range": "bytes=-4"})
    assert tail.content == b"1,2\n"
    beyond = await client.get(path, params={"path": uri}, headers={"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    table = (await client.get(f"{path}/preview", params={"path": uri, "maxRows": 2})).json()
    assert table == {
        "extension": "csv",
        "type": "LIST",
        "content": [{"a": "1", "b": "2"}] * 2,
        "truncated": True,
    }


async def test_files_of_nobody_cannot_be_read(local_server: Server) -> None:
    await local_server.create_flow(FILED)
    execution = await local_server.execute("filed")
    path = f"{EXECUTIONS}/{execution['id']}/file"

    async def status(uri: str) -> int:
        return (await local_server.client.get(path, params={"path": uri})).status_code

    assert await status("kestra:///company/team/_files/secret.txt") == 422
    assert await status("kestra:///company/team/../../etc/passwd") == 400
    assert await status("file:///etc/passwd") == 400
    assert await status(f"kestra:///company/team/filed/executions/{execution['id']}/inputs/f/none") == 404
    assert (await local_server.client.get(path)).status_code == 400


async def test_the_old_form_of_files_is_taken_with_a_warning(local_server: Server) -> None:
    await local_server.create_flow(FILED)
    execution = await local_server.execute("filed", files=[("files", ("f", b"old", "text/plain"))])
    assert execution["inputs"]["f"].endswith("/inputs/f/f.upl")
    logs = await local_server.client.get(f"/api/v1/main/logs/{execution['id']}", params={"minLevel": "WARN"})
    assert "deprecated way to upload a FILE input" in logs.json()[0]["message"]


async def test_inputs_come_as_json_or_as_a_plain_form_too(local_server: Server) -> None:
    await local_server.create_flow(FILED)
    assert (await local_server.execute("filed", json={"n": 3}))["inputs"]["n"] == 3
    assert (await local_server.execute("filed", data={"n": "4"}))["inputs"]["n"] == 4
    assert (await local_server.execute("filed"))["inputs"]["n"] is None
    for empty in (b"", b"--b--", b"--b--\r\n"):
        execution = await local_server.execute("filed", content=empty, headers={"Content-Type": BOUNDARY})
        assert execution["inputs"]["n"] is None


async def test_secrets_are_kept_encrypted(local_server: Server) -> None:
    await local_server.create_flow(FILED)
    execution = await local_server.execute("filed", json={"secret": "hush"})
    assert execution["inputs"]["secret"]["type"] == "io.kestra.datatype:aes_encrypted"
    assert "hush" not in json.dumps(execution)


async def test_all_wrong_inputs_are_named_and_nothing_is_kept(local_server: Server, tmp_path: Path) -> None:
    await local_server.create_flow(
        FILED.replace(
            "required: false\n  - id: secret",
            "required: true\n  - id: must\n    type: STRING\n  - id: secret",
        )
    )
    refused = await local_server.client.post(
        f"{EXECUTIONS}/company.team/filed", files={"f": ("x.bin", b"x" * 5000), "n": (None, "abc")}
    )
    assert refused.status_code == 422
    message = refused.json()["message"]
    assert 'Invalid value for input `n`. Cause: For input string: "abc"' in message
    assert "Missing required input:must" in message
    assert [error["path"] for error in refused.json()["_embedded"]["errors"]] == ["n", "must"]
    assert stored_files(tmp_path) == []
    found = await local_server.client.get(EXECUTIONS, params={"namespace": "company.team", "flowId": "filed"})
    assert found.json() == {"results": [], "total": 0}


async def test_inputs_can_be_checked_without_a_start(local_server: Server, tmp_path: Path) -> None:
    await local_server.create_flow(FILED)
    checked = await local_server.client.post(
        f"{EXECUTIONS}/company.team/filed/validate", files={"f": ("x.bin", b"xx"), "n": (None, "abc")}
    )
    (result,) = checked.json()
    states = {one["input"]["id"]: one for one in result["inputs"]}
    assert states["n"]["errors"]
    assert states["f"]["errors"] == []
    assert stored_files(tmp_path) == []


async def test_checked_inputs_say_whether_they_are_required_and_each_error_stands_alone(
    local_server: Server,
) -> None:
    await local_server.create_flow(
        "id: chosen\nnamespace: company.team\n"
        "inputs:\n  - {id: m, type: MULTISELECT, values: [yes, no]}\n"
        "  - {id: o, type: INT, required: false}\n"
        "tasks:\n  - {id: t, type: io.kestra.plugin.core.debug.Return}\n"
    )
    checked = await local_server.client.post(
        f"{EXECUTIONS}/company.team/chosen/validate", files={"m": (None, '["yes", "x", "y"]')}
    )
    chosen, optional = checked.json()[0]["inputs"]
    assert (chosen["input"]["required"], optional["input"]["required"]) == (True, False)
    assert [error["message"] for error in chosen["errors"]] == [
        f"Invalid value for input `m`. Cause: value `{wrong}` doesn't match the values `[yes, no]`"
        for wrong in ("x", "y")
    ]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        (BOUNDARY, b"no boundary at all", 400),
        (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n1', 400),
        (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nhalf a fi', 400),
        (BOUNDARY, b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n", 400),
        (BOUNDARY, b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n\xff\r\n--b--\r\n', 400),
        ("application/json", b"{", 400),
        ("application/json", b"[1]", 400),
        ("application/json", b"\xff", 400),
        ("text/csv", b"a,b", 415),
        ("", b"a,b", 415),
    ],
)
async def test_bad_bodies(
    local_server: Server, tmp_path: Path, content_type: str, body: bytes, status: int
) -> None:
    await local_server.create_flow(FILED)
    headers = {"Content-Type": content_type} if content_type else {}
    path = f"{EXECUTIONS}/company.team/filed"
    response = await local_server.client.post(path, content=body, headers=headers)
    assert response.status_code == status, response.text
    assert response.json()["message"]
    assert stored_files(tmp_path) == []


async def test_labels(local_server: Server) -> None:
    await local_server.create_flow(FILED)
    path = f"{EXECUTIONS}/company.team/filed"
    post = local_server.client.post
    for bad in ("novalue", ":v", "k:", "system.x:1"):
        refused = await post(path, params={"labels": bad})
        assert refused.status_code == 422, bad
    assert "offending label: system.x=1" in refused.json()["message"]
    started = await post(path, params={"labels": ["a:b:c", "system.correlationId:mine"]})
    labels = {label["key"]: label["value"] for label in started.json()["labels"]}
    assert labels == {"a": "b:c", "system.correlationId": "mine"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("company.team/none", 404),
        ("company.team/filed?revision=9", 404),
        ("company.team/filed?revision=x", 400),
        ("company.team/filed?scheduleDate=tomorrow", 400),
        ("company.team/filed?kind=ODD", 400),
        ("company.team/filed?wait=perhaps", 400),
    ],
)
async def test_bad_starts(local_server: Server, path: str, status: int) -> None:
    await local_server.create_flow(FILED)
    response = await local_server.client.post(f"{EXECUTIONS}/{path}")
    assert response.status_code == status
    assert response.json()["message"]


async def test_an_accepted_execution_is_shown_as_created(local_server: Server) -> None:
    await local_server.create_flow(FILED)
    started = (await local_server.client.post(f"{EXECUTIONS}/company.team/filed")).json()
    assert started["state"]["current"] == "CREATED"
    assert "taskRunList" not in started
    assert started["url"] == (f"http://windhover.test/ui/main/executions/company.team/filed/{started['id']}")
    for key in ("parentId", "trigger", "scheduleDate", "kind", "variables", "outputs"):
        assert key not in started


async def test_a_client_that_goes_away_stops_waiting(local_server: Server) -> None:
    await local_server.create_flow(
        "id: slow\nnamespace: company.team\ntasks:\n"
        "  - id: t\n    type: io.kestra.plugin.core.flow.Sleep\n    duration: PT1H\n"
    )
    call = asyncio.create_task(local_server.execute("slow"))
    of_flow = {"namespace": "company.team", "flowId": "slow"}
    while (await local_server.client.get(EXECUTIONS, params=of_flow)).json()["total"] == 0:
        pass
    assert local_server.services.feed.listener_count == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert local_server.services.feed.listener_count == 0
    running = await local_server.client.get(EXECUTIONS, params=of_flow)
    (execution,) = running.json()["results"]
    killed = await local_server.client.delete(f"{EXECUTIONS}/{execution['id']}/kill")
    assert killed.status_code == 202


async def test_a_large_upload_is_refused(sqlite: object, tmp_path: Path) -> None:
    from tests.integration.webserver.server import running_server

    limits = {"micronaut.server.multipart.max-file-size": "10KB"}
    async with running_server(sqlite, tmp_path, limits) as server:  # type: ignore[arg-type]
        await server.create_flow(FILED)
        response = await server.client.post(
            f"{EXECUTIONS}/company.team/filed", files={"f": ("big", b"x" * 20_000)}
        )
        assert response.status_code == 413, response.text
        assert stored_files(tmp_path) == []


async def test_without_an_executor_the_answer_is_bounded(sqlite: object, tmp_path: Path) -> None:
    from tests.integration.webserver.server import running_server

    async with running_server(sqlite, tmp_path, executor=False, command_timeout=0.01) as server:  # type: ignore[arg-type]
        await server.create_flow(FILED)
        response: httpx.Response = await server.client.post(f"{EXECUTIONS}/company.team/filed")
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert "may still be carried out" in response.json()["message"]
        server.services.queue.executor.close()
        response = await server.client.post(f"{EXECUTIONS}/company.team/filed", files={"f": ("f", b"x")})
        assert response.status_code == 503
        assert stored_files(tmp_path) == []


async def test_an_upload_that_breaks_off_leaves_nothing_behind(local_server: Server, tmp_path: Path) -> None:
    await local_server.create_flow(FILED)
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    messages = iter(
        [
            {"type": "http.request", "body": head + b"x" * 100_000, "more_body": True},
            {"type": "http.request", "body": b"x" * 100_000, "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, object]:
        return next(messages)

    async def send(message: object) -> None: ...

    path = f"{EXECUTIONS}/company.team/filed"
    headers = [(b"content-type", BOUNDARY.encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "server": ("windhover.test", 80),
    }
    await local_server.app(scope, receive, send)
    assert stored_files(tmp_path) == []
    assert (await local_server.client.get(f"{EXECUTIONS}/search")).json()["total"] == 0


async def test_a_flow_whose_plugin_is_gone_is_shown_and_not_started(
    local_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await local_server.create_flow(FILED)
    definitions = local_server.services.definitions
    definitions._parsed.clear()
    monkeypatch.setattr(definitions.registry, "find", lambda name: None)
    shown = await local_server.client.get("/api/v1/main/flows/company.team/filed", params={"source": True})
    assert shown.json()["source"] == created["source"]
    assert "io.kestra.plugin.core.debug.Return" in shown.json()["exception"]
    refused = await local_server.client.post(f"{EXECUTIONS}/company.team/filed")
    assert refused.status_code == 409


async def test_outputs_can_be_read_by_themselves(local_server: Server) -> None:
    await local_server.create_flow(FILED)
    execution = await local_server.execute("filed", json={"n": 5})
    get = local_server.client.get
    outputs = f"/api/v1/main/outputs/{execution['id']}"
    (run,) = (await get(outputs)).json()
    assert (run["taskId"], run["inline"]) == ("t", True)
    assert (await get(f"{outputs}/{run['taskRunId']}")).json() == {"value": "5"}
    assert (await get(f"{outputs}/none")).status_code == 404
