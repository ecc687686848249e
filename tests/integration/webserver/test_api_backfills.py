"""Backfills over the API, of one trigger and of many."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.webserver.trigger_api import (
    API,
    HOURLY,
    NAMES,
    ONE,
    PAST,
    PAUSING,
    POLL,
    TriggerApi,
    flow,
    schedule,
)


async def test_a_backfill_from_start_to_end(api: TriggerApi) -> None:
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


async def test_preview(api: TriggerApi) -> None:
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


async def test_paused_continued_and_ended(api: TriggerApi) -> None:
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


async def test_one_backfill_at_a_time(api: TriggerApi) -> None:
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
async def test_backfills_that_are_refused(api: TriggerApi, backfill: dict[str, Any], status: int) -> None:
    await api.save(flow())
    body = {**NAMES, "backfill": backfill}
    await api.call("PUT", f"{API}/backfill/create", status, body=body)
    await api.call("POST", f"{API}/backfill/preview", status, body=body)


async def test_only_schedules_are_backfilled(api: TriggerApi) -> None:
    await api.save(flow("scheduled", POLL))
    answer = await api.call("PUT", f"{API}/backfill/create", 422, body={**NAMES, "backfill": PAST})
    assert "not a schedule" in answer["message"]


async def test_backfills_of_many(api: TriggerApi) -> None:
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
