"""Starting executions and reading them back."""

from __future__ import annotations

from tests.integration.webserver.server import Server

HELLO = """\
id: hello
namespace: company.team
labels:
  team: a
variables:
  v: "x{{ inputs.n }}"
inputs:
  - id: n
    type: INT
    defaults: 2
tasks:
  - id: r
    type: io.kestra.plugin.core.debug.Return
    format: "{{ render(vars.v) }}"
  - id: l
    type: io.kestra.plugin.core.log.Log
    message: "said {{ outputs.r.value }}"
outputs:
  - id: res
    type: STRING
    value: "{{ outputs.r.value }}"
"""


async def test_an_execution_is_answered_when_it_has_ended(server: Server) -> None:
    await server.create_flow(HELLO)
    execution = await server.execute("hello", params={"labels": "k:v"}, files={"n": (None, "3")})
    assert execution["state"]["current"] == "SUCCESS"
    assert execution["outputs"] == {"res": "x3"}
    assert execution["inputs"] == {"n": 3}
    assert [run["taskId"] for run in execution["taskRunList"]] == ["r", "l"]
    first = execution["taskRunList"][0]
    assert first["outputs"] == {"value": "x3"}
    assert first["executionId"] == execution["id"]
    assert {label["key"]: label["value"] for label in execution["labels"]} == {
        "team": "a",
        "k": "v",
        "system.correlationId": execution["id"],
    }
    response = await server.client.get(f"/api/v1/main/executions/{execution['id']}")
    execution.pop("url")
    assert response.json() == execution
    logs = (
        await server.client.get(f"/api/v1/main/logs/{execution['id']}", params={"minLevel": "INFO"})
    ).json()
    assert [entry["message"] for entry in logs] == ["said x3"]
