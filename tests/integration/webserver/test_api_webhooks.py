"""Requests to webhooks: who may send them, what the flow reads of them, and what they are answered with."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.integration.webserver.server import Server, running_server

from windhover.repository.database import Database

PATH = "/api/v1/main/executions/webhook/company.team"

FLOW = """\
id: {id}
namespace: company.team
{more}
tasks:
  - id: out
    type: io.kestra.plugin.core.debug.Return
    format: "{format}"
outputs:
  - id: seen
    type: STRING
    value: "{{{{ outputs.out.value }}}}"
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: {id}-key
{options}
"""


def flow(id: str, options: str = "", format: str = "{{ trigger.body | json }}", more: str = "") -> str:
    indented = "".join(f"    {line}\n" for line in options.strip().splitlines())
    return FLOW.format(id=id, options=indented, format=format, more=more)


async def call(server: Server, id: str, method: str = "POST", **arguments: Any) -> httpx.Response:
    return await server.client.request(method, f"{PATH}/{id}/{id}-key", **arguments)


async def ended(server: Server, response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return await server.reached(response.json()["id"], "SUCCESS", "FAILED", "WARNING")


async def test_body_headers_and_parameters_are_read(server: Server) -> None:
    await server.create_flow(flow("hook", format="{{ trigger.body.a }} {{ trigger.headers['X-CUSTOM'][0] }}"))
    response = await call(
        server, "hook", json={"a": 1}, params={"n": ["1", "2"]}, headers={"x-custom": "mine"}
    )
    execution = await ended(server, response)
    assert execution["outputs"] == {"seen": "1 mine"}
    variables = execution["trigger"]["variables"]
    assert variables["parameters"] == {"n": ["1", "2"]}
    assert variables["body"] == {"a": 1}
    labels = {label["key"]: label["value"] for label in execution["labels"]}
    assert labels["system.from"] == "trigger"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"", None),
        (b"plain", "plain"),
        (b"[1, 2]", [1, 2]),
        (b"12", "12"),
        (b"{broken", "{broken"),
        (b"\xff\xfe", "//4="),
    ],
)
async def test_a_body_is_json_or_text_or_base64(local_server: Server, content: bytes, body: object) -> None:
    await local_server.create_flow(flow("hook"))
    response = await call(local_server, "hook", "PUT", content=content)
    assert response.json()["trigger"]["variables"]["body"] == body


async def test_the_key_is_the_only_credential(sqlite: Database, tmp_path: Any) -> None:
    users = {"username": "admin@example.com", "password": "Secret123"}
    configuration = {"kestra": {"server": {"basic-auth": users}}}
    async with running_server(sqlite, tmp_path, configuration) as server:
        auth = httpx.BasicAuth(users["username"], users["password"])
        created = await server.client.post("/api/v1/main/flows", content=flow("hook"), auth=auth)
        assert created.status_code == 200
        assert (await server.client.get("/api/v1/main/flows/search")).status_code == 401
        assert (await call(server, "hook", "GET")).status_code == 200
        without_tenant = "/api/v1/executions/webhook/company.team/hook/hook-key"
        assert (await server.client.post(without_tenant)).status_code == 200
        assert (await server.client.post(f"{PATH}/hook/other-key")).status_code == 404
        assert (await server.client.post(f"{PATH}/hook/")).status_code in (401, 404, 405)
        beyond = await server.client.post(f"{PATH}/hook/hook-key/more")
        assert beyond.status_code == 404


async def test_what_cannot_be_called(local_server: Server) -> None:
    await local_server.create_flow(flow("shut", more="disabled: true"))
    await local_server.create_flow(flow("quiet", "disabled: true"))
    assert (await call(local_server, "shut")).status_code == 409
    assert (await call(local_server, "quiet")).status_code == 409
    assert (await call(local_server, "missing")).status_code == 404
    for method, further in (("GET", "more"), ("POST", "more/of/it"), ("PUT", "")):
        beyond = await local_server.client.request(method, f"{PATH}/shut/shut-key/{further}")
        assert beyond.status_code == 404
        assert f"ends with its key, without `/{further}`" in beyond.json()["message"]


@pytest.mark.parametrize(("edit", "status"), [("disabled: true", 409), ("deleted", 404)])
async def test_a_webhook_that_is_disabled_while_the_body_comes(
    local_server: Server, edit: str, status: int
) -> None:
    source = flow("hook")
    await local_server.create_flow(source)
    if edit == "deleted":
        edited = source[: source.index("triggers:")]
    else:
        edited = flow("hook", edit)

    async def body() -> AsyncIterator[bytes]:
        yield b'{"slow": '
        saved = await local_server.client.put(
            "/api/v1/main/flows/company.team/hook",
            content=edited,
            headers={"Content-Type": "application/x-yaml"},
        )
        assert saved.status_code == 200
        yield b"true}"

    assert (await call(local_server, "hook", content=body())).status_code == status


async def test_an_empty_key_opens_nothing(local_server: Server) -> None:
    source = flow("hook").replace("key: hook-key", "key: \"{{ '' }}\"")
    await local_server.create_flow(source)
    assert (await local_server.client.post(f"{PATH}/hook/%20")).status_code == 404


async def test_conditions_refuse_and_when_passes_over(local_server: Server) -> None:
    await local_server.create_flow(
        flow(
            "strict",
            """
conditions:
  - type: io.kestra.plugin.core.condition.Expression
    expression: "{{ trigger.body.event == 'push' }}"
""",
        )
    )
    await local_server.create_flow(flow("choosy", "when: \"{{ trigger.body.event == 'push' }}\""))
    assert (await call(local_server, "strict", json={"event": "ping"})).status_code == 409
    assert (await call(local_server, "strict", json={})).status_code == 409
    assert (await call(local_server, "choosy", json={"event": "ping"})).status_code == 204
    broken = await call(local_server, "choosy", json={})
    assert broken.status_code == 422
    assert "event" in broken.text
    for name in ("strict", "choosy"):
        assert (await call(local_server, name, json={"event": "push"})).status_code == 200
    search = await local_server.client.get("/api/v1/main/executions/search")
    assert search.json()["total"] == 2


INPUTS = "inputs:\n  - id: n\n    type: INT\n    max: 10"
MAPPING = 'inputs:\n  n: "{{ trigger.body.n }}"'


@pytest.mark.parametrize(
    ("body", "status"), [({"n": 7}, 200), ({"n": 11}, 409), ({"n": "x"}, 409), ({}, 409)]
)
async def test_inputs_are_checked_before_anything_starts(
    local_server: Server, body: dict[str, Any], status: int
) -> None:
    await local_server.create_flow(flow("hook", MAPPING, format="{{ inputs.n + 1 }}", more=INPUTS))
    response = await call(local_server, "hook", json=body)
    assert response.status_code == status, response.text
    if status == 200:
        assert (await ended(local_server, response))["outputs"] == {"seen": "8"}
    else:
        assert (await local_server.client.get("/api/v1/main/executions/search")).json()["total"] == 0


async def told(server: Server, flow_id: str) -> list[str]:
    """The log of the webhook of a flow."""
    query = {"triggerId": "hook", "flowId": flow_id, "size": "100"}
    found = (await server.client.get("/api/v1/main/logs/search", params=query)).json()["results"]
    assert {line["level"] for line in found} <= {"ERROR"}
    return [line["message"] for line in found]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("inputs: {n: '{{ trigger.body.n }}'}", "Invalid value for input `n`"),
        ("inputs: {n: '{{ trigger.body.nope }}'}", "Input `n` of the webhook cannot be rendered"),
        ("when: '{{ trigger.body.nope }}'", "Condition `when` cannot be evaluated"),
        ("idempotencyKey: '{{ trigger.body.nope }}'", "The idempotencyKey of the webhook"),
        ("signature: {type: GITHUB, secret: s}", "X-Hub-Signature-256"),
    ],
)
async def test_the_log_of_the_webhook_says_what_was_refused(
    server: Server, options: str, reason: str
) -> None:
    await server.create_flow(flow("hook", options, more="inputs:\n  - {id: n, type: INT}"))
    assert (await call(server, "hook", json={"n": "many"})).status_code in (401, 409, 422)
    (line,) = await told(server, "hook")
    assert line.startswith("A request is refused: ")
    assert reason in line


async def test_a_flood_of_wrong_requests_does_not_fill_the_log(local_server: Server) -> None:
    await local_server.create_flow(flow("hook", "signature: {type: GITHUB, secret: s}"))
    for _ in range(30):
        await call(local_server, "hook")
    assert len(await told(local_server, "hook")) == 10


async def test_what_conditions_keep_away_is_not_told(local_server: Server) -> None:
    await local_server.create_flow(flow("hook", "when: '{{ trigger.body.go }}'"))
    assert (await call(local_server, "hook", json={"go": False})).status_code == 204
    assert await told(local_server, "hook") == []


async def test_a_webhook_is_shown_as_healthy_or_failing(server: Server) -> None:
    path = "/api/v1/main/triggers"

    async def health() -> tuple[str, str | None]:
        state = (await server.client.get(f"{path}/company.team/hook/hook")).json()["state"]
        (listed,) = (await server.client.get(f"{path}/company.team/hook")).json()["results"]
        assert listed == state
        assert state["kind"] == "WEBHOOK"
        return state["health"], state.get("reason")

    source = flow("hook", "when: '{{ trigger.body.go }}'")
    await server.create_flow(source)
    assert await health() == ("HEALTHY", None)
    await call(server, "hook", json={})
    assert (await health())[0] == "FAILING"
    assert "`when` cannot be evaluated" in str((await health())[1])
    await ended(server, await call(server, "hook", json={"go": True}))
    assert await health() == ("HEALTHY", None)
    await call(server, "hook", json={})
    assert (await health())[0] == "FAILING"
    edited = source.replace("trigger.body.go", "true")
    await server.client.put(
        "/api/v1/main/flows/company.team/hook", content=edited, headers={"content-type": "application/x-yaml"}
    )
    assert await health() == ("HEALTHY", None)

    wanted = {"namespace": "company.team", "flowId": "hook", "triggerId": "hook", "disabled": True}
    refused = await server.client.put(f"{path}/set-disabled", json=wanted)
    assert refused.status_code == 404
    assert "its flow can disable it" in refused.json()["message"]


async def test_a_webhook_that_waits_answers_with_the_outputs(server: Server) -> None:
    await server.create_flow(flow("wait", "wait: true"))
    await server.create_flow(
        flow("outputs", 'wait: true\nreturnOutputs: true\nresponseCode: "{{ 200 + 1 }}"', format="done")
    )
    await server.create_flow(flow("fails", "wait: true", format="{{ nope }}"))
    await server.create_flow(flow("coded", "wait: true\nresponseCode: 202", format="{{ nope }}"))
    waited = await call(server, "wait", json={"a": 1})
    assert waited.json()["state"]["current"] == "SUCCESS"
    assert waited.json()["outputs"] == {"seen": '{"a":1}'}
    outputs = await call(server, "outputs")
    assert (outputs.status_code, outputs.json()) == (201, {"seen": "done"})
    assert (await call(server, "fails")).status_code == 500
    coded = await call(server, "coded")
    assert (coded.status_code, coded.json()["state"]["current"]) == (202, "FAILED")


# ---------------------------------------------------------------- bodies that are large, or forms


async def test_a_large_body_is_kept_in_the_storage(server: Server) -> None:
    await server.create_flow(flow("hook", format="{{ trigger.body.items | length }}"))
    items = ["x" * 100] * 20_000
    response = await call(server, "hook", content=json.dumps({"items": items}))
    execution = await ended(server, response)
    assert execution["outputs"] == {"seen": "20000"}
    assert execution["trigger"]["variables"]["body"]["uri"].startswith("kestra:///")
    assert len(json.dumps(execution)) < 100_000


async def test_bodies_have_a_limit(sqlite: Database, tmp_path: Any) -> None:
    configuration = {"windhover": {"limits": {"webhook-body": "1KB"}}}
    async with running_server(sqlite, tmp_path, configuration) as server:
        await server.create_flow(flow("hook"))
        await server.create_flow(flow("stored", "fetchType: STORE", format="{{ fileSize(trigger.uri) }}"))
        assert (await call(server, "hook", content=b"x" * 2000)).status_code == 413
        response = await call(server, "stored", content=b"x" * 2000)
        assert response.status_code == 200
        assert response.json()["trigger"]["variables"]["uri"].startswith("kestra:///")


async def test_a_body_may_be_stored_or_left_alone(local_server: Server) -> None:
    await local_server.create_flow(flow("stored", "fetchType: STORE", format="{{ trigger.uri }}"))
    await local_server.create_flow(flow("none", "fetchType: NONE"))
    stored = await ended(local_server, await call(local_server, "stored", content=b"hello"))
    storage = local_server.services.storage.for_tenant("main")
    assert await storage.read(stored["outputs"]["seen"]) == b"hello"
    none = (await call(local_server, "none", content=b"hello")).json()
    assert none["trigger"]["variables"]["body"] is None


async def test_files_of_a_form_are_stored(server: Server) -> None:
    await server.create_flow(
        flow("hook", format="{{ trigger.formFields.name[0] }} {{ trigger.parts[0].filename }}")
    )
    response = await call(
        server, "hook", data={"name": "Ada"}, files={"photo": ("a.png", b"\x00\x01", "image/png")}
    )
    execution = await ended(server, response)
    assert execution["outputs"] == {"seen": "Ada a.png"}
    (part,) = execution["trigger"]["variables"]["parts"]
    assert (part["name"], part["contentType"], part["size"]) == ("photo", "image/png", 2)
    assert await server.services.storage.for_tenant("main").read(part["uri"]) == b"\x00\x01"


# ---------------------------------------------------------------- signatures


def signed(secret: str, text: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), text, algorithm).hexdigest()


async def test_github_signs_the_body(server: Server) -> None:
    await server.create_flow(flow("hook", "signature:\n  type: GITHUB\n  secret: s3cret"))
    body = b'{"action": "opened"}'
    right = {"X-Hub-Signature-256": f"sha256={signed('s3cret', body)}"}
    wrong = {"X-Hub-Signature-256": f"sha256={signed('other', body)}"}
    assert (await call(server, "hook", content=body, headers=right)).status_code == 200
    assert (await call(server, "hook", content=body, headers=wrong)).status_code == 401
    assert (await call(server, "hook", content=body)).status_code == 401
    assert (await call(server, "hook", content=body + b" ", headers=right)).status_code == 401
    assert (await server.client.get("/api/v1/main/executions/search")).json()["total"] == 1


@pytest.mark.parametrize(("age", "status"), [(0, 200), (299, 200), (301, 401), (-301, 401)])
@pytest.mark.parametrize("kind", ["SLACK", "STRIPE", "GENERIC"])
async def test_a_signed_timestamp_must_be_near(
    local_server: Server, kind: str, age: int, status: int
) -> None:
    options = f"signature:\n  type: {kind}\n  secret: s3cret"
    if kind == "GENERIC":
        options += "\n  header: X-Mac\n  prefix: mac=\n  algorithm: SHA512\n  timestampHeader: X-Time"
    await local_server.create_flow(flow("hook", options))
    stamp = int(local_server.services.clock().timestamp()) - age
    body = b"text=hello"
    headers = {
        "SLACK": {
            "X-Slack-Request-Timestamp": str(stamp),
            "X-Slack-Signature": "v0=" + signed("s3cret", f"v0:{stamp}:".encode() + body),
        },
        "STRIPE": {"Stripe-Signature": f"t={stamp},v1=00,v1={signed('s3cret', f'{stamp}.'.encode() + body)}"},
        "GENERIC": {
            "X-Time": str(stamp),
            "X-Mac": "mac=" + signed("s3cret", f"{stamp}.".encode() + body, "sha512"),
        },
    }[kind]
    assert (await call(local_server, "hook", content=body, headers=headers)).status_code == status


async def test_a_stored_body_without_the_signature_leaves_nothing(
    local_server: Server, tmp_path: Any
) -> None:
    await local_server.create_flow(flow("hook", "fetchType: STORE\nsignature:\n  secret: s3cret"))
    refused = await call(local_server, "hook", content=b"x" * 1000, headers={"X-Signature": "00"})
    assert refused.status_code == 401
    assert not [path for path in (tmp_path / "storage").rglob("*") if path.is_file()]


# ---------------------------------------------------------------- one delivery only, and a rate


async def test_deliveries_with_one_key_make_one_execution(server: Server) -> None:
    await server.create_flow(flow("hook", "idempotencyHeader: X-Delivery"))
    calls = [call(server, "hook", json={"n": n}, headers={"X-Delivery": "d1"}) for n in range(20)]
    responses = await asyncio.gather(*calls)
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["id"] for response in responses}) == 1
    assert (await call(server, "hook", headers={"X-Delivery": "d2"})).json()["id"] != responses[0].json()[
        "id"
    ]
    assert (await ended(server, responses[0]))["state"]["current"] == "SUCCESS"
    assert (await server.client.get("/api/v1/main/executions/search")).json()["total"] == 2


async def test_a_delivery_that_comes_again_is_answered_with_the_first_outputs(local_server: Server) -> None:
    options = 'wait: true\nreturnOutputs: true\nidempotencyKey: "{{ trigger.body.id }}"'
    await local_server.create_flow(flow("hook", options))
    first = await call(local_server, "hook", json={"id": "a" * 500, "n": 1})
    again = await call(local_server, "hook", json={"id": "a" * 500, "n": 2})
    assert first.json() == again.json()
    other = await call(local_server, "hook", json={"id": "a" * 501, "n": 3})
    assert other.json() != first.json()


async def test_too_many_requests_are_told_to_wait(local_server: Server) -> None:
    await local_server.create_flow(flow("hook", "rateLimit:\n  requests: 2\n  interval: PT1H"))
    statuses = [(await call(local_server, "hook")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = await call(local_server, "hook")
    assert 0 < int(refused.headers["Retry-After"]) <= 1800
