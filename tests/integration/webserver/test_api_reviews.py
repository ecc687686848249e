"""Deciding an Approval over the API."""

from __future__ import annotations

from tests.integration.webserver.server import Server

EXECUTIONS = "/api/v1/main/executions"

ASK = """
id: ask
namespace: company.team
tasks:
  - id: ask
    type: io.kestra.plugin.core.flow.Approval
    commentRequired: ON_DENY
    inputs: [{id: n, type: INT, max: 5}]
"""


async def test_a_review_checks_the_form_and_the_comment(local_server: Server) -> None:
    await local_server.create_flow(ASK)
    started = await local_server.client.post(f"{EXECUTIONS}/company.team/ask")
    execution_id = started.json()["id"]
    await local_server.reached(execution_id, "PAUSED")
    path = f"{EXECUTIONS}/{execution_id}/actions/review"
    plain = await local_server.client.post(f"{EXECUTIONS}/{execution_id}/actions/resume")
    assert plain.status_code == 409
    assert "waits for a decision" in plain.json()["message"]
    many = await local_server.client.post(f"{EXECUTIONS}/resume/by-ids", json=[execution_id])
    assert many.json()["count"] == 0
    denied = await local_server.client.post(path, params={"decision": "DENIED"}, files={"n": (None, "3")})
    assert denied.status_code == 422
    assert "A comment is required" in denied.json()["message"]
    wrong = await local_server.client.post(path, params={"decision": "APPROVED"}, files={"n": (None, "9")})
    assert wrong.status_code == 422
    assert (await local_server.client.post(path, params={"decision": "PERHAPS"})).status_code == 400
    right = await local_server.client.post(path, params={"decision": "APPROVED"}, files={"n": (None, "3")})
    assert right.status_code == 200
    done = await local_server.reached(execution_id, "SUCCESS")
    assert done["taskRunList"][0]["outputs"]["inputs"] == {"n": 3}
    again = await local_server.client.post(path, params={"decision": "APPROVED"}, files={"n": (None, "3")})
    assert again.status_code == 409
