"""Triggers and backfills over the API: finding them, reading them, changing them, one by one and many."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.integration.executor.flows import Flows
from tests.integration.scheduler.conftest import START, Bench, Clock

from windhover.config.loading import load
from windhover.repository.backfills import BackfillRepository
from windhover.repository.database import Database
from windhover.repository.triggers import TriggerRepository
from windhover.scheduler.scheduler import Scheduler
from windhover.scheduler.settings import SchedulerSettings
from windhover.server.runtime import Runtime, RuntimeSettings
from windhover.webserver import create_app

API = "/api/v1/main/triggers"
TYPE = "io.kestra.plugin.core.trigger.Schedule"
HOURLY = "0 * * * *"

NAMES = {"namespace": "io.test", "flowId": "scheduled", "triggerId": "s"}
ONE = f"{API}/io.test/scheduled/s"


def flow(
    id: str = "scheduled",
    *triggers: str,
    namespace: str = "io.test",
    task: str = "debug.Return",
    more: str = "",
) -> str:
    declared = triggers or (schedule(),)
    format = '    format: "{{ trigger.date }}"\n' if task == "debug.Return" else ""
    return (
        f"id: {id}\nnamespace: {namespace}\n{more}tasks:\n  - id: task\n"
        f"    type: io.kestra.plugin.core.{task}\n{format}triggers:\n" + "".join(declared)
    )


def schedule(id: str = "s", cron: str = HOURLY, *lines: str) -> str:
    return f'  - id: {id}\n    type: {TYPE}\n    cron: "{cron}"\n' + "".join(
        f"    {line}\n" for line in lines
    )


POLL = """\
  - id: s
    type: io.kestra.plugin.core.http.Trigger
    uri: http://localhost:1
    disabled: true
"""
PAUSING = flow(task="flow.Pause")


@dataclass
class Api:
    """A server with a clock that the test sets, and a scheduler that works when it is told to."""

    bench: Bench
    client: httpx.AsyncClient

    async def save(self, source: str) -> None:
        response = await self.client.post("/api/v1/main/flows", content=source)
        assert response.status_code == 200, response.text
        await self.bench.tick()

    async def call(self, method: str, path: str, status: int = 200, **arguments: Any) -> Any:
        if "body" in arguments:
            arguments["content"] = json.dumps(arguments.pop("body"))
        response = await self.client.request(method, path, **arguments)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.call("GET", ONE))["state"]
        return found

    async def ids(self, **query: Any) -> list[str]:
        page = await self.call("GET", f"{API}/search", params=query)
        return [each["state"]["triggerId"] for each in page["results"]]


@pytest_asyncio.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    clock = Clock()
    settings = RuntimeSettings(
        home=tmp_path, storage_path=tmp_path / "storage", temporary=tmp_path / "work", environ={}
    )
    runtime = Runtime(database, settings, clock=clock)
    await runtime.start()
    triggers, backfills = TriggerRepository(database), BackfillRepository(database)
    scheduler = Scheduler(
        triggers,
        backfills,
        runtime.definitions,
        runtime.queue,
        runtime.environment,
        clock=clock,
        settings=SchedulerSettings(),
    )
    await scheduler.start()
    app = create_app(runtime.web_services(load([], {"HOME": str(tmp_path)}, None)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://windhover.test") as client:
        yield Api(Bench(runtime, clock, Flows(runtime), triggers, backfills, scheduler), client)
    await runtime.stop(timedelta())
    await runtime.close()


# ---------------------------------------------------------------- reading


async def test_a_trigger_and_its_state(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, "stopAfter: [FAILED]")))
    found = await api.call("GET", ONE)
    assert found["trigger"] == {"id": "s", "type": TYPE, "cron": HOURLY, "stopAfter": ["FAILED"]}
    state = found["state"]
    assert {**NAMES, "kind": "SCHEDULE", "disabled": False, "locked": False, "health": "HEALTHY"}.items() <= (
        state.items()
    )
    assert state["nextExecutionDate"] == state["nextEvaluationDate"] == "2026-06-01T13:00:00.000000Z"
    assert state["stopAfter"] == ["FAILED"]
    # Clients of 1.x read the same under other names.
    assert found["triggerContext"] == state
    assert found["abstractTrigger"] == found["trigger"]


async def test_the_state_is_there_before_anything_has_looked(api: Api) -> None:
    response = await api.client.post("/api/v1/main/flows", content=flow())
    assert response.status_code == 200
    (state,) = (await api.call("GET", f"{API}/io.test/scheduled"))["results"]
    assert state["triggerId"] == "s"


async def test_what_fired_last(api: Api) -> None:
    await api.save(flow())
    await api.bench.at(13)
    await api.bench.executions()
    state = await api.state()
    assert state["date"] == state["lastTriggeredDate"] == "2026-06-01T13:00:00.000000Z"
    assert state["evaluatedAt"] == "2026-06-01T13:00:00.000000Z"


async def test_it_is_locked_while_its_execution_runs(api: Api) -> None:
    await api.save(PAUSING)
    await api.bench.at(13)
    state = await api.state()
    assert state["locked"]
    assert state["executionId"]


async def test_a_trigger_nobody_looks_at_is_late(api: Api) -> None:
    await api.save(flow())
    api.bench.clock.set(13, 0, 29)
    assert (await api.state())["health"] == "HEALTHY"
    api.bench.clock.set(13, 0, 31)
    assert (await api.state())["health"] == "LATE"
    await api.bench.tick()
    assert (await api.state())["health"] == "HEALTHY"


async def test_a_trigger_that_fails_says_why(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, 'when: "{{ trigger.nowhere.to.be.found }}"')))
    state = await api.state()
    assert state["health"] == "FAILING"
    assert state["failures"] == 1
    assert "nowhere" in state["reason"]


async def test_the_triggers_of_a_flow(api: Api) -> None:
    await api.save(flow("scheduled", *(schedule(id) for id in ("a", "b", "c"))))
    page = await api.call("GET", f"{API}/io.test/scheduled", params={"size": 2, "page": 2})
    assert page["total"] == 3
    assert [each["triggerId"] for each in page["results"]] == ["c"]
    page = await api.call("GET", f"{API}/io.test/scheduled", params={"sort": "triggerId:desc"})
    assert [each["triggerId"] for each in page["results"]] == ["c", "b", "a"]
    page = await api.call("GET", f"{API}/io.test/scheduled", params={"q": "b"})
    assert [each["triggerId"] for each in page["results"]] == ["b"]
    assert await api.call("GET", f"{API}/io.test/nothing") == {"results": [], "total": 0}


async def test_what_there_is_not(api: Api) -> None:
    await api.save(flow())
    for method, path in (
        ("GET", f"{API}/io.test/scheduled/other"),
        ("GET", f"{API}/io.test/scheduled/other/dates"),
        ("POST", f"{API}/io.test/scheduled/other/unlock"),
        ("POST", f"{API}/io.test/scheduled/other/restart"),
        ("DELETE", f"{API}/io.test/scheduled/other"),
    ):
        assert "other" in (await api.call(method, path, 404))["message"]
    other = {**NAMES, "triggerId": "other"}
    await api.call("PUT", f"{API}/set-disabled", 404, body={**other, "disabled": True})
    await api.call("PUT", API, 404, body={**other, "disabled": True})
    for path in ("pause", "unpause"):
        await api.call("PUT", f"{API}/backfill/{path}", 404, body=other)
    await api.call("POST", f"{API}/backfill/delete", 404, body=other)
    await api.call(
        "PUT", f"{API}/backfill/create", 404, body={**other, "backfill": {"start": "2026-05-01T00:00:00Z"}}
    )


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"namespace": 1}'])
async def test_bodies_that_cannot_be_read(api: Api, body: str) -> None:
    for path in ("", "/set-disabled", "/backfill/create", "/backfill/pause"):
        response = await api.client.put(f"{API}{path}", content=body)
        assert response.status_code == 400, (path, response.text)


async def test_the_dates_to_come(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", "30 8 * * *", "timezone: Europe/Paris")))
    found = await api.call("GET", f"{ONE}/dates", params={"count": 2})
    assert found == {
        "timezone": "Europe/Paris",
        "dates": [
            {"date": "2026-06-02T06:30:00.000000Z", "local": "2026-06-02T08:30:00+02:00"},
            {"date": "2026-06-03T06:30:00.000000Z", "local": "2026-06-03T08:30:00+02:00"},
        ],
        "more": True,
    }


async def test_only_schedules_have_dates(api: Api) -> None:
    await api.save(flow("scheduled", POLL))
    await api.call("GET", f"{ONE}/dates", 422)


# ---------------------------------------------------------------- finding


@pytest_asyncio.fixture
async def several(api: Api) -> Api:
    """Four triggers of three flows; ``c`` is disabled in its flow, ``b`` by the API, ``d`` is locked."""
    await api.save(flow("one", schedule("a"), schedule("b", "0 6 * * *")))
    await api.save(flow("two", schedule("c", HOURLY, "disabled: true"), namespace="io.test.sub"))
    await api.save(flow("three", schedule("d", "30 12 * * *"), namespace="system", task="flow.Pause"))
    await api.call(
        "PUT",
        f"{API}/set-disabled",
        body={"namespace": "io.test", "flowId": "one", "triggerId": "b", "disabled": True},
    )
    await api.bench.at(12, 30)
    return api


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["a", "b", "d", "c"]),
        ({"q": "tw"}, ["c"]),
        ({"filters[q][EQUALS]": "thre"}, ["d"]),
        ({"namespace": "io.test"}, ["a", "b", "c"]),
        ({"filters[namespace][EQUALS]": "io.test"}, ["a", "b"]),
        ({"filters[namespace][PREFIX]": "io.test"}, ["a", "b", "c"]),
        ({"flowId": "one"}, ["a", "b"]),
        ({"filters[flowId][IN]": "two,three"}, ["d", "c"]),
        ({"filters[triggerId][NOT_EQUALS]": "a"}, ["b", "d", "c"]),
        ({"filters[scope][EQUALS]": "SYSTEM"}, ["d"]),
        ({"filters[scope][EQUALS]": "USER"}, ["a", "b", "c"]),
        ({"filters[triggerState][EQUALS]": "DISABLED"}, ["b", "c"]),
        ({"filters[triggerState][EQUALS]": "ENABLED"}, ["a", "d"]),
        ({"filters[locked][EQUALS]": "true"}, ["d"]),
        ({"filters[nextExecutionDate][LESS_THAN]": "2026-06-01T14:00:00Z"}, ["a"]),
        ({"filters[lastTriggeredDate][GREATER_THAN_OR_EQUAL_TO]": "2026-06-01T12:30:00Z"}, ["d"]),
        ({"filters[endDate][LESS_THAN]": "2026-06-01T14:00:00Z"}, ["a"]),
        ({"filters[timeRange][EQUALS]": "PT1H", "dateFilter": "LAST_TRIGGERED_DATE"}, ["d"]),
        ({"filters[timeRange][EQUALS]": "PT1H"}, ["a"]),
        ({"sort": "triggerId:desc"}, ["d", "c", "b", "a"]),
        ({"sort": "namespace:asc", "size": "2", "page": "2"}, ["c", "d"]),
        ({"sort": "lastTriggeredDate:desc"}, ["d", "a", "b", "c"]),
    ],
)
async def test_search(several: Api, query: dict[str, str], found: list[str]) -> None:
    assert await several.ids(**query) == found


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "colour"},
        {"filters[colour][EQUALS]": "red"},
        {"filters[namespace][LIKE]": "x"},
        {"filters[nextExecutionDate][LESS_THAN]": "soon"},
        {"dateFilter": "EASTER"},
        {"page": "0"},
    ],
)
async def test_searches_that_make_no_sense(api: Api, query: dict[str, str]) -> None:
    response = await api.client.get(f"{API}/search", params=query)
    assert response.status_code in (400, 422), response.text


async def test_export(several: Api) -> None:
    response = await several.client.get(f"{API}/export/by-query/csv", params={"namespace": "io.test"})
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["triggerId"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["nextExecutionDate"] == "2026-06-01T13:00:00.000000Z"
    assert [row["disabled"] for row in rows] == ["False", "True", "True"]


# ---------------------------------------------------------------- one trigger


async def test_disabled_and_enabled(api: Api) -> None:
    await api.save(flow())
    state = await api.call("PUT", f"{API}/set-disabled", body={**NAMES, "disabled": True})
    assert state["disabled"]
    assert "nextExecutionDate" not in state
    await api.bench.at(14, 30)
    state = await api.call("PUT", f"{API}/set-disabled", body={**NAMES, "disabled": False})
    assert not state["disabled"]
    await api.bench.tick()
    # The past is left alone unless something else is asked for.
    assert await api.bench.dates() == []
    assert (await api.state())["nextExecutionDate"] == "2026-06-01T15:00:00.000000Z"


@pytest.mark.parametrize(("recover", "hours"), [("ALL", [13, 14]), ("LAST", [14]), ("NONE", [])])
async def test_what_becomes_of_the_past(api: Api, recover: str, hours: list[int]) -> None:
    await api.save(flow())
    await api.call("PUT", f"{API}/set-disabled", body={**NAMES, "disabled": True})
    await api.bench.at(14, 30)
    wanted = {**NAMES, "disabled": False, "recoverMissedSchedules": recover}
    await api.call("PUT", f"{API}/set-disabled", body=wanted)
    for _ in range(3):
        await api.bench.tick()
        await api.bench.executions()
    assert await api.bench.dates() == [f"2026-06-01T{hour}:00:00Z" for hour in hours]


async def test_one_that_its_flow_disables_is_not_enabled(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, "disabled: true")))
    answer = await api.call("PUT", f"{API}/set-disabled", 409, body={**NAMES, "disabled": False})
    assert "in its flow" in answer["message"]


async def test_unlock(api: Api) -> None:
    await api.save(PAUSING)
    assert "not locked" in (await api.call("POST", f"{ONE}/unlock", 409))["message"]
    await api.bench.at(13)
    assert not (await api.call("POST", f"{ONE}/unlock"))["locked"]
    await api.bench.at(14)
    assert (await api.state())["locked"]


async def test_restart(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, 'when: "{{ trigger.nowhere.to.be.found }}"')))
    assert (await api.state())["health"] == "FAILING"
    assert (await api.call("POST", f"{ONE}/restart"))["health"] == "HEALTHY"


async def test_deleted_it_begins_anew_while_its_flow_declares_it(api: Api) -> None:
    await api.save(flow())
    await api.bench.at(13)
    await api.bench.executions()
    assert await api.call("DELETE", ONE, 204) is None
    await api.bench.tick()
    assert "date" not in await api.state() or (await api.state())["nextExecutionDate"]
    await api.bench.at(14)
    assert await api.bench.dates() == ["2026-06-01T13:00:00Z", "2026-06-01T14:00:00Z"]


async def test_the_form_of_older_clients(api: Api) -> None:
    await api.save(flow())
    assert (await api.call("PUT", API, body={**NAMES, "disabled": True}))["disabled"]
    assert not (await api.call("PUT", API, body={**NAMES, "disabled": False}))["disabled"]
    backfill = {"start": "2026-05-01T00:00:00Z", "end": "2026-05-01T01:00:00Z"}
    state = await api.call("PUT", API, body={**NAMES, "disabled": False, "backfill": backfill})
    assert state["backfill"]["start"] == "2026-05-01T00:00:00.000000Z"


# ---------------------------------------------------------------- many triggers


async def test_disabling_many(several: Api) -> None:
    given = [
        {"namespace": "io.test", "flowId": "one", "triggerId": "a"},
        {"namespace": "io.test", "flowId": "one", "triggerId": "nothing"},
    ]
    answer = await several.call(
        "POST", f"{API}/set-disabled/by-triggers", 202, body={"triggers": given, "disabled": True}
    )
    assert (answer["totalItems"], answer["count"]) == (2, 1)
    assert answer["operationId"]
    assert await several.ids(**{"filters[triggerState][EQUALS]": "DISABLED"}) == ["a", "b", "c"]


async def test_enabling_what_a_search_finds(several: Api) -> None:
    query = {"filters[flowId][EQUALS]": "one", "disabled": "false"}
    await several.call("POST", f"{API}/set-disabled/by-query", 202, params=query)
    assert await several.ids(**{"filters[triggerState][EQUALS]": "DISABLED"}) == ["c"]
    await several.call("POST", f"{API}/set-disabled/by-query", 202, params={"flowId": "one"})
    assert await several.ids(**{"filters[triggerState][EQUALS]": "ENABLED"}) == ["d"]


async def test_unlocking_many(several: Api) -> None:
    given = [{"namespace": "system", "flowId": "three", "triggerId": "d"}]
    assert (await several.call("POST", f"{API}/unlock/by-triggers", 202, body=given))["count"] == 1
    # It is not locked any more, and the others never were.
    answer = await several.call("POST", f"{API}/unlock/by-query", 202)
    assert (answer["totalItems"], answer["count"]) == (4, 0)


async def test_deleting_many(several: Api) -> None:
    given = [{"namespace": "io.test", "flowId": "one", "triggerId": "a"}]
    assert (await several.call("DELETE", f"{API}/delete/by-triggers", 202, body=given))["count"] == 1
    body = {"filters": [{"field": "namespace", "operation": "EQUALS", "value": "system"}]}
    answer = await several.call("DELETE", f"{API}/delete/by-query", 202, body=body)
    assert (answer["totalItems"], answer["count"]) == (1, 1)
    answer = await several.call(
        "DELETE", f"{API}/delete/by-query", 202, params={"filters[flowId][EQUALS]": "two"}
    )
    assert answer["count"] == 1
    await several.call("DELETE", f"{API}/delete/by-query", 400, body={"filters": [{"field": "q"}]})


async def test_restarting_many(several: Api) -> None:
    answer = await several.call("POST", f"{API}/restart/by-query", 202, params={"flowId": "one"})
    assert (answer["totalItems"], answer["count"]) == (2, 2)
    given = [{"namespace": "system", "flowId": "three", "triggerId": "d"}, {**NAMES, "triggerId": "none"}]
    answer = await several.call("POST", f"{API}/restart/by-triggers", 202, body=given)
    assert (answer["totalItems"], answer["count"]) == (2, 1)


@pytest.mark.parametrize(
    ("method", "action", "query"),
    [
        ("POST", "set-disabled", {"disabled": "true"}),
        ("POST", "set-disabled", {"disabled": "false"}),
        ("POST", "restart", {}),
        ("DELETE", "delete", {}),
        ("POST", "backfill/pause", {}),
        ("POST", "backfill/delete", {}),
    ],
)
async def test_many_are_one_transaction(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, action: str, query: dict[str, str]
) -> None:
    count = 40
    await api.save(flow("scheduled", *(schedule(f"s{number}") for number in range(count))))
    if action.startswith("backfill"):
        for number in range(count):
            body = {**NAMES, "triggerId": f"s{number}", "backfill": PAST}
            await api.call("PUT", f"{API}/backfill/create", body=body)
    database = api.bench.runtime.database
    transactions: list[object] = []

    def counted(name: str) -> None:
        original = getattr(database, name)

        async def count_it(*arguments: object) -> object:
            transactions.append(arguments)
            return await original(*arguments)

        monkeypatch.setattr(database, name, count_it)

    counted("write")
    counted("execute")
    answer = await api.call(method, f"{API}/{action}/by-query", 202, params=query)
    assert (answer["totalItems"], answer["count"]) == (count, count)
    assert len(transactions) == 1


# ---------------------------------------------------------------- backfills

PAST = {"start": "2026-05-01T00:00:00Z", "end": "2026-05-01T02:00:00Z"}


async def test_a_backfill_from_start_to_end(api: Api) -> None:
    await api.save(flow(more="inputs:\n  - id: n\n    type: INT\n    defaults: 0\n"))
    wanted = {**PAST, "inputs": {"n": 7}, "labels": [{"key": "why", "value": "repair"}], "maxConcurrent": 2}
    state = await api.call("PUT", f"{API}/backfill/create", body={**NAMES, "backfill": wanted})
    assert state["nextExecutionDate"] == "2026-06-01T13:00:00.000000Z"
    backfill = state["backfill"]
    assert backfill["paused"] is False
    assert backfill["maxConcurrent"] == 2
    for _ in range(3):
        await api.bench.tick()
        runs = await api.bench.executions()
        await api.bench.tick()
    assert await api.bench.dates() == [f"2026-05-01T0{hour}:00:00Z" for hour in (0, 1, 2)]
    assert runs[0].execution.inputs == {"n": 7}
    assert ("why", "repair") in [(label.key, label.value) for label in runs[0].execution.labels]
    assert "backfill" not in await api.state()
    (done,) = await api.call("GET", f"{ONE}/backfills")
    assert done["id"] == backfill["id"]
    assert done["started"] == 3
    assert done["currentDate"] == "2026-05-01T02:00:00.000000Z"
    assert done["ended"]


async def test_preview(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, "timezone: Europe/Paris")))
    found = await api.call(
        "POST", f"{API}/backfill/preview", params={"count": 2}, body={**NAMES, "backfill": PAST}
    )
    assert found["more"]
    assert found["timezone"] == "Europe/Paris"
    assert [each["local"] for each in found["dates"]] == [
        "2026-05-01T02:00:00+02:00",
        "2026-05-01T03:00:00+02:00",
    ]
    assert "backfill" not in await api.state()


async def test_paused_continued_and_ended(api: Api) -> None:
    await api.save(PAUSING)
    await api.call("PUT", f"{API}/backfill/create", body={**NAMES, "backfill": {**PAST, "paused": True}})
    await api.bench.tick()
    assert (await api.state())["backfill"]["started"] == 0
    assert "paused already" in (await api.call("PUT", f"{API}/backfill/pause", 409, body=NAMES))["message"]
    assert not (await api.call("PUT", f"{API}/backfill/unpause", body=NAMES))["backfill"]["paused"]
    assert "not paused" in (await api.call("PUT", f"{API}/backfill/unpause", 409, body=NAMES))["message"]
    await api.bench.tick()
    assert (await api.state())["backfill"]["started"] == 1
    assert (await api.call("PUT", f"{API}/backfill/pause", body=NAMES))["backfill"]["paused"]
    assert "backfill" not in await api.call("POST", f"{API}/backfill/delete", body=NAMES)
    answer = await api.call("POST", f"{API}/backfill/delete", 409, body=NAMES)
    assert "no backfill" in answer["message"]
    # The live schedule never noticed.
    assert (await api.state())["nextExecutionDate"] == "2026-06-01T13:00:00.000000Z"


async def test_one_backfill_at_a_time(api: Api) -> None:
    await api.save(PAUSING)
    body = {**NAMES, "backfill": PAST}
    await api.call("PUT", f"{API}/backfill/create", body=body)
    assert "under way" in (await api.call("PUT", f"{API}/backfill/create", 409, body=body))["message"]


@pytest.mark.parametrize(
    ("backfill", "status"),
    [
        ({"start": "2026-05-02T00:00:00Z", "end": "2026-05-01T00:00:00Z"}, 422),
        ({"start": "2026-05-02T00:00:00"}, 422),
        ({"start": "2026-05-02T00:00:00Z", "maxConcurrent": 0}, 422),
        ({"start": "yesterday"}, 400),
        ({"start": "2026-05-02T00:00:00Z", "mode": "SOME"}, 400),
        ({}, 400),
    ],
)
async def test_backfills_that_are_refused(api: Api, backfill: dict[str, Any], status: int) -> None:
    await api.save(flow())
    body = {**NAMES, "backfill": backfill}
    await api.call("PUT", f"{API}/backfill/create", status, body=body)
    await api.call("POST", f"{API}/backfill/preview", status, body=body)


async def test_only_schedules_are_backfilled(api: Api) -> None:
    await api.save(flow("scheduled", POLL))
    answer = await api.call("PUT", f"{API}/backfill/create", 422, body={**NAMES, "backfill": PAST})
    assert "not a schedule" in answer["message"]


async def test_backfills_of_many(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s"), schedule("t"), task="flow.Pause"))
    both = [NAMES, {**NAMES, "triggerId": "t"}]
    for names in both:
        await api.call("PUT", f"{API}/backfill/create", body={**names, "backfill": PAST})
    counts = [
        (await api.call("POST", f"{API}/backfill/{action}", 202, **arguments))["count"]
        for action, arguments in (
            ("pause/by-triggers", {"body": both[:1]}),
            ("pause/by-query", {}),
            ("unpause/by-triggers", {"body": both}),
            ("unpause/by-query", {}),
            ("delete/by-triggers", {"body": both[:1]}),
            ("delete/by-query", {"params": {"filters[triggerId][EQUALS]": "t"}}),
        )
    ]
    assert counts == [1, 1, 2, 0, 1, 1]


# ---------------------------------------------------------------- logs


async def test_the_log_of_a_trigger(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, 'when: "{{ trigger.nowhere.to.be.found }}"')))
    for second in (2, 6, 14):
        await api.bench.at(12, 0, second)
    query = {"triggerId": "s", "sort": "timestamp:asc"}
    found = (await api.call("GET", "/api/v1/main/logs/search", params=query))["results"]
    assert [line["timestamp"] for line in found] == sorted(line["timestamp"] for line in found)
    assert len(found) == 4
    for line, pause in zip(found, (2, 4, 8, 16), strict=True):
        assert (
            line.items()
            >= {"namespace": "io.test", "flowId": "scheduled", "triggerId": "s", "level": "ERROR"}.items()
        )
        assert "executionId" not in line
        assert f"tried again in {pause} s" in line["message"]


async def test_lines_about_dates_that_are_passed_over(api: Api) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, "lateMaximumDelay: PT10M")))
    api.bench.clock.now = START + timedelta(hours=3, minutes=30)
    await api.bench.tick()
    found = await api.call("GET", "/api/v1/main/logs/search", params={"triggerId": "s"})
    (line,) = found["results"]
    assert line["level"] == "WARN"
    assert "2026-06-01T13:00:00Z to 2026-06-01T15:00:00Z" in line["message"]
