"""Expressions rendered for a person: with the variables of an execution, and for display."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from tests.integration.webserver.server import Server, running_server

from windhover.expression import Limits, ServerPort
from windhover.repository.database import Database
from windhover.webserver import evaluation

FLOW = """\
id: looked-at
namespace: company.team
variables: {greeting: "Hello {{ inputs.city }}"}
inputs:
  - {id: city, type: STRING, defaults: Paris}
  - {id: password, type: SECRET, defaults: topsecret}
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - id: one
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}1"
"""


class SecretsOnly:
    """A server that knows one secret, a JSON object."""

    def secret(self, key: str, namespace: str | None) -> str:
        if key != "DATABASE":
            raise LookupError(f"Cannot find secret for key '{key}'.")
        return '{"user": "ada", "password": "hush-hush"}'


Evaluated = tuple[Server, dict[str, Any]]


@pytest_asyncio.fixture
async def evaluated(sqlite: Database, tmp_path: Path) -> AsyncIterator[Evaluated]:
    """A server with a secret, and an execution of the flow above."""
    port = cast("ServerPort", SecretsOnly())
    async with running_server(sqlite, tmp_path, expression_port=lambda identity: port) as server:
        await server.create_flow(FLOW)
        yield server, await server.execute("looked-at")


async def evaluate(server: Server, path: str, template: str) -> dict[str, Any]:
    answer = await server.client.post(
        f"/api/v1/main/executions/{path}", content=template, headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def test_a_template_is_rendered_with_the_variables_of_an_execution(evaluated: Evaluated) -> None:
    server, execution = evaluated
    for path in (f"{execution['id']}/eval", f"{execution['id']}/actions/eval"):
        template = "{{ inputs.city }} {{ outputs.one.a.value }} {{ render(vars.greeting) }}"
        assert await evaluate(server, path, template) == {"result": "Paris a1 Hello Paris"}


async def test_a_template_is_rendered_with_the_variables_of_a_task_run(evaluated: Evaluated) -> None:
    server, execution = evaluated
    run = next(run for run in execution["taskRunList"] if run.get("value") == "b")
    template = "{{ task.id }} {{ taskrun.value }} {{ taskrun.iteration }}"
    for path in (f"{execution['id']}/eval/{run['id']}", f"{execution['id']}/actions/eval/{run['id']}"):
        assert await evaluate(server, path, template) == {"result": "one b 1"}


async def test_what_is_wrong_is_told_with_its_place(evaluated: Evaluated) -> None:
    server, execution = evaluated
    path = f"{execution['id']}/eval"
    found = await evaluate(server, path, "x\n{{ inputs.ctiy }}")
    assert found["error"].startswith("Unable to find `ctiy`")
    assert (found["line"], found["column"], found["suggestion"]) == (2, 10, "city")
    assert (await evaluate(server, path, "{{ 1 + }}"))["column"] == 8


@pytest.mark.parametrize(
    "template",
    [
        "{{ inputs.password }}",
        "{{ inputs.password | base64encode }}",
        "{{ secret('DATABASE') }}",
        "{{ secret('DATABASE') | slice(0, 3) }}",
        "{{ secret('DATABASE', subkey='password') | upper }}",
        "{{ secret('DATABASE', full=true).password }}",
        "{{ printContext() }}",
        "{{ fetchContext().inputs.password }}",
    ],
)
async def test_no_secret_comes_to_light(evaluated: Evaluated, template: str) -> None:
    server, execution = evaluated
    found = await evaluate(server, f"{execution['id']}/eval", template)
    shown = found["result"]
    for telling in ("topsecret", "hush", "HUSH", '{"u', "dG9wc2VjcmV0"):
        assert telling not in shown
    assert "*" in shown or shown == "KioqKioq"  # the mask, in base64


async def test_a_secret_that_is_not_there_is_told(evaluated: Evaluated) -> None:
    server, execution = evaluated
    found = await evaluate(server, f"{execution['id']}/eval", "{{ secret('other') }}")
    assert "Cannot find secret for key 'OTHER'" in found["error"]


async def test_a_costly_template_ends_and_holds_nobody_up(
    evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "LIMITS", Limits(max_iterations=10_000_000, max_seconds=0.3))
    template = "{% for i in range(1, 900000) %}{% for j in range(1, 900000) %}{% endfor %}{% endfor %}"
    server, execution = evaluated
    costly = asyncio.create_task(evaluate(server, f"{execution['id']}/eval", template))
    answer = await server.client.get("/ping")
    assert answer.status_code == 200
    assert not costly.done()
    assert "error" in await costly


async def test_unknown_executions_and_task_runs_are_not_found(evaluated: Evaluated) -> None:
    server, execution = evaluated
    for path in ("nope/eval", f"{execution['id']}/eval/nope"):
        answer = await server.client.post(f"/api/v1/main/executions/{path}", content="x")
        assert answer.status_code == 404


async def test_templates_are_shown_as_far_as_they_are_known(evaluated: Evaluated) -> None:
    known = "{{ flow.id | upper }}"
    secret = "{{ secret('database') }}"
    unknown = ["{{ outputs.nope }} {{ flow.id }}", "{{ now() }}", "{{ uuid() }}", "{{ 1 + }}", "plain"]
    server, execution = evaluated
    contexts: list[dict[str, str]] = [
        {"executionId": execution["id"]},
        {"namespace": "company.team", "flowId": "looked-at"},
        {"flow": FLOW},
    ]
    for context in contexts:
        answer = await server.client.post(
            "/api/v1/main/expressions/render", json={"expressions": [known, secret, *unknown], **context}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["rendered"] == {
            known: "LOOKED-AT",
            secret: "[secret: DATABASE]",
            **{template: template for template in unknown},
        }


async def test_the_names_of_the_language_are_listed(local_server: Server) -> None:
    filters = (await local_server.client.get("/api/v1/pebble/filters")).json()
    assert {"jq", "date", "default"} <= set(filters)
    functions = (await local_server.client.get("/api/v1/pebble/functions")).json()
    (kv,) = (found for found in functions if found["name"] == "kv")
    assert [argument["name"] for argument in kv["arguments"]] == ["key", "namespace", "errorOnMissing"]


async def test_warnings_about_expressions_are_told_when_a_flow_is_validated(local_server: Server) -> None:
    source = FLOW.replace("taskrun.value }}1", "inputs.ctiy }}")
    answer = await local_server.client.post(
        "/api/v1/main/flows/validate", content=source, headers={"content-type": "application/x-yaml"}
    )
    (result,) = answer.json()
    assert "constraints" not in result
    (warning,) = result["warnings"]
    assert warning.startswith("line 14, column 28: tasks[0].tasks[0].format: There is no input `ctiy`")
    assert "did you mean `city`" in warning


WRITTEN = """\
id: written
namespace: company.team
labels: {team: data}
variables: {greeting: Hello}
inputs:
  - {id: city, type: STRING}
triggers:
  - {id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 0 * * *"}
tasks:
  - {id: first-task, type: io.kestra.plugin.core.debug.Return, format: one}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a]
    tasks:
      - {id: looped, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
  - {id: here, type: io.kestra.plugin.core.debug.Return, format: two}
  - {id: last, type: io.kestra.plugin.core.debug.Return, format: three%s}
"""


async def offered(server: Server, source: str, **parameters: str) -> dict[str, list[str]]:
    answer = await server.client.post(
        "/api/v1/main/flows/expressions",
        content=source,
        params=parameters,
        headers={"content-type": "application/x-yaml"},
    )
    assert answer.status_code == 200
    return cast("dict[str, list[str]]", answer.json()["categories"])


async def test_completion_offers_what_a_task_may_read(evaluated: Evaluated) -> None:
    server, _ = evaluated
    await server.client.put("/api/v1/main/namespaces/company/kv/shared-key", content="1")
    await server.client.post(
        "/api/v1/main/namespaces/company.team/files",
        params={"path": "/query.sql"},
        files={"fileContent": ("query.sql", b"select 1")},
    )
    found = await offered(server, WRITTEN % "", taskId="here")
    assert found["taskOutputs"] == ["outputs['first-task'].value", "outputs.looped"]
    assert found["inputs"] == ["inputs.city"]
    assert found["variables"] == ["vars.greeting"]
    assert found["kvPairs"] == ["kv('shared-key')"]
    assert found["namespaceFiles"] == ["read('query.sql')"]
    assert {"labels.team", "execution.id", "taskrun.value", "trigger.date"} <= set(found["executionContext"])
    assert {"upper", "jq", "jsonata"} <= set(found["filters"])
    assert "now()" in found["functions"]
    whole = await offered(server, WRITTEN % "")
    assert whole["taskOutputs"][-2:] == ["outputs.here.value", "outputs.last.value"]


async def test_completion_works_in_a_flow_that_is_not_valid_yet(evaluated: Evaluated) -> None:
    server, _ = evaluated
    partly = await offered(server, WRITTEN % ", nope: 1", taskId="here")
    assert "outputs['first-task'].value" in partly["taskOutputs"]
    broken = await offered(server, "id: [", taskId="here")
    assert broken["taskOutputs"] == []
    assert broken["functions"]


async def test_validation_tells_of_outputs_that_a_subflow_lacks(evaluated: Evaluated) -> None:
    server, _ = evaluated
    await server.create_flow(
        "id: child\nnamespace: company.team\n"
        "tasks:\n  - {id: a, type: io.kestra.plugin.core.debug.Return, format: x}\n"
        "outputs:\n  - {id: total, type: STRING, value: x}\n"
    )
    parent = (
        "id: parent\nnamespace: company.team\ntasks:\n"
        "  - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child}\n"
        "  - {id: b, type: io.kestra.plugin.core.debug.Return, format: '{{ outputs.call.outputs.totl }}'%s}\n"
    )
    for extra in ("", ", nope: 1"):
        answer = await server.client.post("/api/v1/main/flows/validate", content=parent % extra)
        (result,) = answer.json()
        assert ("constraints" in result) is bool(extra)
        (warning,) = result["warnings"]
        assert "declares no output `totl`" in warning
        assert "`total`" in warning
