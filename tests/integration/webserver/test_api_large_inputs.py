"""Inputs too large for a row: kept in the storage, and read from there by tasks and conditions."""

from __future__ import annotations

import json

from tests.integration.webserver.server import Server

FLOW = """\
id: large
namespace: company.team
inputs:
  - id: rows
    type: JSON
tasks:
  - id: decide
    type: io.kestra.plugin.core.flow.If
    condition: "{{ inputs.rows | length > 1000 }}"
    then:
      - id: count
        type: io.kestra.plugin.core.debug.Return
        format: "{{ inputs.rows | length }} rows, the last is {{ inputs.rows[19999].name }}"
"""


async def test_a_large_input_is_kept_in_the_storage_and_read_from_there(local_server: Server) -> None:
    await local_server.create_flow(FLOW)
    rows = [{"name": f"row number {i}", "value": i} for i in range(20_000)]
    execution = await local_server.execute("large", files={"rows": (None, json.dumps(rows))})
    kept = execution["inputs"]["rows"]
    assert kept["type"] == "io.windhover.datatype:stored"
    assert kept["size"] > 500_000
    runs = {run["taskId"]: run for run in execution["taskRunList"]}
    assert runs["decide"]["outputs"] == {"evaluationResult": True}
    assert runs["count"]["outputs"]["value"] == "20000 rows, the last is row number 19999"


async def test_a_replay_with_large_inputs_keeps_them_in_the_storage_too(local_server: Server) -> None:
    await local_server.create_flow(FLOW)
    first = await local_server.execute("large", files={"rows": (None, "[]")})
    rows = [{"name": f"row number {i}", "value": i} for i in range(20_000)]
    response = await local_server.client.post(
        f"/api/v1/main/executions/{first['id']}/replay-with-inputs", files={"rows": (None, json.dumps(rows))}
    )
    assert response.status_code == 200
    second = await local_server.reached(response.json()["id"], "SUCCESS")
    kept = second["inputs"]["rows"]
    assert kept["type"] == "io.windhover.datatype:stored"
    assert second["id"] in kept["uri"]
    runs = {run["taskId"]: run for run in second["taskRunList"]}
    assert runs["count"]["outputs"]["value"] == "20000 rows, the last is row number 19999"


PAUSED = """\
id: asks
namespace: company.team
tasks:
  - id: ask
    type: io.kestra.plugin.core.flow.Pause
    onResume:
      - id: rows
        type: JSON
  - id: count
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.ask.onResume.rows | length }} rows with {{ outputs.ask.onResume.rows[19999].name }}"
"""


async def test_a_resume_with_large_inputs_keeps_them_in_the_storage_too(local_server: Server) -> None:
    await local_server.create_flow(PAUSED)
    started = await local_server.client.post("/api/v1/main/executions/company.team/asks")
    paused = await local_server.reached(started.json()["id"], "PAUSED")
    rows = [{"name": f"row number {i}", "value": i} for i in range(20_000)]
    response = await local_server.client.post(
        f"/api/v1/main/executions/{paused['id']}/resume", files={"rows": (None, json.dumps(rows))}
    )
    assert response.status_code < 300
    ended = await local_server.reached(paused["id"], "SUCCESS")
    runs = {run["taskId"]: run for run in ended["taskRunList"]}
    assert runs["ask"]["outputs"]["onResume"]["rows"]["type"] == "io.windhover.datatype:stored"
    assert runs["count"]["outputs"]["value"] == "20000 rows with row number 19999"


OUTPUTS = """\
id: gives
namespace: company.team
inputs:
  - id: text
    type: STRING
tasks:
  - id: say
    type: io.kestra.plugin.core.log.Log
    message: hello
outputs:
  - id: rows
    type: JSON
    value: "{{ range(1, 20000) }}"
  - id: half
    type: STRING
    value: "{{ inputs.text }}"
  - id: few
    type: INT
    value: 3
triggers:
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: abcdef
    wait: true
    returnOutputs: true
    inputs:
      text: given
"""


async def test_a_search_shows_small_values_and_says_how_large_the_others_are(local_server: Server) -> None:
    await local_server.create_flow(OUTPUTS)
    text = "x" * 50_000
    whole = await local_server.execute("gives", files={"text": (None, text)})
    assert whole["inputs"]["text"] == whole["outputs"]["half"] == text
    assert whole["outputs"]["rows"]["type"] == "io.windhover.datatype:stored"
    response = await local_server.client.get("/api/v1/main/executions/search")
    assert len(response.content) < 4_000
    (listed,) = response.json()["results"]
    omitted = {"type": "io.windhover.datatype:omitted", "size": len(text) + 2}
    assert listed["inputs"] == {"text": omitted}
    assert listed["outputs"] == {"rows": whole["outputs"]["rows"], "half": omitted, "few": 3}
    exported = await local_server.client.get("/api/v1/main/executions/export/by-query/csv")
    assert text in exported.text


async def test_a_webhook_answers_with_large_outputs_whole(local_server: Server) -> None:
    await local_server.create_flow(OUTPUTS)
    response = await local_server.client.post("/api/v1/main/executions/webhook/company.team/gives/abcdef")
    assert response.status_code == 200, response.text
    answered = response.json()
    assert (len(answered["rows"]), answered["rows"][-1], answered["few"]) == (20_000, 20_000, 3)
