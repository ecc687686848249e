"""One trigger over the API: its state, its dates, its log, and changing it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.scheduler.bench import START
from tests.integration.webserver.trigger_api import (
    API,
    HOURLY,
    NAMES,
    ONE,
    PAUSING,
    POLL,
    TYPE,
    TriggerApi,
    flow,
    schedule,
)


async def test_a_trigger_and_its_state(api: TriggerApi) -> None:
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


async def test_the_state_is_there_before_anything_has_looked(api: TriggerApi) -> None:
    response = await api.client.post("/api/v1/main/flows", content=flow())
    assert response.status_code == 200
    (state,) = (await api.call("GET", f"{API}/io.test/scheduled"))["results"]
    assert state["triggerId"] == "s"


async def test_what_fired_last(api: TriggerApi) -> None:
    await api.save(flow())
    await api.bench.at(13)
    await api.bench.executions()
    state = await api.state()
    assert state["date"] == state["lastTriggeredDate"] == "2026-06-01T13:00:00.000000Z"
    assert state["evaluatedAt"] == "2026-06-01T13:00:00.000000Z"


async def test_it_is_locked_while_its_execution_runs(api: TriggerApi) -> None:
    await api.save(PAUSING)
    await api.bench.at(13)
    state = await api.state()
    assert state["locked"]
    assert state["executionId"]


async def test_a_trigger_nobody_looks_at_is_late(api: TriggerApi) -> None:
    await api.save(flow())
    api.bench.clock.set(13, 0, 29)
    assert (await api.state())["health"] == "HEALTHY"
    api.bench.clock.set(13, 0, 31)
    assert (await api.state())["health"] == "LATE"
    await api.bench.tick()
    assert (await api.state())["health"] == "HEALTHY"


async def test_a_trigger_that_fails_says_why(api: TriggerApi) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, 'when: "{{ trigger.nowhere.to.be.found }}"')))
    state = await api.state()
    assert state["health"] == "FAILING"
    assert state["failures"] == 1
    assert "nowhere" in state["reason"]


async def test_the_triggers_of_a_flow(api: TriggerApi) -> None:
    await api.save(flow("scheduled", *(schedule(id) for id in ("a", "b", "c"))))
    page = await api.call("GET", f"{API}/io.test/scheduled", params={"size": 2, "page": 2})
    assert page["total"] == 3
    assert [each["triggerId"] for each in page["results"]] == ["c"]
    page = await api.call("GET", f"{API}/io.test/scheduled", params={"sort": "triggerId:desc"})
    assert [each["triggerId"] for each in page["results"]] == ["c", "b", "a"]
    page = await api.call("GET", f"{API}/io.test/scheduled", params={"q": "b"})
    assert [each["triggerId"] for each in page["results"]] == ["b"]
    assert await api.call("GET", f"{API}/io.test/nothing") == {"results": [], "total": 0}


async def test_what_there_is_not(api: TriggerApi) -> None:
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
async def test_bodies_that_cannot_be_read(api: TriggerApi, body: str) -> None:
    for path in ("", "/set-disabled", "/backfill/create", "/backfill/pause"):
        response = await api.client.put(f"{API}{path}", content=body)
        assert response.status_code == 400, (path, response.text)


async def test_the_dates_to_come(api: TriggerApi) -> None:
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


async def test_only_schedules_have_dates(api: TriggerApi) -> None:
    await api.save(flow("scheduled", POLL))
    await api.call("GET", f"{ONE}/dates", 422)


# ---------------------------------------------------------------- changing


async def test_disabled_and_enabled(api: TriggerApi) -> None:
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
async def test_what_becomes_of_the_past(api: TriggerApi, recover: str, hours: list[int]) -> None:
    await api.save(flow())
    await api.call("PUT", f"{API}/set-disabled", body={**NAMES, "disabled": True})
    await api.bench.at(14, 30)
    wanted = {**NAMES, "disabled": False, "recoverMissedSchedules": recover}
    await api.call("PUT", f"{API}/set-disabled", body=wanted)
    for _ in range(3):
        await api.bench.tick()
        await api.bench.executions()
    assert await api.bench.dates() == [f"2026-06-01T{hour}:00:00Z" for hour in hours]


async def test_one_that_its_flow_disables_is_not_enabled(api: TriggerApi) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, "disabled: true")))
    answer = await api.call("PUT", f"{API}/set-disabled", 409, body={**NAMES, "disabled": False})
    assert "in its flow" in answer["message"]


async def test_unlock(api: TriggerApi) -> None:
    await api.save(PAUSING)
    assert "not locked" in (await api.call("POST", f"{ONE}/unlock", 409))["message"]
    await api.bench.at(13)
    assert not (await api.call("POST", f"{ONE}/unlock"))["locked"]
    await api.bench.at(14)
    assert (await api.state())["locked"]


async def test_restart(api: TriggerApi) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, 'when: "{{ trigger.nowhere.to.be.found }}"')))
    assert (await api.state())["health"] == "FAILING"
    assert (await api.call("POST", f"{ONE}/restart"))["health"] == "HEALTHY"


async def test_deleted_it_begins_anew_while_its_flow_declares_it(api: TriggerApi) -> None:
    await api.save(flow())
    await api.bench.at(13)
    await api.bench.executions()
    assert await api.call("DELETE", ONE, 204) is None
    await api.bench.tick()
    assert "date" not in await api.state() or (await api.state())["nextExecutionDate"]
    await api.bench.at(14)
    assert await api.bench.dates() == ["2026-06-01T13:00:00Z", "2026-06-01T14:00:00Z"]


async def test_the_form_of_older_clients(api: TriggerApi) -> None:
    await api.save(flow())
    assert (await api.call("PUT", API, body={**NAMES, "disabled": True}))["disabled"]
    assert not (await api.call("PUT", API, body={**NAMES, "disabled": False}))["disabled"]
    backfill = {"start": "2026-05-01T00:00:00Z", "end": "2026-05-01T01:00:00Z"}
    state = await api.call("PUT", API, body={**NAMES, "disabled": False, "backfill": backfill})
    assert state["backfill"]["start"] == "2026-05-01T00:00:00.000000Z"


# ---------------------------------------------------------------- logs


async def test_the_log_of_a_trigger(api: TriggerApi) -> None:
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


async def test_lines_about_dates_that_are_passed_over(api: TriggerApi) -> None:
    await api.save(flow("scheduled", schedule("s", HOURLY, "lateMaximumDelay: PT10M")))
    api.bench.clock.now = START + timedelta(hours=3, minutes=30)
    await api.bench.tick()
    found = await api.call("GET", "/api/v1/main/logs/search", params={"triggerId": "s"})
    (line,) = found["results"]
    assert line["level"] == "WARN"
    assert "2026-06-01T13:00:00Z to 2026-06-01T15:00:00Z" in line["message"]
