"""Executions that others have brought about, those that wait, and what kind they are."""

from __future__ import annotations

from typing import Any

from tests.integration.webserver.server import Server
from tests.integration.webserver.test_api_streams import Stream, events

EXECUTIONS = "/api/v1/main/executions"
LIMITS = "/api/v1/main/concurrency-limit"

CHILD = """\
id: child
namespace: company.team
tasks:
  - {id: wait, type: io.kestra.plugin.core.flow.Pause}
"""

PARENT = """\
id: parent
namespace: company.team
tasks:
  - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child}
"""

GRANDPARENT = PARENT.replace("id: parent", "id: grandparent").replace("flowId: child", "flowId: parent")

LISTENER = """\
id: listener
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: done}
triggers:
  - id: on-parent
    type: io.kestra.plugin.core.trigger.Flow
    conditions:
      - {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team, flowId: parent}
"""

LIMITED = """\
id: limited
namespace: company.team
concurrency: {limit: 1}
tasks:
  - {id: wait, type: io.kestra.plugin.core.flow.Pause}
"""

COUNTS = """\
id: counts
namespace: company.team
tasks:
  - id: count
    type: io.kestra.plugin.core.metric.Publish
    metrics: [{type: counter, name: rows, value: 3}]
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
"""


async def start(server: Server, flow_id: str, **arguments: Any) -> str:
    answer = await server.client.post(f"{EXECUTIONS}/company.team/{flow_id}", **arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]  # type: ignore[no-any-return]


async def paused(server: Server, flow_id: str) -> dict[str, Any]:
    """The only execution of a flow, once it is paused."""
    params = {"filters[flowId][EQUALS]": flow_id}
    (found,) = (await server.client.get(f"{EXECUTIONS}/search", params=params)).json()["results"]
    return await server.reached(found["id"], "PAUSED")


async def all_events(stream: Stream) -> list[dict[str, Any]]:
    found = [await stream.next()]
    while found[-1]["id"] != "end":
        found.append(await stream.next())
    await stream.end()
    return found


async def test_the_executions_around_one_are_followed_to_their_ends(server: Server) -> None:
    for flow in (CHILD, PARENT, GRANDPARENT, LISTENER):
        await server.create_flow(flow)
    await start(server, "grandparent")
    child = await paused(server, "child")
    parent = child["trigger"]["variables"]["executionId"]

    def follow(execution_id: str, query: str = "") -> Stream:
        return Stream(server, f"{EXECUTIONS}/{execution_id}/follow-dependencies{query}")

    streams = (
        follow(parent),
        follow(parent, "?destinationOnly=true"),
        follow(child["id"]),
        follow(child["id"], "?expandAll=true"),
    )
    first = [await stream.next() for stream in streams]
    await server.client.post(f"{EXECUTIONS}/{child['id']}/actions/resume")
    around, below, near, far = [
        [event, *await all_events(stream)] for event, stream in zip(first, streams, strict=True)
    ]

    def flows(found: list[dict[str, Any]]) -> set[str]:
        return {each["data"]["flowId"] for each in found}

    assert flows(around) == {"grandparent", "parent", "child", "listener"}
    assert flows(below) == {"parent", "child", "listener"}
    assert flows(near) == {"parent", "child"}
    assert flows(far) == {"grandparent", "parent", "child", "listener"}
    for found in (around, below, near, far):
        assert [event["id"] for event in found] == ["progress"] * (len(found) - 1) + ["end"]
        last = {event["data"]["executionId"]: event["data"]["state"]["current"] for event in found}
        assert set(last.values()) == {"SUCCESS"}
        own = found[0]["data"]
        assert own["executionId"] == found[-1]["data"]["executionId"], "the one itself comes first and last"
        assert (own["tenantId"], own["namespace"]) == ("main", "company.team")
    assert (await server.client.get(f"{EXECUTIONS}/{'A' * 22}/follow-dependencies")).status_code == 404


async def test_the_limits_of_flows_say_who_runs_and_who_waits(server: Server) -> None:
    for flow in (LIMITED, CHILD):
        await server.create_flow(flow)
    assert (await server.client.get(f"{LIMITS}/search")).json() == {"results": [limit(0, 0)], "total": 1}
    first = await start(server, "limited")
    await server.reached(first, "PAUSED")
    second = await start(server, "limited")
    queued = await server.reached(second, "QUEUED")
    assert queued["waitsFor"] == "The flow runs at most 1 executions at once (`concurrency.limit`)."
    await start(server, "limited", params={"kind": "TEST"})  # holds no slot
    assert (await server.client.get(f"{LIMITS}/search")).json()["results"] == [limit(1, 1)]

    # A client that would reset a counter finds none: what is so stays so.
    body = {"tenantId": "main", "namespace": "company.team", "flowId": "limited", "running": 0}
    answer = await server.client.put(f"{LIMITS}/company.team/limited", json=body)
    assert (answer.status_code, answer.json()) == (200, limit(1, 1))
    assert (await server.client.put(f"{LIMITS}/company.team/child", json={})).status_code == 404
    assert (await server.client.put(f"{LIMITS}/company.team/none", json={})).status_code == 404
    assert (await server.client.put(f"{LIMITS}/company.team/child", json=body)).status_code == 400

    await server.client.delete(f"{EXECUTIONS}/{first}/kill")
    await server.reached(second, "PAUSED")
    assert (await server.client.get(f"{LIMITS}/search")).json()["results"] == [limit(1, 0)]


def limit(running: int, queued: int) -> dict[str, Any]:
    return {
        "tenantId": "main",
        "namespace": "company.team",
        "flowId": "limited",
        "running": running,
        "queued": queued,
        "limit": 1,
        "behavior": "QUEUE",
    }


async def test_lines_and_metrics_say_of_what_kind_their_execution_is(server: Server) -> None:
    await server.create_flow(COUNTS)
    kinds = {}
    for kind in ("NORMAL", "TEST"):
        execution = await server.execute("counts", params={"kind": kind})
        (metric,) = (await server.client.get(f"/api/v1/main/metrics/{execution['id']}")).json()["results"]
        lines = (await server.client.get(f"/api/v1/main/logs/{execution['id']}")).json()
        followed = events((await server.client.get(f"/api/v1/main/logs/{execution['id']}/follow")).text)[:-1]
        shown = [metric, *lines, *(each["data"] for each in followed)]
        kinds[kind] = {each.get("executionKind") for each in shown}
    assert kinds == {"NORMAL": {None}, "TEST": {"TEST"}}

    async def found(operation: str, value: str) -> list[str | None]:
        params = {f"filters[kind][{operation}]": value, "filters[taskId][EQUALS]": "say"}
        lines = (await server.client.get("/api/v1/main/logs/search", params=params)).json()["results"]
        return sorted(str(line.get("executionKind")) for line in lines)

    assert await found("EQUALS", "TEST") == ["TEST"]
    assert await found("EQUALS", "NORMAL") == ["None"]
    assert await found("IN", "NORMAL,TEST") == ["None", "TEST"]
    assert await found("IN", "PLAYGROUND") == []


async def test_how_long_a_flow_takes_on_average(local_server: Server) -> None:
    await local_server.create_flow(COUNTS)
    path = f"{EXECUTIONS}/namespaces/company.team/flows/counts/average-duration"
    assert (await local_server.client.get(path)).json() is None
    durations = [(await local_server.execute("counts"))["state"]["duration"] for _ in range(2)]
    assert abs((await local_server.client.get(path)).json() - sum(durations) / 2) < 1e-6


async def test_an_execution_that_waits_for_its_date_says_so(local_server: Server) -> None:
    await local_server.create_flow(COUNTS)
    execution_id = await start(local_server, "counts", params={"scheduleDate": "2100-01-01T00:00:00Z"})
    waiting = (await local_server.client.get(f"{EXECUTIONS}/{execution_id}")).json()
    assert waiting["waitsFor"] == "Its date: 2100-01-01T00:00:00.000000Z."
    await local_server.client.post(f"{EXECUTIONS}/{execution_id}/actions/force-run")
    assert "waitsFor" not in await local_server.reached(execution_id, "SUCCESS")
