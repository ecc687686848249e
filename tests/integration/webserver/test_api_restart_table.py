"""Restart and replay of executions in every state: what is taken, what is refused, and what comes of it.

The tables here are those of ``docs/restart.md``.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.integration.webserver.server import Server

EXECUTIONS = "/api/v1/main/executions"

FLOW = """\
id: every-end
namespace: company.team
inputs:
  - {id: how, type: STRING, defaults: success}
LIMIT
tasks:
  - {id: first, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.how }}"}
  - {id: fail, type: io.kestra.plugin.core.execution.Fail, runIf: "{{ inputs.how == 'failed' }}"}
  - id: warn
    type: io.kestra.plugin.core.execution.Fail
    runIf: "{{ inputs.how == 'warning' }}"
    allowFailure: true
  - id: stop
    type: io.kestra.plugin.core.execution.Exit
    runIf: "{{ inputs.how == 'cancelled' }}"
    state: CANCELED
  - id: again
    type: io.kestra.plugin.core.execution.Fail
    runIf: "{{ inputs.how == 'retried' }}"
    retry: {type: constant, interval: PT1H, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}
  - id: sleep
    type: io.kestra.plugin.core.flow.Sleep
    runIf: "{{ inputs.how == 'killed' or inputs.how == 'running' }}"
    duration: PT1H
  - {id: rest, type: io.kestra.plugin.core.flow.Pause, runIf: "{{ inputs.how == 'paused' }}"}
  - {id: last, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.first.value }}"}
"""

#: The second revision: nothing fails, stops or waits any more.
MENDED = re.sub(r'runIf: "[^"]*"', 'runIf: "{{ false }}"', FLOW)

NOTHING = (
    422,
    "No task found to restart execution from! Nothing in it failed or was stopped; it can be replayed.",
)
UNDER_WAY = "Execution must be terminated or paused to be restarted, current state is "

#: By state: a restart as the same revision (what it comes to, or why it is refused), and as another.
RESTARTS: dict[str, tuple[str | tuple[int, str], str | tuple[int, str]]] = {
    "SUCCESS": (NOTHING, NOTHING),
    "WARNING": ("WARNING", "SUCCESS"),
    "FAILED": ("FAILED", "SUCCESS"),
    "KILLED": ("RUNNING", "SUCCESS"),
    "CANCELLED": ("CANCELLED", "SUCCESS"),
    "SKIPPED": (NOTHING, NOTHING),
    "RETRIED": ((422, "A new execution has taken its place."),) * 2,
    "PAUSED": ("SUCCESS", "SUCCESS"),
    "RUNNING": ((409, UNDER_WAY + "'RUNNING'; it can be replayed"),) * 2,
    "QUEUED": ((409, UNDER_WAY + "'QUEUED'; it can be unqueued"),) * 2,
    "CREATED": ((409, UNDER_WAY + "'CREATED'; it can be forced to run"),) * 2,
}

#: Those that a restart of many, by their ids, refuses as a whole. Pauses are ended one by one.
REFUSED_IN_BULK = {state for state, (same, _) in RESTARTS.items() if isinstance(same, tuple)} | {"PAUSED"}


async def come_to(server: Server, state: str) -> dict[str, Any]:
    """An execution, of the first revision, in a state; the second revision is saved then."""
    limit = "concurrency: {limit: 1}" if state == "QUEUED" else ""
    await server.create_flow(FLOW.replace("LIMIT", limit))
    path = f"{EXECUTIONS}/company.team/every-end"
    if state == "QUEUED":
        before = (await server.client.post(path, json={"how": "running"})).json()
        await server.reached(before["id"], "RUNNING")
    how = {"SKIPPED": "success", "QUEUED": "success", "CREATED": "success"}.get(state, state.lower())
    params = {"scheduleDate": "2100-01-01T00:00:00Z"} if state == "CREATED" else {}
    answer = await server.client.post(path, json={"how": how}, params=params)
    assert answer.status_code == 200, answer.text
    execution_id = answer.json()["id"]
    if state == "KILLED":
        await sleeps(server, execution_id)
        await server.client.delete(f"{EXECUTIONS}/{execution_id}/kill")
    if state == "SKIPPED":
        await server.reached(execution_id, "SUCCESS")
        await server.client.post(f"{EXECUTIONS}/{execution_id}/actions/change-status?status=SKIPPED")
    if state == "RUNNING":
        await sleeps(server, execution_id)
    execution = await server.reached(execution_id, state)
    mended = MENDED.replace("LIMIT", limit)
    assert (
        await server.client.put("/api/v1/main/flows/company.team/every-end", content=mended)
    ).status_code == 200
    return execution


async def sleeps(server: Server, execution_id: str) -> None:
    with server.services.feed.listen(execution_id) as listener:
        while "sleep" not in task_states((await server.client.get(f"{EXECUTIONS}/{execution_id}")).json()):
            await listener.wait(5.0)


async def end_all(server: Server) -> None:
    """Kill what still runs, so that the server need not wait for it."""
    filters = {"filters[state][IN]": "RUNNING,QUEUED"}
    await server.client.delete(f"{EXECUTIONS}/kill/by-query", params=filters)


def task_states(execution: dict[str, Any]) -> dict[str, str]:
    return {run["taskId"]: run["state"]["current"] for run in execution.get("taskRunList", [])}


@pytest.mark.parametrize("state", RESTARTS)
async def test_a_restart_of_each_state(server: Server, state: str) -> None:
    execution = await come_to(server, state)
    path = f"{EXECUTIONS}/{execution['id']}/actions/restart"
    for revision, expected in ((2, RESTARTS[state][1]), (None, RESTARTS[state][0])):
        params = {} if revision is None else {"revision": revision}
        answer = await server.client.post(path, params=params)
        if isinstance(expected, tuple):
            assert (answer.status_code, expected[1] in answer.json()["message"]) == (expected[0], True), (
                answer.text
            )
            continue
        assert answer.status_code == 200, answer.text
        new = answer.json()
        assert (new["id"] == execution["id"]) is (revision is None)
        assert new["flowRevision"] == (revision or 1)
        ended = await server.reached(new["id"], expected)
        if revision == 2:
            assert new["parentId"] == execution["id"]
            now = (await server.client.get(f"{EXECUTIONS}/{execution['id']}")).json()
            assert now["taskRunList"] == execution["taskRunList"], "the old execution was changed"
        first = next(run for run in ended["taskRunList"] if run["taskId"] == "first")
        assert len(first["attempts"]) == 1, "what ended well was run again"
        assert first["outputs"]["value"] == state.lower()
    await end_all(server)


@pytest.mark.parametrize("state", RESTARTS)
async def test_a_restart_of_many_in_each_state(local_server: Server, state: str) -> None:
    server = local_server
    execution = await come_to(server, state)
    answer = await server.client.post(f"{EXECUTIONS}/restart/by-ids", json=[execution["id"]])
    if state in REFUSED_IN_BULK:
        assert answer.status_code == 400
        assert [invalid["invalidValue"] for invalid in answer.json()["invalids"]] == [execution["id"]]
    else:
        assert (answer.status_code, answer.json()["count"]) == (202, 1)
        await server.reached(execution["id"], str(RESTARTS[state][0]))
        if state == "KILLED":
            await server.client.delete(f"{EXECUTIONS}/{execution['id']}/kill")
            await server.reached(execution["id"], state)
    filters = {"filters[id][EQUALS]": execution["id"]}
    answer = await server.client.post(f"{EXECUTIONS}/restart/by-query", params=filters)
    assert (answer.status_code, answer.json()["count"]) == (202, int(state not in REFUSED_IN_BULK))
    await end_all(server)


@pytest.mark.parametrize("state", RESTARTS)
async def test_a_replay_of_each_state(server: Server, state: str) -> None:
    """From anywhere, as any revision and with any inputs an execution in whatever state is replayed."""
    execution = await come_to(server, state)
    path = f"{EXECUTIONS}/{execution['id']}/actions/replay"
    task_runs = {run["taskId"]: run["id"] for run in execution.get("taskRunList", [])}
    for task_id in (None, "first", "last"):
        if task_id is not None and task_id not in task_runs:
            continue
        place = {} if task_id is None else {"taskRunId": task_runs[task_id]}
        answer = await server.client.post(path, params={**place, "revision": 2})
        assert answer.status_code == 200, answer.text
        # It waits for its turn as any other, and a warning before the task is taken over.
        end = {"QUEUED": "QUEUED", "WARNING": "WARNING" if task_id == "last" else "SUCCESS"}.get(
            state, "SUCCESS"
        )
        ended = await server.reached(answer.json()["id"], end)
        assert (ended["flowRevision"], ended["parentId"]) == (2, execution["id"])
        answer = await server.client.post(f"{path}-with-inputs", params=place, json={"how": "success"})
        assert answer.status_code == 200, answer.text
        ended = await server.reached(answer.json()["id"], end)
        assert ended["inputs"] == {"how": "success"}
    for many in ("by-ids", "by-query"):
        filters = {"filters[id][EQUALS]": execution["id"]} if many == "by-query" else {}
        answer = await server.client.post(
            f"{EXECUTIONS}/replay/{many}",
            params={"latestRevision": "true", **filters},
            json=[execution["id"]] if many == "by-ids" else None,
        )
        assert (answer.status_code, answer.json()["count"]) == (202, 1)
    now = (await server.client.get(f"{EXECUTIONS}/{execution['id']}")).json()
    assert now["state"] == execution["state"], "the old execution was changed"
    await end_all(server)


async def test_a_decision_is_not_passed_by(local_server: Server) -> None:
    approval = """
        id: approval
        namespace: company.team
        tasks: [{id: ask, type: io.kestra.plugin.core.flow.Approval}]
        """
    await local_server.create_flow(approval)
    started = (await local_server.client.post(f"{EXECUTIONS}/company.team/approval")).json()
    await local_server.reached(started["id"], "PAUSED")
    await local_server.client.put("/api/v1/main/flows/company.team/approval", content=approval + "# mended")
    for action in ("restart", "restart?revision=2", "force-run"):
        refused = await local_server.client.post(f"{EXECUTIONS}/{started['id']}/actions/{action}")
        assert refused.status_code == 409, action
        assert "decision" in refused.json()["message"]
    assert (await local_server.client.get(f"{EXECUTIONS}/{started['id']}")).json()["state"][
        "current"
    ] == "PAUSED"
