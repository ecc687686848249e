"""Following executions and their logs, and killing and deleting what runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.webserver.server import Server, running_server

from windhover.engine.messages import LogsWritten, TaskProgressed
from windhover.model.log import LogEntry, LogLevel
from windhover.repository.database import Database

EXECUTIONS = "/api/v1/main/executions"
LOGS = "/api/v1/main/logs"

TALKING = """\
id: talking
namespace: company.team
tasks:
  - id: first
    type: io.kestra.plugin.core.log.Log
    message: [one, two]
  - id: warn
    type: io.kestra.plugin.core.log.Log
    level: WARN
    message: three
"""

SLOW = """\
id: slow
namespace: company.team
tasks:
  - id: t
    type: io.kestra.plugin.core.flow.Sleep
    duration: PT1H
"""


def events(text: str) -> list[dict[str, Any]]:
    """The events of a stream: id, name and decoded data."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            fields["data"] = msgspec.json.decode(fields["data"])
            found.append(fields)
    return found


class Stream:
    """An event stream as a client sees it, one event at a time, over the bare ASGI application."""

    def __init__(self, server: Server, path: str, headers: dict[str, str] | None = None) -> None:
        self._parts: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False
        path, _, query = path.partition("?")
        raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": raw,
            "server": ("windhover.test", 80),
        }
        self._task = asyncio.create_task(server.app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            self._parts.put_nowait(message["body"])

    async def next(self) -> dict[str, Any]:
        """The next event; heartbeats are passed over."""
        while True:
            found = events((await self._parts.get()).decode())
            if found:
                return found[0]

    async def leave(self) -> None:
        self._gone.set()
        await self._task

    async def end(self) -> None:
        """Wait until the server has ended the stream."""
        await self._task


async def started(server: Server, flow_id: str) -> str:
    response = await server.client.post(f"{EXECUTIONS}/company.team/{flow_id}")
    id_: str = response.json()["id"]
    return id_


async def test_an_execution_is_followed_to_its_end(server: Server) -> None:
    await server.create_flow(SLOW)
    id_ = await started(server, "slow")
    stream = Stream(server, f"{EXECUTIONS}/{id_}/follow")
    first = await stream.next()
    assert first["id"] == "start"
    assert first["data"]["id"] == id_
    await server.client.delete(f"{EXECUTIONS}/{id_}/actions/kill")
    while (event := await stream.next())["id"] != "end":
        assert event["id"] == "progress"
    assert event["data"]["state"]["current"] == "KILLED"
    assert event["data"]["taskRunList"][0]["state"]["current"] == "KILLED"
    await stream.end()
    assert server.services.feed.listener_count == 0


async def test_how_far_a_task_is_can_be_read_and_followed_while_it_runs(
    database: Database, tmp_path: Path
) -> None:
    said: dict[str, TaskProgressed] = {}
    async with running_server(database, tmp_path, progress=lambda execution: said) as server:
        await server.create_flow(SLOW)
        id_ = await started(server, "slow")
        stream = Stream(server, f"{EXECUTIONS}/{id_}/follow")
        event = await stream.next()
        while not any(run["state"]["current"] == "RUNNING" for run in event["data"].get("taskRunList", [])):
            event = await stream.next()
        (run,) = event["data"]["taskRunList"]
        assert "progress" not in run
        said[run["id"]] = TaskProgressed(id_, run["taskId"], run["id"], 0.25, "1 of 4")
        server.services.queue.broadcasts.publish(said[run["id"]])
        while "progress" not in event["data"]["taskRunList"][0]:
            event = await stream.next()
        assert event["data"]["taskRunList"][0]["progress"] == {"fraction": 0.25, "message": "1 of 4"}
        shown = (await server.client.get(f"{EXECUTIONS}/{id_}")).json()
        assert shown["taskRunList"][0]["progress"] == {"fraction": 0.25, "message": "1 of 4"}
        await server.client.delete(f"{EXECUTIONS}/{id_}/actions/kill")
        while event["id"] != "end":
            event = await stream.next()
        assert "progress" not in event["data"]["taskRunList"][0]
        await stream.end()


async def test_an_ended_execution_is_shown_once_and_no_more(local_server: Server) -> None:
    await local_server.create_flow(TALKING)
    execution = await local_server.execute("talking")
    path = f"{EXECUTIONS}/{execution['id']}/follow"
    response = await local_server.client.get(path)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    assert [event["id"] for event in events(response.text)] == ["start", "end"]
    again = await local_server.client.get(path, headers={"Last-Event-ID": "end"})
    assert again.status_code == 204
    assert (await local_server.client.get(f"{EXECUTIONS}/none/follow")).status_code == 404


async def test_list_download_and_stream_give_the_same_lines(server: Server) -> None:
    await server.create_flow(TALKING)
    execution = await server.execute("talking")
    get = server.client.get
    path = f"{LOGS}/{execution['id']}"
    listed = (await get(path)).json()
    assert [entry["message"] for entry in listed if entry["level"] != "DEBUG"] == ["one", "two", "three"]
    assert [entry["sequence"] for entry in listed] == list(range(1, len(listed) + 1))
    streamed = events((await get(f"{path}/follow")).text)
    assert [event["data"] for event in streamed[:-1]] == listed
    assert [event["id"] for event in streamed] == [*(str(entry["sequence"]) for entry in listed), "end"]
    text = (await get(f"{path}/download")).text.splitlines()
    assert [line.rpartition("] ")[2] for line in text] == [entry["message"] for entry in listed]

    resumed = events((await get(f"{path}/follow", headers={"Last-Event-ID": "2"})).text)
    assert [event["data"] for event in resumed[:-1]] == listed[2:]
    assert (await get(f"{path}/follow", headers={"Last-Event-ID": "end"})).status_code == 204
    assert (await get(f"{path}/follow", headers={"Last-Event-ID": "x"})).status_code == 400

    warnings = (await get(path, params={"minLevel": "warn"})).json()
    assert [entry["message"] for entry in warnings] == ["three"]
    of_task = (await get(path, params={"taskId": "first", "filters[level][EQUALS]": "INFO"})).json()
    assert [entry["message"] for entry in of_task] == ["one", "two"]
    assert [one["message"] for one in (await get(path, params={"q": "TWO"})).json()] == ["two"]
    paged = (await get(path, params={"page": 2, "size": 1})).json()
    assert paged == listed[1:2]
    assert (await get(path, params={"minLevel": "LOUD"})).status_code == 400
    assert (await get(f"{LOGS}/none")).status_code == 404

    found = (await get(f"{LOGS}/search", params={"filters[taskId][EQUALS]": "warn"})).json()
    assert (found["total"], found["results"][0]["message"]) == (1, "three")

    assert (await server.client.delete(path, params={"taskId": "first"})).status_code == 200
    assert {entry["taskId"] for entry in (await get(path)).json()} == {"warn"}
    assert (await server.client.delete(f"{LOGS}/company.team/talking")).status_code == 200
    assert (await get(path)).json() == []


def line(execution_id: str, message: str) -> LogEntry:
    return LogEntry(
        tenant_id="main",
        namespace="company.team",
        flow_id="slow",
        execution_id=execution_id,
        timestamp=datetime.now(UTC),
        level=LogLevel.INFO,
        message=message,
    )


async def test_lines_are_streamed_as_they_are_committed(server: Server) -> None:
    """Whoever follows from the start and whoever comes later see the same, once and in order."""
    await server.create_flow(SLOW)
    id_ = await started(server, "slow")
    queue = server.services.queue.executor
    early = Stream(server, f"{LOGS}/{id_}/follow")
    expected: list[dict[str, Any]] = []
    for number in range(20):
        message = f"line {number}"
        queue.send(LogsWritten(id_, [line(id_, message)]))
        while not expected or expected[-1]["data"]["message"] != message:
            expected.append(await early.next())
    late = Stream(server, f"{LOGS}/{id_}/follow", {"Last-Event-ID": expected[4]["id"]})
    assert [await late.next() for _ in expected[5:]] == expected[5:]
    assert [int(event["id"]) for event in expected] == list(range(1, len(expected) + 1))
    await late.leave()
    await server.client.delete(f"{EXECUTIONS}/{id_}/kill")
    while (await early.next()).get("event") != "end":
        pass
    await early.end()
    assert server.services.feed.listener_count == 0


async def test_a_follower_that_was_too_slow_misses_nothing(local_server: Server) -> None:
    await local_server.create_flow(SLOW)
    id_ = await started(local_server, "slow")
    stream = Stream(local_server, f"{LOGS}/{id_}/follow")
    queue = local_server.services.queue.executor
    queue.send(LogsWritten(id_, [line(id_, "first")]))
    while (await stream.next())["data"]["message"] != "first":
        pass
    many = 25_000
    queue.send(LogsWritten(id_, [line(id_, str(number)) for number in range(many)]))
    found = [(await stream.next())["data"]["message"] for _ in range(many)]
    assert found == [str(number) for number in range(many)]
    await stream.leave()


async def test_a_server_that_stops_ends_its_streams_and_waits(local_server: Server) -> None:
    await local_server.create_flow(SLOW)
    id_ = await started(local_server, "slow")
    streams = [
        Stream(local_server, f"{EXECUTIONS}/{id_}/follow"),
        Stream(local_server, f"{LOGS}/{id_}/follow"),
    ]
    for stream in streams:
        await stream.next()
    params = {"wait": "true"}
    waiting = asyncio.create_task(local_server.client.post(f"{EXECUTIONS}/company.team/slow", params=params))
    while (await local_server.client.get(f"{EXECUTIONS}/search")).json()["total"] < 2:
        pass
    assert local_server.services.feed.listener_count == 3
    local_server.services.feed.close()
    for stream in streams:
        await stream.end()
    assert (await waiting).status_code == 503
    assert local_server.services.feed.listener_count == 0


async def test_killing_and_deleting(server: Server) -> None:
    await server.create_flow(SLOW)
    await server.create_flow(TALKING)
    client = server.client
    slow = [await started(server, "slow") for _ in range(3)]
    done = (await server.execute("talking"))["id"]

    refused = await client.request("DELETE", f"{EXECUTIONS}/kill/by-ids", json=[slow[0], done, "none"])
    assert refused.status_code == 400
    assert [one["invalidValue"] for one in refused.json()["invalids"]] == [done, "none"]
    killed = await client.request("DELETE", f"{EXECUTIONS}/kill/by-ids", json=slow[:1])
    assert (killed.status_code, killed.json()["totalItems"]) == (202, 1)
    refused = await client.request("DELETE", f"{EXECUTIONS}/by-ids", json=[slow[1]])
    assert refused.status_code == 422
    query = {"filters[flowId][EQUALS]": "slow", "filters[state][IN]": "RUNNING,CREATED"}
    killed = await client.delete(f"{EXECUTIONS}/kill/by-query", params=query)
    assert killed.json()["totalItems"] == 2

    gone = await client.delete(f"{EXECUTIONS}/{done}/kill", params={"isOnKillCascade": False})
    assert gone.status_code == 409
    assert "Execution is already finished, can't kill it" in gone.json()["message"]
    assert (await client.delete(f"{EXECUTIONS}/none/kill")).status_code == 404

    assert (await client.delete(f"{EXECUTIONS}/{done}")).status_code == 204
    assert (await client.get(f"{EXECUTIONS}/{done}")).status_code == 404
    assert (await client.delete(f"{EXECUTIONS}/{done}")).status_code == 404
    async for state in states(server, slow):
        assert state == "KILLED"
    deleted = await client.request("DELETE", f"{EXECUTIONS}/by-ids", json=slow)
    assert deleted.json() == {"count": 3}
    assert (await client.get(f"{EXECUTIONS}/search")).json()["total"] == 0


async def states(server: Server, ids: list[str]) -> AsyncIterator[str]:
    """The end states of executions, each as soon as it has ended."""
    for id_ in ids:
        text = (await server.client.get(f"{EXECUTIONS}/{id_}/follow")).text
        yield events(text)[-1]["data"]["state"]["current"]


async def test_executions_are_found(server: Server) -> None:
    await server.create_flow(TALKING)
    client = server.client
    first = await server.execute("talking", params={"labels": "team:a"})
    second = await server.execute("talking", params={"labels": "team:b"})

    async def found(**params: str) -> list[str]:
        response = await client.get(f"{EXECUTIONS}/search", params=params)
        assert response.status_code == 200, response.text
        return [execution["id"] for execution in response.json()["results"]]

    both = [second["id"], first["id"]]
    assert await found() == both
    assert await found(sort="state.startDate:asc") == both[::-1]
    assert await found(**{"filters[labels][EQUALS][team]": "a"}) == [first["id"]]
    assert await found(labels="team:b") == [second["id"]]
    assert await found(**{"filters[labels][NOT_EQUALS][team]": "a"}) == [second["id"]]
    assert await found(state="SUCCESS,FAILED") == both
    assert await found(**{"filters[state][NOT_IN]": "SUCCESS"}) == []
    assert await found(**{"filters[timeRange][EQUALS]": "PT1H"}) == both
    assert await found(**{"filters[startDate][LESS_THAN]": "2020-01-01T00:00:00Z"}) == []
    assert await found(namespace="company", flowId="talking") == both
    assert await found(**{"filters[childFilter][EQUALS]": "CHILD"}) == []
    assert await found(q=first["id"]) == [first["id"]]
    none = await client.get(f"{EXECUTIONS}/search", params={"filters[labels][EQUALS][team]": "zz"})
    assert '"total":0' in none.text
    keys = [{"namespace": "company.team", "flowId": "talking"}, {"namespace": "x", "id": "y"}]
    latest = (await client.post(f"{EXECUTIONS}/latest", json=keys)).json()
    assert [(one["id"], one["status"]) for one in latest] == [(second["id"], "SUCCESS")]
    flow = (await client.get(f"{EXECUTIONS}/{first['id']}/flow")).json()
    assert flow["id"] == "talking"
    metrics = (await client.get(f"/api/v1/main/metrics/{first['id']}")).json()
    assert metrics["total"] == len(metrics["results"])


@pytest.mark.parametrize(
    "query",
    [
        "filters[state][EQUALS]=ODD",
        "filters[state][LIKE]=SUCCESS",
        "filters[color][EQUALS]=red",
        "filters[startDate][EQUALS]=2024-01-01",
        "filters[startDate][GREATER_THAN]=soon",
        "filters[timeRange][EQUALS]=soon",
        "filters[namespace]=x",
        "filters[namespace][REGEX]=(",
        "state=ODD",
        "labels=novalue",
        "childFilter=ODD",
        "sort=color:asc",
        "sort=id:up",
        "page=0",
        "size=0",
        "size=x",
        "page=99999999999999999999",
        "filters[flowRevision][EQUALS]=99999999999999999999",
    ],
)
async def test_bad_searches(local_server: Server, query: str) -> None:
    response = await local_server.client.get(f"{EXECUTIONS}/search?{query}")
    assert response.status_code == 400, response.text
    assert response.json()["message"]
