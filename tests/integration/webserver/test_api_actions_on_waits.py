"""Acting on executions that wait: for a round, a retry, a turn, a person; and deleting what still runs."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.integration.webserver.server import Server

EXECUTIONS = "/api/v1/main/executions"

LOOPS = """\
id: loops
namespace: company.team
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.LoopUntil
    condition: "{{ outputs.loop.iterationCount > 2 }}"
    checkFrequency: {interval: PT1H}
    tasks: [{id: round, type: io.kestra.plugin.core.log.Log, message: round}]
"""

RETRIES = """\
id: retries
namespace: company.team
tasks:
  - id: flaky
    type: io.kestra.plugin.core.execution.Fail
    condition: "{{ taskrun.attemptsCount == 0 }}"
    retry: {type: constant, interval: PT1H, maxAttempts: 2}
"""

CLEANS_UP = """\
id: cleans-up
namespace: company.team
tasks:
  - {id: long, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
finally:
  - {id: clean, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
"""

ASKS = """\
id: asks
namespace: company.team
tasks:
  - id: approval
    type: io.kestra.plugin.core.flow.Pause
    onResume: [{id: reason, type: STRING}]
"""

ONE_AT_A_TIME = """\
id: one-at-a-time
namespace: company.team
concurrency: {limit: 1}
tasks:
  - {id: pause, type: io.kestra.plugin.core.flow.Pause}
"""


async def act(server: Server, execution_id: str, action: str, **arguments: Any) -> httpx.Response:
    return await server.client.post(f"{EXECUTIONS}/{execution_id}/actions/{action}", **arguments)


async def started(server: Server, source: str, state: str, **arguments: Any) -> str:
    """Save a flow, start it and follow it to a state."""
    flow_id = source.split("\n", 1)[0].removeprefix("id: ")
    if (await server.client.get(f"/api/v1/main/flows/company.team/{flow_id}")).status_code == 404:
        await server.create_flow(source)
    response = await server.client.post(f"{EXECUTIONS}/company.team/{flow_id}", **arguments)
    assert response.status_code == 200, response.text
    execution_id: str = response.json()["id"]
    await reached(server, execution_id, state)
    return execution_id


async def reached(server: Server, execution_id: str, *states: str) -> dict[str, Any]:
    with server.services.feed.listen(execution_id) as listener:
        async with asyncio.timeout(10):
            while True:
                execution = (await server.client.get(f"{EXECUTIONS}/{execution_id}")).json()
                if execution["state"]["current"] in states:
                    return execution  # type: ignore[no-any-return]
                await listener.wait(5.0)


async def messages(server: Server, execution_id: str) -> list[str]:
    return [line["message"] for line in (await server.client.get(f"/api/v1/main/logs/{execution_id}")).json()]


@pytest.mark.parametrize("action", ["resume", "force-run", "restart"])
async def test_a_loop_that_waits_begins_its_next_round_for_whoever_asks(
    local_server: Server, action: str
) -> None:
    waiting = await started(local_server, LOOPS, "PAUSED")
    answer = await act(local_server, waiting, action)
    assert answer.status_code == 200, answer.text
    ended = await reached(local_server, waiting, "SUCCESS")
    (loop, _) = ended["taskRunList"]
    assert loop["outputs"] == {"iterationCount": 3}


async def test_a_forced_run_does_not_wait_for_the_next_try(local_server: Server) -> None:
    waiting = await started(local_server, RETRIES, "RETRYING")
    answer = await act(local_server, waiting, "force-run")
    assert answer.status_code == 200, answer.text
    ended = await reached(local_server, waiting, "SUCCESS")
    (run,) = ended["taskRunList"]
    assert [attempt["state"]["current"] for attempt in run["attempts"]] == ["FAILED", "SUCCESS"]


async def test_what_is_being_killed_cannot_be_forced_to_run(local_server: Server) -> None:
    execution_id = await started(local_server, CLEANS_UP, "RUNNING")
    await local_server.client.delete(f"{EXECUTIONS}/{execution_id}/actions/kill")
    await reached(local_server, execution_id, "KILLING")
    answer = await act(local_server, execution_id, "force-run")
    assert answer.json()["state"]["current"] == "KILLING"
    await local_server.client.delete(f"{EXECUTIONS}/{execution_id}/actions/kill")
    ended = await reached(local_server, execution_id, "KILLED")
    history = [one["state"] for one in ended["state"]["histories"]]
    assert history == ["CREATED", "RUNNING", "KILLING", "KILLED"]


async def test_what_a_pause_does_not_ask_for_is_named_in_the_log(local_server: Server) -> None:
    waiting = await started(local_server, ASKS, "PAUSED")
    fields = {"reason": (None, "so"), "raeson": (None, "mistyped")}
    assert (await act(local_server, waiting, "resume", files=fields)).status_code == 200
    ended = await reached(local_server, waiting, "SUCCESS")
    assert ended["taskRunList"][0]["outputs"]["onResume"] == {"reason": "so"}
    warning = "Input raeson was provided for workflow company.team.asks but isn't declared"
    assert any(message.startswith(warning) for message in await messages(local_server, waiting))


async def test_the_log_says_who_ended_the_wait_for_a_turn(local_server: Server) -> None:
    await started(local_server, ONE_AT_A_TIME, "PAUSED")
    waiting = await started(local_server, ONE_AT_A_TIME, "QUEUED")
    answer = await act(local_server, waiting, "unqueue", params={"state": "CANCELLED"})
    assert answer.json()["state"]["current"] == "CANCELLED"
    log = await messages(local_server, waiting)
    assert "Execution taken out of the queue as CANCELLED." in log
    assert not any("CANCELLED due to" in message for message in log)


@pytest.mark.parametrize(
    ("source", "state", "query"),
    [
        (ASKS, "PAUSED", {}),
        (RETRIES, "RETRYING", {}),
        (LOOPS, "PAUSED", {}),
        (ASKS, "CREATED", {"scheduleDate": "2100-01-01T00:00:00Z"}),
        (ASKS, "BREAKPOINT", {"breakpoints": "approval"}),
    ],
)
async def test_what_has_not_ended_is_killed_when_it_is_deleted(
    local_server: Server, source: str, state: str, query: dict[str, str]
) -> None:
    execution_id = await started(local_server, source, state, params=query)
    assert (await local_server.client.delete(f"{EXECUTIONS}/{execution_id}")).status_code == 204
    assert (await local_server.client.get(f"{EXECUTIONS}/{execution_id}")).status_code == 404


async def test_deleting_what_holds_a_slot_gives_the_slot_to_the_next(local_server: Server) -> None:
    holder = await started(local_server, ONE_AT_A_TIME, "PAUSED")
    first, second = [await started(local_server, ONE_AT_A_TIME, "QUEUED") for _ in range(2)]
    assert (await local_server.client.delete(f"{EXECUTIONS}/{first}")).status_code == 204
    assert (await local_server.client.delete(f"{EXECUTIONS}/{holder}")).status_code == 204
    await reached(local_server, second, "PAUSED")


async def test_an_expression_about_a_task_run_sees_what_came_of_it(local_server: Server) -> None:
    waiting = await started(local_server, ASKS, "PAUSED")
    execution = (await local_server.client.get(f"{EXECUTIONS}/{waiting}")).json()
    (run,) = execution["taskRunList"]
    answer = await act(local_server, waiting, f"eval/{run['id']}", content="{{ tasks.approval.state }}")
    assert answer.json() == {"result": "PAUSED"}


async def test_only_some_states_end_the_wait_for_a_turn(local_server: Server) -> None:
    await started(local_server, ONE_AT_A_TIME, "PAUSED")
    waiting = await started(local_server, ONE_AT_A_TIME, "QUEUED")
    answer = await act(local_server, waiting, "unqueue", params={"state": "SUCCESS"})
    assert answer.status_code == 409
    assert "Valid states are: [RUNNING, FAILED, CANCELLED]" in answer.json()["message"]
    assert (await act(local_server, waiting, "unqueue", params={"state": "FAILED"})).status_code == 200
    await reached(local_server, waiting, "FAILED")


FAILS = """\
id: fails
namespace: company.team
tasks:
  - {id: fails, type: io.kestra.plugin.core.execution.Fail}
"""


async def test_a_revision_makes_a_restart_a_new_execution_also_if_it_is_the_same(
    local_server: Server,
) -> None:
    failed = await started(local_server, FAILS, "FAILED")
    answer = await act(local_server, failed, "restart", params={"revision": 1})
    assert answer.status_code == 200
    new = answer.json()
    assert (new["parentId"], new["originalId"]) == (failed, failed)
    assert new["id"] != failed
    again = await reached(local_server, new["id"], "FAILED")
    assert [len(run["attempts"]) for run in again["taskRunList"]] == [2]


@pytest.mark.parametrize("action", ["restart", "replay"])
async def test_a_revision_that_there_is_not_is_not_found(local_server: Server, action: str) -> None:
    failed = await started(local_server, FAILS, "FAILED")
    answer = await act(local_server, failed, action, params={"revision": 7})
    assert answer.status_code == 404
    assert "revision" in answer.json()["message"]


TAKES_LONG_AFTERWARDS = """\
id: takes-long-afterwards
namespace: company.team
concurrency: {limit: 1, maxWait: PT1H}
tasks:
  - {id: pause, type: io.kestra.plugin.core.flow.Pause}
afterExecution:
  - {id: after, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
"""


async def test_what_ended_in_the_queue_does_not_run_when_its_turn_would_have_come(
    local_server: Server,
) -> None:
    holder = await started(local_server, TAKES_LONG_AFTERWARDS, "PAUSED")
    killed, next_one = [await started(local_server, TAKES_LONG_AFTERWARDS, "QUEUED") for _ in range(2)]
    await local_server.client.delete(f"{EXECUTIONS}/{killed}/kill")
    await reached(local_server, killed, "KILLED")
    # The first kill leaves the slot to what runs after the end, the second ends that, too.
    for _ in range(2):
        await local_server.client.delete(f"{EXECUTIONS}/{holder}/kill")
        await reached(local_server, holder, "KILLED")
    await reached(local_server, next_one, "PAUSED")
    execution = (await local_server.client.get(f"{EXECUTIONS}/{killed}")).json()
    assert [one["state"] for one in execution["state"]["histories"]] == [
        "CREATED",
        "QUEUED",
        "KILLING",
        "KILLED",
    ]


FAILS_INSIDE = """\
id: fails-inside
namespace: company.team
tasks:
  - id: around
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - {id: fails, type: io.kestra.plugin.core.execution.Fail}
      - {id: next, type: io.kestra.plugin.core.log.Log, message: next}
  - {id: last, type: io.kestra.plugin.core.log.Log, message: last}
errors:
  - {id: alarm, type: io.kestra.plugin.core.log.Log, message: alarm}
afterExecution:
  - {id: after, type: io.kestra.plugin.core.log.Log, message: "{{ execution.state }}"}
"""


async def test_a_task_run_that_is_said_to_be_cancelled_cancels_the_execution(local_server: Server) -> None:
    failed = await started(local_server, FAILS_INSIDE, "FAILED")
    execution = await reached_end(local_server, failed)
    run = next(run for run in execution["taskRunList"] if run["taskId"] == "fails")
    answer = await act(local_server, failed, "state", json={"taskRunId": run["id"], "state": "CANCELLED"})
    assert answer.json()["state"]["current"] == "CANCELLED"
    ended = await reached_end(local_server, failed)
    assert {run["taskId"]: run["state"]["current"] for run in ended["taskRunList"]} == {
        "around": "CANCELLED",
        "fails": "CANCELLED",
        "after": "SUCCESS",
    }
    assert [one["state"] for one in ended["state"]["histories"]][-2:] == ["FAILED", "CANCELLED"]
    log = await messages(local_server, failed)
    assert "Execution cancelled: the state of task 'fails' was changed to CANCELLED." in log
    assert log[-1] == "CANCELLED"
    # Who changes their mind takes up what was cancelled.
    assert (await act(local_server, failed, "restart")).status_code == 200
    again = await reached_end(local_server, failed)
    assert again["state"]["current"] == "FAILED"


async def reached_end(server: Server, execution_id: str) -> dict[str, Any]:
    """The execution once it has ended, with what runs after its end."""
    with server.services.feed.listen(execution_id) as listener:
        async with asyncio.timeout(10):
            while True:
                execution = (await server.client.get(f"{EXECUTIONS}/{execution_id}")).json()
                runs = execution["taskRunList"]
                after = [run["state"]["current"] for run in runs if run["taskId"] == "after"]
                if after == ["SUCCESS"]:
                    return execution  # type: ignore[no-any-return]
                await listener.wait(5.0)


TRIED_ANEW = """\
id: tried-anew
namespace: company.team
tasks:
  - id: fails
    type: io.kestra.plugin.core.execution.Fail
    retry: {type: constant, interval: PT1H, maxAttempts: 2, behavior: CREATE_NEW_EXECUTION}
"""

WAITS_FOR_IT = """\
id: waits-for-it
namespace: company.team
tasks:
  - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: tried-anew}
"""


async def the_child(server: Server, state: str) -> str:
    """The only execution of the flow that is tried anew, once it is in a state."""
    query = {"filters[flowId][EQUALS]": "tried-anew"}
    async with asyncio.timeout(10):
        while True:
            found = (await server.client.get(f"{EXECUTIONS}/search", params=query)).json()["results"]
            if found and found[0]["state"]["current"] == state:
                return str(found[0]["id"])
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("what", ["parent", "child", "deletion"])
async def test_a_kill_lets_no_execution_take_the_place_of_one_that_failed(
    local_server: Server, what: str
) -> None:
    await local_server.create_flow(TRIED_ANEW)
    parent = await started(local_server, WAITS_FOR_IT, "RUNNING")
    child = await the_child(local_server, "RETRIED")
    path = {"parent": f"{parent}/kill", "child": f"{child}/kill", "deletion": child}[what]
    assert (await local_server.client.delete(f"{EXECUTIONS}/{path}")).status_code in (202, 204)
    ended = await reached(local_server, parent, "KILLED")
    assert [run["state"]["current"] for run in ended["taskRunList"]] == ["KILLED"]
    if what == "deletion":
        assert (await local_server.client.get(f"{EXECUTIONS}/{child}")).status_code == 404
        return
    killed = await reached(local_server, child, "KILLED")
    assert [one["state"] for one in killed["state"]["histories"]][-2:] == ["RETRIED", "KILLED"]
    assert any("no new one takes its place" in message for message in await messages(local_server, child))


WAITS_AND_CLEANS_UP = """\
id: waits-and-cleans-up
namespace: company.team
tasks:
  - {id: pause, type: io.kestra.plugin.core.flow.Pause}
finally:
  - {id: after, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.05S}
"""

STARTS_IT = """\
id: starts-it
namespace: company.team
tasks:
  - id: sub
    type: io.kestra.plugin.core.flow.Subflow
    namespace: company.team
    flowId: waits-and-cleans-up
"""

STARTS_IT_IN_TIME = (
    STARTS_IT.replace("starts-it", "in-time")
    + """\
    wait: false
  - {id: long, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
sla:
  - {id: soon, type: MAX_DURATION, duration: PT1S, behavior: FAIL}
"""
)


async def the_paused(server: Server) -> str:
    query = {"filters[flowId][EQUALS]": "waits-and-cleans-up", "filters[state][EQUALS]": "PAUSED"}
    async with asyncio.timeout(10):
        while True:
            found = (await server.client.get(f"{EXECUTIONS}/search", params=query)).json()["results"]
            if found:
                return str(found[0]["id"])
            await asyncio.sleep(0.01)


async def test_what_a_kill_comes_down_to_cleans_up(local_server: Server) -> None:
    await local_server.create_flow(WAITS_AND_CLEANS_UP)
    parent = await started(local_server, STARTS_IT, "RUNNING")
    child = await the_paused(local_server)
    await local_server.client.delete(f"{EXECUTIONS}/{parent}/kill")
    await reached(local_server, parent, "KILLED")
    killed = await reached_end(local_server, child)
    assert killed["state"]["current"] == "KILLED"


async def test_a_broken_agreement_reaches_what_is_not_waited_for(local_server: Server) -> None:
    await local_server.create_flow(WAITS_AND_CLEANS_UP)
    parent = await started(local_server, STARTS_IT_IN_TIME, "RUNNING")
    child = await the_paused(local_server)
    await reached(local_server, parent, "FAILED")
    await reached(local_server, child, "KILLED")
