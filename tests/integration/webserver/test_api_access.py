"""Who may use the API, what errors look like, and what the management port tells."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.webserver.server import Server, running_server

from windhover.repository.database import Database, open_database
from windhover.repository.errors import RepositoryUnavailable
from windhover.webserver import create_app, create_management_app

SEARCH = "/api/v1/main/flows/search"
USER = {"username": "ada@example.com", "password": "Engine1843"}
AUTH = (USER["username"], USER["password"])


async def test_the_api_is_open_until_a_user_is_set_up(server: Server, tmp_path: Path) -> None:
    client = server.client
    assert (await client.get(SEARCH)).status_code == 200
    assert (await client.get("/api/v1/configs")).json()["isBasicAuthInitialized"] is False
    for weak in (
        {"username": "ada", "password": USER["password"]},
        {"username": USER["username"], "password": "short1A"},
        {"username": USER["username"], "password": "alllowercase1"},
    ):
        assert (await client.post("/api/v1/main/basicAuth", json=weak)).status_code == 422
    assert (await client.post("/api/v1/basicAuth", json=USER)).status_code == 204
    client.cookies.clear()

    refused = await client.get(SEARCH)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith('Basic realm="Windhover"')
    assert (await client.get(SEARCH, auth=AUTH)).status_code == 200
    bodies = set()
    for wrong in (("ada@example.com", "Engine1844"), ("eve@example.com", USER["password"]), ("", "")):
        response = await client.get(SEARCH, auth=wrong)
        assert response.status_code == 401
        bodies.add(response.text)
    assert len(bodies) == 1
    for header in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"nocolon").decode(), "Bearer x"):
        assert (await client.get(SEARCH, headers={"Authorization": header})).status_code == 401
    assert (await client.post("/api/v1/main/basicAuth", json=USER)).status_code == 401
    assert (await client.get("/ping")).status_code == 200
    assert (await client.get("/api/v1/configs/login")).json() == {"isBasicAuthInitialized": True}

    stored = await server.services.instance_settings.get("kestra.server.basic-auth")
    assert USER["password"] not in str(stored)

    # A server that starts later knows the user, too.
    async with running_server(server.services.database, tmp_path / "second", executor=False) as second:
        assert (await second.client.get(SEARCH)).status_code == 401
        assert (await second.client.get(SEARCH, auth=AUTH)).status_code == 200


async def test_the_cookie_of_a_login_serves_as_well(local_server: Server) -> None:
    client = local_server.client
    await client.post("/api/v1/main/basicAuth", json=USER)
    client.cookies.clear()
    assert (await client.post("/api/v1/login", json={**USER, "password": "x"})).status_code == 401
    login = await client.post("/api/v1/login", json=USER)
    assert login.status_code == 204
    cookie = login.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await client.get(SEARCH)).status_code == 200
    await client.post("/api/v1/logout")
    assert (await client.get(SEARCH)).status_code == 401


async def test_a_configured_user_goes_before_a_stored_one(sqlite: Database, tmp_path: Path) -> None:
    async with running_server(sqlite, tmp_path / "a", executor=False) as server:
        await server.client.post("/api/v1/main/basicAuth", json=USER)
    configuration = {
        "kestra.server.basic-auth.username": "op@example.com",
        "kestra.server.basic-auth.password": "weak",
        "kestra.server.basic-auth.open-urls": "/api/v1/main/executions/webhook/",
    }
    async with running_server(sqlite, tmp_path / "b", configuration, executor=False) as server:
        client = server.client
        assert (await client.get(SEARCH, auth=AUTH)).status_code == 401
        assert (await client.get(SEARCH, auth=("op@example.com", "weak"))).status_code == 200
        assert len((await client.get("/api/v1/basicAuthValidationErrors")).json()) == 1
        assert (await client.get("/api/v1/main/executions/webhook/a/b/c")).status_code == 404
        change = await client.post("/api/v1/basicAuth", json=USER, auth=("op@example.com", "weak"))
        assert change.status_code == 409


async def test_paths_without_a_tenant_are_about_the_only_one(local_server: Server) -> None:
    client = local_server.client
    assert (await client.get("/api/v1/flows/search")).status_code == 200
    other = await client.get("/api/v1/other/flows/search")
    assert other.status_code == 404
    assert "tenant 'other'" in other.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/main/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/main/executions/none", 404),
        ("GET", "/api/v1/main/executions/none/file?path=kestra:///a", 404),
        ("GET", "/api/v1/main/metrics/none", 404),
        ("GET", "/api/v1/main/flows/a/b", 404),
        ("GET", "/api/v1/main/flows/a/b/revisions", 404),
        ("GET", "/api/v1/main/flows/a/b?revision=x", 400),
        ("GET", "/api/v1/main/executions?namespace=x", 400),
        ("GET", "/api/v1/main/metrics/aggregates/a/b/c?aggregation=median", 400),
        ("PATCH", "/api/v1/main/flows", 405),
        ("POST", "/api/v1/main/executions/latest", 400),
        ("DELETE", "/api/v1/main/executions/by-ids", 400),
        ("DELETE", "/api/v1/main/executions/kill/by-ids", 400),
        ("POST", "/api/v1/login", 400),
        ("GET", "/api/v1/plugins/no.such.Type", 404),
        ("GET", "/api/v1/plugins/inputs/ODD", 404),
        ("GET", "/api/v1/plugins/schemas/odd", 404),
    ],
)
async def test_errors_are_json(local_server: Server, method: str, path: str, status: int) -> None:
    response = await local_server.client.request(method, path)
    assert response.status_code == status, response.text
    body = response.json()
    assert body["message"]
    assert body["_links"]["self"]["href"] == httpx.URL(path).path
    assert "Traceback" not in response.text


async def test_a_database_that_is_away_and_a_fault_of_ours(
    local_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = local_server.client

    async def away(*_: Any, **__: Any) -> Any:
        raise RepositoryUnavailable("connection refused by 10.0.0.7")

    monkeypatch.setattr(local_server.services.executions, "load", away)
    response = await client.get("/api/v1/main/executions/x")
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "10.0.0.7" not in response.text

    async def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("inner secret")

    monkeypatch.setattr(local_server.services.executions, "load", broken)
    response = await client.get("/api/v1/main/executions/x")
    assert response.status_code == 500
    assert "inner secret" not in response.text
    assert response.json()["message"].startswith("Internal Server Error")


async def test_the_openapi_document_says_what_is_answered(local_server: Server) -> None:
    document = (await local_server.client.get("/openapi.json")).json()
    paths = document["paths"]
    start = paths["/api/v1/{tenant}/executions/{namespace}/{flowId}"]["post"]
    assert start["operationId"] == "createExecution"
    assert "multipart/form-data" in start["requestBody"]["content"]
    answer = start["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Execution"}
    assert "422" not in start["responses"]
    schemas = document["components"]["schemas"]
    assert schemas["Execution"]["properties"]["taskRunList"]
    assert schemas["StateChange"]["properties"]["date"]["format"] == "date-time"
    assert schemas["ExecutionFilters"]["properties"]["labels"]["properties"]["NOT_EQUALS"]
    searched = [
        (path, operation)
        for path, operations in paths.items()
        for operation in operations.values()
        if path.endswith("/by-query") or "/by-query/" in path
    ]
    assert len(searched) > 20
    for path, operation in searched:
        (filters,) = [each for each in operation["parameters"] if each["name"] == "filters"]
        assert filters["schema"]["$ref"].endswith("Filters"), path
    text = str(document)
    for name in {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schemas, name
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))


async def test_plugins_are_described_from_their_classes(local_server: Server) -> None:
    get = local_server.client.get
    groups = (await get("/api/v1/plugins")).json()["results"]
    log = next(group for group in groups if group["name"] == "io.kestra.plugin.core.log")
    assert "io.kestra.plugin.core.log.Log" in [task["cls"] for task in log["tasks"]]
    page = (await get("/api/v1/plugins/io.kestra.plugin.core.log.Log")).json()
    assert page["markdown"].startswith("# Log\n")
    assert "message" in page["schema"]["properties"]["properties"]
    wrong = await get("/api/v1/plugins/io.kestra.plugin.core.log.Logg")
    assert "did you mean 'io.kestra.plugin.core.log.Log'" in wrong.json()["message"]
    types = {one["type"] for one in (await get("/api/v1/plugins/inputs")).json()}
    assert {"STRING", "FILE", "MULTISELECT", "FORM"} <= types
    assert (await get("/api/v1/plugins/inputs/string")).status_code == 200
    schema = (await get("/api/v1/plugins/schemas/task", params={"arrayOf": True})).json()
    assert schema["items"] == {"$ref": "#/definitions/Task"}


async def test_the_management_port(local_server: Server) -> None:
    await local_server.client.get(SEARCH)
    transport = httpx.ASGITransport(create_management_app(local_server.services))
    async with httpx.AsyncClient(transport=transport, base_url="http://management.test") as client:
        health = (await client.get("/health")).json()
        assert (health["name"], health["status"]) == ("kestra", "UP")
        assert health["details"]["jdbc"]["details"]["database"] == "sqlite"
        assert health["details"]["diskSpace"]["details"]["threshold"] == 10_485_760
        assert (await client.get("/health/liveness")).json()["status"] == "UP"
        assert (await client.get("/health/readiness")).status_code == 200
        assert (await client.get("/info")).json()["build"]["name"] == "windhover"
        text = (await client.get("/prometheus")).text
        for name in ("worker_job_pending", "queue_executor_pending"):
            assert f"# TYPE kestra_{name} gauge\nkestra_{name} 0.0\n" in text
        route = 'method="GET",uri="/api/v1/{tenant}/flows/search",status="200"'
        assert f"http_server_requests_seconds_count{{{route}}} 1.0\n" in text
        assert (await client.get("/flows")).status_code == 404


async def test_the_management_port_tells_what_is_down(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path / 'gone.db'}")
    configuration = {
        "endpoints.all.basic-auth.username": "op",
        "endpoints.all.basic-auth.password": "secret",
    }
    async with running_server(
        database, tmp_path, configuration, executor=False, components=lambda: {"executor": False}
    ) as server:
        transport = httpx.ASGITransport(create_management_app(server.services))
        async with httpx.AsyncClient(transport=transport, base_url="http://management.test") as client:
            assert (await client.get("/health")).status_code == 401
            client.auth = httpx.BasicAuth("op", "secret")
            ready = await client.get("/health/readiness")
            assert ready.status_code == 503
            assert ready.json()["details"]["executor"]["status"] == "DOWN"
            await database.close()
            down = (await client.get("/health")).json()
            assert down["details"]["jdbc"]["status"] == "DOWN"
            assert (await client.get("/health/liveness")).status_code == 200


async def test_an_application_needs_no_start(local_server: Server) -> None:
    """It can be made many times over the same services, as tests and several ports do."""
    assert create_app(local_server.services) is not create_app(local_server.services)


async def test_browsers_of_other_origins_are_answered_when_allowed(sqlite: Database, tmp_path: Path) -> None:
    configuration = {
        "micronaut.server.cors.enabled": "true",
        "micronaut.server.cors.configurations.all.allowed-origins": "https://app.example.com",
        "kestra.server.basic-auth.username": "op@example.com",
        "kestra.server.basic-auth.password": "Secret123",
    }
    preflight = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
    async with running_server(sqlite, tmp_path, configuration, executor=False) as server:
        allowed = await server.client.options(SEARCH, headers=preflight)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
        other = await server.client.options(SEARCH, headers={**preflight, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_an_execution_says_who_has_started_and_killed_it(server: Server) -> None:
    client = server.client
    flow = """
        id: slow
        namespace: company.team
        labels: {team: a, system.readOnly: "true"}
        tasks: [{id: wait, type: io.kestra.plugin.core.flow.Pause}]
        """
    await server.create_flow(flow)
    assert (await client.post("/api/v1/basicAuth", json=USER)).status_code == 204
    client.cookies.clear()
    path = "/api/v1/main/executions"
    answer = (await client.post(f"{path}/company.team/slow", auth=AUTH)).json()
    labels = {one["key"]: one["value"] for one in answer["labels"]}
    assert labels == {
        "team": "a",
        "system.username": USER["username"],
        "system.correlationId": answer["id"],
    }
    await client.delete(f"{path}/{answer['id']}/kill", auth=AUTH)
    logs = (await client.get(f"/api/v1/main/logs/{answer['id']}", auth=AUTH)).json()
    assert f"Execution killed by {USER['username']}." in [line["message"] for line in logs]


async def test_an_execution_says_who_has_paused_it_and_let_it_go_on(server: Server) -> None:
    client = server.client
    flow = """
        id: slow
        namespace: company.team
        tasks:
          - {id: first, type: io.kestra.plugin.core.log.Log, message: a}
          - {id: wait, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M}
        """
    await server.create_flow(flow)
    path = "/api/v1/main/executions"
    execution_id = (await client.post(f"{path}/company.team/slow?breakpoints=first")).json()["id"]
    await server.reached(execution_id, "BREAKPOINT")
    assert (await client.post("/api/v1/basicAuth", json=USER)).status_code == 204
    client.cookies.clear()
    client.auth = AUTH
    act = f"{path}/{execution_id}/actions"
    assert (await client.post(f"{act}/resume-from-breakpoint")).status_code == 200
    await server.reached(execution_id, "RUNNING")
    assert (await client.post(f"{act}/pause")).status_code == 200
    logs = (await client.get(f"/api/v1/main/logs/{execution_id}")).json()
    messages = [line["message"] for line in logs]
    assert f"Execution resumed from its breakpoint by {USER['username']}." in messages
    assert f"Execution paused by {USER['username']}: nothing new starts until it is resumed." in messages


async def test_whatever_somebody_asks_of_many_executions_names_them_in_the_log(server: Server) -> None:
    client = server.client
    await server.create_flow("""
        id: slow
        namespace: company.team
        tasks:
          - {id: wait, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M}
          - {id: last, type: io.kestra.plugin.core.log.Log, message: a}
        """)
    await server.create_flow("""
        id: one
        namespace: company.team
        concurrency: {limit: 1}
        tasks:
          - {id: wait, type: io.kestra.plugin.core.flow.Pause}
        """)
    path = "/api/v1/main/executions"
    assert (await client.post("/api/v1/basicAuth", json=USER)).status_code == 204
    client.cookies.clear()
    client.auth = AUTH
    who = USER["username"]

    async def said(execution_id: str, text: str) -> bool:
        logs = (await client.get(f"/api/v1/main/logs/{execution_id}")).json()
        return text in [line["message"] for line in logs]

    async def act(action: str, ids: list[str], **params: str) -> None:
        answer = await client.post(f"{path}/{action}/by-ids", json=ids, params=params)
        assert (answer.status_code, answer.json().get("count")) == (202, len(ids)), answer.text

    slow = (await client.post(f"{path}/company.team/slow")).json()["id"]
    await server.reached(slow, "RUNNING")
    await act("pause", [slow])
    assert await said(slow, f"Execution paused by {who}: nothing new starts until it is resumed.")
    resumed = await client.post(f"{path}/resume/by-query", params={"filters[flowId][EQUALS]": "slow"})
    assert resumed.json()["count"] == 1
    assert await said(slow, f"Execution resumed by {who}.")
    await client.request("DELETE", f"{path}/kill/by-ids", json=[slow])
    await server.reached(slow, "KILLED")
    await act("restart", [slow])
    assert await said(slow, f"Execution restarted by {who}.")
    await client.request("DELETE", f"{path}/kill/by-ids", json=[slow])
    await server.reached(slow, "KILLED")
    await act("change-status", [slow], newStatus="FAILED")
    assert await said(slow, f"Status changed from KILLED to FAILED by {who}.")
    await act("replay", [slow])
    (new,) = (await client.get(f"{path}/search", params={"filters[parentId][EQUALS]": slow})).json()[
        "results"
    ]
    place = f'[[link execution="{slow}" flowId="slow" namespace="company.team"]]'
    assert await said(new["id"], f"Execution {place} replayed here by {who}.")
    await client.delete(f"{path}/{new['id']}/kill")

    first, second, third = [(await client.post(f"{path}/company.team/one")).json()["id"] for _ in range(3)]
    await server.reached(third, "QUEUED")
    await act("force-run", [second])
    assert await said(second, f"Execution forced to run by {who}.")
    await act("unqueue", [third], state="RUNNING")
    assert await said(third, f"Execution taken out of the queue by {who}.")
    for execution_id in (first, second, third):
        await client.delete(f"{path}/{execution_id}/kill")
