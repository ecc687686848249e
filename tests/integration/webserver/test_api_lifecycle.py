"""Acting on executions: restart, replay, pause, resume, change, label, kill with all they have started."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.integration.webserver.server import Server

EXECUTIONS = "/api/v1/main/executions"

#: Fails at its first try and succeeds at its second.
FAILS_ONCE = """\
id: fails-once
namespace: company.team
tasks:
  - id: before
    type: io.kestra.plugin.core.debug.Return
    format: "{{ taskrun.id }}"
  - id: flaky
    type: io.kestra.plugin.core.log.Log
    message: "{{ 1 / taskrun.attemptsCount }}"
  - id: after
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.before.value }}"
errors:
  - id: alarm
    type: io.kestra.plugin.core.log.Log
    message: It failed
"""

ASKS = """\
id: asks
namespace: company.team
tasks:
  - id: first
    type: io.kestra.plugin.core.debug.Return
    format: a
  - id: approval
    type: io.kestra.plugin.core.flow.Pause
    onResume:
      - id: reason
        type: STRING
      - id: again
        type: STRING
        defaults: "{{ outputs.first.value }}"
      - id: attachment
        type: FILE
        required: false
  - id: last
    type: io.kestra.plugin.core.output.OutputValues
    values: "{{ outputs.approval.onResume }}"
"""

HELLO = """\
id: hello
namespace: company.team
inputs:
  - id: n
    type: INT
    defaults: 2
tasks:
  - id: r
    type: io.kestra.plugin.core.debug.Return
    format: "{{ inputs.n }}"
  - id: s
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.r.value }}"
"""


async def act(server: Server, execution_id: str, action: str, **arguments: Any) -> httpx.Response:
    return await server.client.post(f"{EXECUTIONS}/{execution_id}/actions/{action}", **arguments)


async def started(server: Server, flow_id: str, state: str, **arguments: Any) -> dict[str, Any]:
    """Start a flow and follow it to a state."""
    response = await server.client.post(f"{EXECUTIONS}/company.team/{flow_id}", **arguments)
    assert response.status_code == 200, response.text
    return await reached(server, response.json()["id"], state)


async def reached(server: Server, execution_id: str, *states: str) -> dict[str, Any]:
    with server.services.feed.listen(execution_id) as listener:
        async with asyncio.timeout(10):
            while True:
                execution = (await server.client.get(f"{EXECUTIONS}/{execution_id}")).json()
                if execution["state"]["current"] in states:
                    return execution  # type: ignore[no-any-return]
                await listener.wait(5.0)


def task_runs(execution: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {run["taskId"]: run for run in execution.get("taskRunList", [])}


def states(execution: dict[str, Any]) -> dict[str, str]:
    return {task: run["state"]["current"] for task, run in task_runs(execution).items()}


# ---------------------------------------------------------------- restart and replay


@pytest.mark.parametrize("path", ["actions/restart", "restart"])
async def test_a_restart_takes_up_what_failed_and_nothing_else(server: Server, path: str) -> None:
    await server.create_flow(FAILS_ONCE)
    failed = await server.execute("fails-once")
    assert states(failed) == {"before": "SUCCESS", "flaky": "FAILED", "alarm": "SUCCESS"}
    response = await server.client.post(f"{EXECUTIONS}/{failed['id']}/{path}")
    assert response.status_code == 200
    answer = response.json()
    assert answer["state"]["current"] == "RESTARTED"
    assert states(answer) == {"before": "SUCCESS", "flaky": "RESTARTED"}
    ended = await reached(server, failed["id"], "SUCCESS", "FAILED")
    assert states(ended) == {"before": "SUCCESS", "flaky": "SUCCESS", "after": "SUCCESS"}
    runs = task_runs(ended)
    assert len(runs["flaky"]["attempts"]) == 2
    assert runs["before"]["id"] == task_runs(failed)["before"]["id"] == runs["after"]["outputs"]["value"]
    assert {"key": "system.restarted", "value": "true"} in ended["labels"]


async def test_a_restart_needs_something_that_failed(local_server: Server) -> None:
    await local_server.create_flow(HELLO)
    ended = await local_server.execute("hello")
    response = await act(local_server, ended["id"], "restart")
    assert response.status_code == 422
    assert "No task found to restart execution from!" in response.json()["message"]
    assert (await act(local_server, "A" * 22, "restart")).status_code == 404


async def test_a_replay_is_a_new_execution_that_keeps_what_came_before(server: Server) -> None:
    await server.create_flow(HELLO)
    first = await server.execute("hello", files={"n": (None, "5")})
    chosen = task_runs(first)["s"]["id"]
    response = await act(server, first["id"], "replay", params={"taskRunId": chosen})
    answer = response.json()
    assert answer["parentId"] == first["id"] != answer["id"]
    assert answer["originalId"] == first["id"]
    assert states(answer) == {"r": "SUCCESS", "s": "RESTARTED"}
    second = await reached(server, answer["id"], "SUCCESS")
    assert task_runs(second)["s"]["outputs"] == {"value": "5"}
    assert {"key": "system.replay", "value": "true"} in second["labels"]
    original = (await server.client.get(f"{EXECUTIONS}/{first['id']}")).json()
    assert {"key": "system.replayed", "value": "true"} in original["labels"]
    third = (await act(server, first["id"], "replay")).json()
    assert {one["key"] for one in third["labels"]} == {"system.correlationId", "system.replay"}
    unknown = await act(server, first["id"], "replay", params={"taskRunId": "nothing"})
    assert unknown.status_code == 404


async def test_a_replay_with_inputs_checks_them_as_a_start_does(local_server: Server) -> None:
    await local_server.create_flow(HELLO)
    first = await local_server.execute("hello", files={"n": (None, "5")})
    wrong = await act(local_server, first["id"], "replay-with-inputs", files={"n": (None, "many")})
    assert wrong.status_code == 422
    response = await act(local_server, first["id"], "replay-with-inputs", files={"n": (None, "7")})
    assert response.status_code == 200
    second = await reached(local_server, response.json()["id"], "SUCCESS")
    assert second["inputs"] == {"n": 7}
    assert task_runs(second)["s"]["outputs"] == {"value": "7"}


async def test_a_replay_runs_the_revision_that_is_asked_for(local_server: Server) -> None:
    await local_server.create_flow(HELLO)
    first = await local_server.execute("hello")
    changed = HELLO.replace("{{ inputs.n }}", "new")
    await local_server.client.put("/api/v1/main/flows/company.team/hello", content=changed)
    response = await act(local_server, first["id"], "replay", params={"revision": 2})
    second = await reached(local_server, response.json()["id"], "SUCCESS")
    assert second["flowRevision"] == 2
    assert task_runs(second)["s"]["outputs"] == {"value": "new"}
    bulk = await local_server.client.post(
        f"{EXECUTIONS}/replay/by-ids", json=[first["id"]], params={"latestRevision": "true"}
    )
    assert bulk.status_code == 202
    assert bulk.json()["totalItems"] == 1


async def test_a_killed_execution_can_be_restarted(local_server: Server) -> None:
    await local_server.create_flow(ASKS)
    paused = await started(local_server, "asks", "PAUSED")
    await local_server.client.delete(f"{EXECUTIONS}/{paused['id']}/actions/kill")
    await reached(local_server, paused["id"], "KILLED")
    response = await act(local_server, paused["id"], "restart")
    assert response.status_code == 200, response.text
    again = await reached(local_server, paused["id"], "PAUSED")
    assert states(again) == {"first": "SUCCESS", "approval": "PAUSED"}


async def test_the_state_of_a_task_run_can_be_changed(local_server: Server) -> None:
    await local_server.create_flow(FAILS_ONCE)
    failed = await local_server.execute("fails-once")
    body = {"taskRunId": task_runs(failed)["flaky"]["id"], "state": "SUCCESS"}
    assert (await act(local_server, failed["id"], "state", json=body)).status_code == 200
    ended = await reached(local_server, failed["id"], "SUCCESS")
    assert states(ended) == {"before": "SUCCESS", "flaky": "SUCCESS", "after": "SUCCESS"}


# ---------------------------------------------------------------- pause and resume


async def test_a_resume_gives_the_inputs_that_the_pause_asks_for(server: Server) -> None:
    await server.create_flow(ASKS)
    paused = await started(server, "asks", "PAUSED")
    missing = await act(server, paused["id"], "resume")
    assert missing.status_code == 422
    assert "Missing required input:reason" in missing.json()["message"]
    assert (await reached(server, paused["id"], "PAUSED"))["id"] == paused["id"]
    given = {"reason": (None, "fine"), "attachment": ("a.txt", b"text")}
    response = await act(server, paused["id"], "resume", files=given)
    assert response.status_code == 200, response.text
    ended = await reached(server, paused["id"], "SUCCESS")
    values = task_runs(ended)["last"]["outputs"]["values"]
    assert (values["reason"], values["again"]) == ("fine", "a")
    assert values["attachment"].startswith("kestra:///")
    assert "resumed" in task_runs(ended)["approval"]["outputs"]
    late = await act(server, paused["id"], "resume", files=given)
    assert late.status_code == 409
    assert f"Execution '{paused['id']}' is not paused, can't resume it" in late.json()["message"]


async def test_defaults_of_what_a_pause_asks_read_the_inputs_of_the_execution(local_server: Server) -> None:
    asks = ASKS.replace("{{ outputs.first.value }}", "{{ inputs.who }} {{ outputs.first.value }}")
    inputs = "inputs:\n  - id: who\n    type: STRING\n    defaults: Ann\ntasks:"
    await local_server.create_flow(asks.replace("tasks:", inputs, 1))
    paused = await started(local_server, "asks", "PAUSED")
    await act(local_server, paused["id"], "resume", files={"reason": (None, "x")})
    ended = await reached(local_server, paused["id"], "SUCCESS")
    # What is not given, and need not be, is not there.
    assert task_runs(ended)["approval"]["outputs"]["onResume"] == {"reason": "x", "again": "Ann a"}


async def test_inputs_of_a_resume_can_be_tried(local_server: Server) -> None:
    await local_server.create_flow(ASKS)
    paused = await started(local_server, "asks", "PAUSED")
    (checked,) = (await act(local_server, paused["id"], "resume/validate")).json()
    found = {one["input"]["id"]: one for one in checked["inputs"]}
    assert found["reason"]["errors"]
    assert found["again"]["value"] == "a"
    assert (await reached(local_server, paused["id"], "PAUSED"))["id"] == paused["id"]


async def test_what_a_pause_has_for_its_wait_runs_while_it_waits(local_server: Server) -> None:
    source = ASKS.replace(
        "    onResume:",
        "    onPause:\n      id: notice\n      type: io.kestra.plugin.core.log.Log\n"
        "      message: Somebody is asked\n    onResume:",
    )
    await local_server.create_flow(source)
    paused = await started(local_server, "asks", "PAUSED")
    with local_server.services.feed.listen(paused["id"]) as listener:
        async with asyncio.timeout(10):
            while states(paused).get("notice") != "SUCCESS":
                await listener.wait(5.0)
                paused = (await local_server.client.get(f"{EXECUTIONS}/{paused['id']}")).json()
    assert states(paused) == {"first": "SUCCESS", "approval": "PAUSED", "notice": "SUCCESS"}
    assert "parentTaskRunId" not in task_runs(paused)["notice"]
    await act(local_server, paused["id"], "resume", files={"reason": (None, "x")})
    ended = await reached(local_server, paused["id"], "SUCCESS")
    assert states(ended)["last"] == "SUCCESS"


async def test_only_what_runs_can_be_paused(local_server: Server) -> None:
    await local_server.create_flow(HELLO)
    ended = await local_server.execute("hello")
    for action, status, message in (
        ("pause", 409, "The execution is not running"),
        ("unqueue", 409, "Only QUEUED execution can be unqueued"),
        ("force-run", 409, "Only non terminated executions can be forced run."),
    ):
        response = await act(local_server, ended["id"], action)
        assert response.status_code == status
        assert message in response.json()["message"]


async def test_a_force_run_does_not_wait_for_the_date(local_server: Server) -> None:
    await local_server.create_flow(HELLO)
    waiting = await started(local_server, "hello", "CREATED", params={"scheduleDate": "2100-01-01T00:00:00Z"})
    answer = await act(local_server, waiting["id"], "force-run")
    assert (answer.status_code, answer.json()["state"]["current"]) == (200, "RUNNING")
    assert states(await reached(local_server, waiting["id"], "SUCCESS")) == {"r": "SUCCESS", "s": "SUCCESS"}


# ---------------------------------------------------------------- labels and states


async def test_labels_are_for_ended_executions_and_not_those_of_the_system(local_server: Server) -> None:
    await local_server.create_flow(ASKS)
    paused = await started(local_server, "asks", "PAUSED")
    label = [{"key": "team", "value": "a"}]
    assert (await act(local_server, paused["id"], "labels", json=label)).status_code == 400
    await local_server.create_flow(HELLO)
    ended = await local_server.execute("hello", params={"labels": "old:1"})
    answer = (await act(local_server, ended["id"], "labels", json=label)).json()
    assert {one["key"] for one in answer["labels"]} == {"old", "team", "system.correlationId"}
    again = (await act(local_server, ended["id"], "labels", json=[{"key": "old", "value": "2"}])).json()
    assert {"key": "old", "value": "2"} in again["labels"]
    same = [one for one in answer["labels"] if one["key"].startswith("system.")]
    assert (await act(local_server, ended["id"], "labels", json=same)).status_code == 200
    system = [{"key": "system.x", "value": "1"}]
    assert (await act(local_server, ended["id"], "labels", json=system)).status_code == 422
    nothing = [{"key": None, "value": None}]
    assert (await act(local_server, ended["id"], "labels", json=nothing)).status_code == 400


async def test_a_status_is_changed_from_one_end_to_another(local_server: Server) -> None:
    await local_server.create_flow(HELLO)
    ended = await local_server.execute("hello")
    answer = await act(local_server, ended["id"], "change-status", params={"status": "FAILED"})
    assert answer.json()["state"]["current"] == "FAILED"
    assert set(states(answer.json()).values()) == {"SUCCESS"}
    refused = await act(local_server, ended["id"], "change-status", params={"status": "RUNNING"})
    assert refused.status_code == 409
    assert "to a terminal state" in refused.json()["message"]


# ---------------------------------------------------------------- many at a time


async def test_by_ids_nothing_is_done_when_one_does_not_fit(server: Server) -> None:
    await server.create_flow(FAILS_ONCE)
    await server.create_flow(ASKS)
    failed = await server.execute("fails-once")
    paused = await started(server, "asks", "PAUSED")
    response = await server.client.post(
        f"{EXECUTIONS}/restart/by-ids", json=[failed["id"], paused["id"], "nothing"]
    )
    assert response.status_code == 400
    assert {one["invalidValue"] for one in response.json()["invalids"]} == {paused["id"], "nothing"}
    assert (await reached(server, failed["id"], "FAILED"))["id"] == failed["id"]
    response = await server.client.post(f"{EXECUTIONS}/restart/by-ids", json=[failed["id"]])
    assert response.status_code == 202
    await reached(server, failed["id"], "SUCCESS")


async def test_by_query_those_that_do_not_fit_are_passed_over(local_server: Server) -> None:
    await local_server.create_flow(FAILS_ONCE)
    await local_server.create_flow(HELLO)
    failed = [await local_server.execute("fails-once") for _ in range(3)]
    await local_server.execute("hello")
    response = await local_server.client.post(
        f"{EXECUTIONS}/restart/by-query", params={"filters[namespace][EQUALS]": "company.team"}
    )
    assert response.json()["count"] == 3
    for execution in failed:
        await reached(local_server, execution["id"], "SUCCESS")


# ---------------------------------------------------------------- kill


PARENT = """\
id: parent
namespace: company.team
tasks:
  - id: child
    type: io.kestra.plugin.core.flow.Subflow
    namespace: company.team
    flowId: asks
    wait: {wait}
"""


async def children_of(server: Server, execution_id: str) -> list[dict[str, Any]]:
    found = await server.client.get(f"{EXECUTIONS}/search", params={"triggerExecutionId": execution_id})
    results: list[dict[str, Any]] = found.json()["results"]
    return results


async def test_a_kill_reaches_what_an_ended_execution_has_started(server: Server) -> None:
    await server.create_flow(ASKS)
    await server.create_flow(PARENT.format(wait="false"))
    parent = await server.execute("parent")
    (child,) = await children_of(server, parent["id"])
    await reached(server, child["id"], "PAUSED")
    path = f"{EXECUTIONS}/{parent['id']}/actions/kill"
    refused = await server.client.delete(path, params={"isOnKillCascade": "false"})
    assert refused.status_code == 409
    assert (await server.client.delete(path)).status_code == 202
    await reached(server, child["id"], "KILLED")


async def test_a_kill_without_cascade_leaves_what_was_started(local_server: Server) -> None:
    await local_server.create_flow(ASKS)
    await local_server.create_flow(PARENT.format(wait="true"))
    parent = await started(local_server, "parent", "RUNNING")
    (child,) = await children_of(local_server, parent["id"])
    await reached(local_server, child["id"], "PAUSED")
    path = f"{EXECUTIONS}/{parent['id']}/actions/kill"
    await local_server.client.delete(path, params={"isOnKillCascade": "false"})
    await reached(local_server, parent["id"], "KILLED")
    assert (await reached(local_server, child["id"], "PAUSED"))["id"] == child["id"]


async def test_a_restart_goes_down_into_subflows(server: Server) -> None:
    await server.create_flow(FAILS_ONCE)
    await server.create_flow(PARENT.format(wait="true").replace("flowId: asks", "flowId: fails-once"))
    parent = await server.execute("parent")
    assert parent["state"]["current"] == "FAILED"
    (child,) = await children_of(server, parent["id"])
    await act(server, parent["id"], "restart")
    await reached(server, parent["id"], "SUCCESS")
    (same,) = await children_of(server, parent["id"])
    assert same["id"] == child["id"]
    assert same["state"]["current"] == "SUCCESS"


async def test_a_flow_may_be_named_as_an_action(local_server: Server) -> None:
    await local_server.create_flow(HELLO.replace("id: hello", "id: restart"))
    assert (await local_server.execute("restart"))["state"]["current"] == "SUCCESS"
