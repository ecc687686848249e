"""Many triggers over the API: finding them, exporting them, changing what is found."""

from __future__ import annotations

import csv
import io

import pytest
from tests.integration.webserver.trigger_api import API, NAMES, PAST, TriggerApi, flow, schedule


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
async def test_search(several: TriggerApi, query: dict[str, str], found: list[str]) -> None:
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
async def test_searches_that_make_no_sense(api: TriggerApi, query: dict[str, str]) -> None:
    response = await api.client.get(f"{API}/search", params=query)
    assert response.status_code in (400, 422), response.text


async def test_export(several: TriggerApi) -> None:
    response = await several.client.get(f"{API}/export/by-query/csv", params={"namespace": "io.test"})
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["triggerId"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["nextExecutionDate"] == "2026-06-01T13:00:00.000000Z"
    assert [row["disabled"] for row in rows] == ["False", "True", "True"]


# ---------------------------------------------------------------- changing


async def test_disabling_many(several: TriggerApi) -> None:
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


async def test_enabling_what_a_search_finds(several: TriggerApi) -> None:
    query = {"filters[flowId][EQUALS]": "one", "disabled": "false"}
    await several.call("POST", f"{API}/set-disabled/by-query", 202, params=query)
    assert await several.ids(**{"filters[triggerState][EQUALS]": "DISABLED"}) == ["c"]
    await several.call("POST", f"{API}/set-disabled/by-query", 202, params={"flowId": "one"})
    assert await several.ids(**{"filters[triggerState][EQUALS]": "ENABLED"}) == ["d"]


async def test_unlocking_many(several: TriggerApi) -> None:
    given = [{"namespace": "system", "flowId": "three", "triggerId": "d"}]
    assert (await several.call("POST", f"{API}/unlock/by-triggers", 202, body=given))["count"] == 1
    # It is not locked any more, and the others never were.
    answer = await several.call("POST", f"{API}/unlock/by-query", 202)
    assert (answer["totalItems"], answer["count"]) == (4, 0)


async def test_deleting_many(several: TriggerApi) -> None:
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


async def test_restarting_many(several: TriggerApi) -> None:
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
    api: TriggerApi, monkeypatch: pytest.MonkeyPatch, method: str, action: str, query: dict[str, str]
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
