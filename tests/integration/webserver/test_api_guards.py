"""Checks before an execution, breakpoints, and what a waiting execution says, over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.integration.webserver.server import Server

EXECUTIONS = "/api/v1/main/executions"

CHECKED = """\
id: checked
namespace: company.team
inputs:
  - id: n
    type: INT
    defaults: 1
checks:
  - condition: "{{ inputs.n < 100 }}"
    message: "{{ inputs.n }} is too much"
    style: ERROR
  - when: "{{ inputs.n < 50 }}"
    message: Somebody should look
    behavior: FAIL_EXECUTION
  - condition: "{{ inputs.n < 10 }}"
    message: That is a lot
    style: WARNING
    behavior: CREATE_EXECUTION
tasks:
  - id: work
    type: io.kestra.plugin.core.debug.Return
afterExecution:
  - id: after
    type: io.kestra.plugin.core.debug.Return
"""

LOOP = """\
id: loop
namespace: company.team
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - id: work
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}"
"""

QUEUED = """\
id: queued
namespace: company.team
concurrency:
  limit: 1
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
"""


async def messages(server: Server, execution_id: str) -> list[tuple[str, str]]:
    lines = (await server.client.get(f"/api/v1/main/logs/{execution_id}")).json()
    return [(line["level"], line["message"]) for line in lines]


async def test_a_check_blocks_an_execution(server: Server) -> None:
    await server.create_flow(CHECKED)
    refused = await server.client.post(f"{EXECUTIONS}/company.team/checked", json={"n": 100})
    assert refused.status_code == 422
    assert "one or more condition checks evaluated to false" in refused.json()["message"]
    assert "100 is too much" in refused.json()["message"]
    found = await server.client.get(f"{EXECUTIONS}?namespace=company.team&flowId=checked")
    assert found.json()["total"] == 0


async def test_a_check_fails_an_execution_that_does_not_run(server: Server) -> None:
    await server.create_flow(CHECKED)
    failed = await server.execute("checked", json={"n": 50})
    assert [change["state"] for change in failed["state"]["histories"]] == ["CREATED", "FAILED"]
    assert [run["taskId"] for run in failed["taskRunList"]] == ["after"]
    assert await messages(server, failed["id"]) == [
        ("INFO", "Check failed: Somebody should look"),
        ("WARN", "Check failed: That is a lot"),
        ("ERROR", "Execution is FAILED due to failed checks"),
    ]


async def test_a_check_may_only_warn(local_server: Server) -> None:
    await local_server.create_flow(CHECKED)
    ended = await local_server.execute("checked", json={"n": 10})
    assert ended["state"]["current"] == "SUCCESS"
    assert ("WARN", "Check failed: That is a lot") in await messages(local_server, ended["id"])


@pytest.mark.parametrize(("given", "behaviors"), [(1, []), (10, ["CREATE_EXECUTION"])])
async def test_checks_are_told_before_the_start(
    local_server: Server, given: int, behaviors: list[str]
) -> None:
    await local_server.create_flow(CHECKED)
    answer = await local_server.client.post(f"{EXECUTIONS}/company.team/checked/validate", json={"n": given})
    (told,) = answer.json()
    assert [check["behavior"] for check in told["checks"]] == behaviors


OF_A_TEAM = """
id: of_a_team
namespace: company.team
inputs:
  - {id: owner, type: STRING, defaults: "{{ labels.team }}"}
checks:
  - {condition: "{{ labels.team == 'red' }}", message: Only for the red team, behavior: BLOCK_EXECUTION}
tasks:
  - {id: work, type: io.kestra.plugin.core.log.Log, message: hi}
"""


async def test_the_labels_of_a_start_count_when_it_is_checked_before(local_server: Server) -> None:
    await local_server.create_flow(OF_A_TEAM)
    start = f"{EXECUTIONS}/company.team/of_a_team"
    for team, messages_ in (("red", []), ("blue", ["Only for the red team"])):
        params = {"labels": f"team:{team}"}
        (told,) = (await local_server.client.post(f"{start}/validate", params=params)).json()
        assert [check["message"] for check in told["checks"]] == messages_
        assert [each["value"] for each in told["inputs"]] == [team]
        answer = await local_server.client.post(start, params=params)
        assert answer.status_code == (422 if messages_ else 200)
    refused = await local_server.client.post(f"{start}/validate", params={"labels": "team"})
    assert refused.status_code == 422


async def test_checks_are_looked_at_when_an_execution_is_replayed_with_inputs(server: Server) -> None:
    await server.create_flow(CHECKED)
    ended = await server.execute("checked", json={"n": 1})
    task_run = next(run["id"] for run in ended["taskRunList"] if run["taskId"] == "work")
    path = f"{EXECUTIONS}/{ended['id']}/actions/replay-with-inputs"
    blocked = await server.client.post(path, json={"n": 100})
    assert blocked.status_code == 422
    assert "100 is too much" in blocked.json()["message"]
    assert (await server.client.get(f"{EXECUTIONS}/{ended['id']}")).json()["labels"] == ended["labels"]

    answer = await server.client.post(path, params={"taskRunId": task_run}, json={"n": 50})
    failed = await server.reached(answer.json()["id"], "FAILED")
    assert [change["state"] for change in failed["state"]["histories"]] == ["CREATED", "FAILED"]
    assert (await messages(server, failed["id"]))[1:] == [
        ("INFO", "Check failed: Somebody should look"),
        ("WARN", "Check failed: That is a lot"),
        ("ERROR", "Execution is FAILED due to failed checks"),
    ]

    answer = await server.client.post(path, params={"taskRunId": task_run}, json={"n": 10})
    warned = await server.reached(answer.json()["id"], "SUCCESS")
    assert ("WARN", "Check failed: That is a lot") in await messages(server, warned["id"])


async def test_a_check_that_cannot_be_rendered_blocks(local_server: Server) -> None:
    await local_server.create_flow(CHECKED.replace("inputs.n < 100", "inputs.nothing"))
    refused = await local_server.client.post(f"{EXECUTIONS}/company.team/checked", json={"n": 1})
    assert refused.status_code == 422
    assert "Failed to evaluate check condition" in refused.json()["message"]


async def test_an_execution_stops_at_its_breakpoints(server: Server) -> None:
    await server.create_flow(LOOP)
    started = await server.client.post(f"{EXECUTIONS}/company.team/loop?breakpoints=work.b")
    execution_id = started.json()["id"]
    stopped: dict[str, Any] = await server.reached(execution_id, "BREAKPOINT")
    assert stopped["breakpoints"] == [{"id": "work", "value": "b"}]
    assert [run["state"]["current"] for run in stopped["taskRunList"]] == ["RUNNING", "SUCCESS", "BREAKPOINT"]
    action = f"{EXECUTIONS}/{execution_id}/actions/resume-from-breakpoint"
    assert (await server.client.post(action)).status_code == 200
    ended = await server.reached(execution_id, "SUCCESS")
    assert (await server.client.post(action)).status_code == 409

    replay = await server.client.post(f"{EXECUTIONS}/{ended['id']}/actions/replay?breakpoints=work")
    replayed = await server.reached(replay.json()["id"], "BREAKPOINT")
    path = f"{EXECUTIONS}/{replayed['id']}/actions/resume-from-breakpoint?breakpoints="
    assert (await server.client.post(path)).status_code == 200
    await server.reached(replayed["id"], "SUCCESS")


async def test_a_queued_execution_says_why_it_waits(server: Server) -> None:
    await server.create_flow(QUEUED)
    first = (await server.client.post(f"{EXECUTIONS}/company.team/queued")).json()
    await server.reached(first["id"], "PAUSED")
    second = (await server.client.post(f"{EXECUTIONS}/company.team/queued")).json()
    queued = await server.reached(second["id"], "QUEUED")
    assert queued["waitsFor"] == "The flow runs at most 1 executions at once (`concurrency.limit`)."
    test = (await server.client.post(f"{EXECUTIONS}/company.team/queued?kind=TEST")).json()
    await server.reached(test["id"], "PAUSED")
    later = f"{EXECUTIONS}/company.team/queued?scheduleDate=2099-01-01T00:00:00Z"
    created = await server.reached((await server.client.post(later)).json()["id"], "CREATED")
    assert created["waitsFor"].startswith("Its date: 2099-01-01T00:00:00")
    restarted = await server.client.post(f"{EXECUTIONS}/{first['id']}/actions/restart")
    assert restarted.status_code == 200, restarted.text
    await server.reached(first["id"], "SUCCESS")
    assert "waitsFor" not in await server.reached(second["id"], "PAUSED")


MOCKED = """\
id: mocked
namespace: company.team
tasks:
  - id: load
    type: io.kestra.plugin.core.execution.Fail
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: work, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
  - id: skipped
    type: io.kestra.plugin.core.debug.Return
    runIf: "{{ false }}"
  - id: last
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.load.rows }} {{ outputs.work.a.value }} {{ outputs.work.b.value }}"
"""


async def test_a_test_does_not_run_what_it_has_fixtures_of(server: Server) -> None:
    await server.create_flow(MOCKED)
    fixtures = [
        {"id": "load", "outputs": {"rows": "{{ 1 + 1 }} of {{ flow.id }}"}},
        {"id": "work", "value": "b", "state": "WARNING", "outputs": {"value": "mocked"}},
        {"id": "skipped", "outputs": {"value": "x"}},
    ]
    params = {"kind": "TEST", "fixtures": json.dumps(fixtures)}
    ended = await server.execute("mocked", params=params)
    runs = {(run["taskId"], run.get("value")): run for run in ended["taskRunList"]}
    assert ended["state"]["current"] == "WARNING"
    assert ended["fixtures"] == fixtures
    assert runs["last", None]["outputs"] == {"value": "2 of mocked a mocked"}
    load = runs["load", None]
    assert [change["state"] for change in load["attempts"][0]["state"]["histories"]] == ["CREATED", "SUCCESS"]
    assert runs["skipped", None]["state"]["current"] == "SKIPPED"
    assert ("INFO", "Not run: in this test it ends as SUCCESS.") in await messages(server, ended["id"])


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"fixtures": "[]"}, "Only executions of the kind TEST have fixtures"),
        ({"kind": "TEST", "fixtures": "{"}, "Invalid fixtures"),
        ({"kind": "TEST", "fixtures": '[{"outputs": {}}]'}, "missing required field `id`"),
        ({"kind": "TEST", "fixtures": '[{"id": "a", "state": "RUNNING"}]'}, "RUNNING is no end"),
    ],
)
async def test_fixtures_that_are_none(local_server: Server, params: dict[str, str], problem: str) -> None:
    await local_server.create_flow(MOCKED)
    refused = await local_server.client.post(f"{EXECUTIONS}/company.team/mocked", params=params)
    assert refused.status_code == 422
    assert problem in refused.json()["message"]


async def test_a_fixture_that_cannot_be_rendered_fails_its_task(local_server: Server) -> None:
    await local_server.create_flow(MOCKED)
    params = {"kind": "TEST", "fixtures": json.dumps([{"id": "load", "outputs": {"a": "{{ nothing }}"}}])}
    failed = await local_server.execute("mocked", params=params)
    assert failed["state"]["current"] == "FAILED"
    told = [text for level, text in await messages(local_server, failed["id"]) if level == "ERROR"]
    assert told[0].startswith(
        "The outputs of the fixture cannot be rendered. Cause: Unable to find `nothing`"
    )
