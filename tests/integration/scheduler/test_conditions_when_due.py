"""Conditions of schedules that read more than the date: they are asked when the date is due."""

from __future__ import annotations

from tests.integration.scheduler.bench import START, Bench
from tests.integration.scheduler.test_schedules import hourly

from windhover.model.kv import KvType, KvValue
from windhover.model.trigger_state import Health
from windhover.repository.kv import KvRepository


async def set_value(bench: Bench, key: str, value: bool | None) -> None:
    """Store a value in the namespace of the flow, or, with None, remove it."""
    kv = KvRepository(bench.runtime.database)
    if value is None:
        await kv.delete("main", "io.test", key, bench.clock())
    else:
        await kv.put("main", "io.test", key, KvValue(KvType.BOOLEAN, value), now=bench.clock())


async def test_a_condition_over_something_stored_is_asked_when_the_date_is_due(bench: Bench) -> None:
    await bench.save(hourly("when: \"{{ kv('go') }}\""))
    assert (await bench.state()).next_date == START.replace(hour=13)
    for hour, go in ((13, False), (14, True), (15, False), (16, True)):
        await set_value(bench, "go", go)
        await bench.at(hour)
        await bench.executions()
    assert await bench.dates() == ["2026-06-01T14:00:00Z", "2026-06-01T16:00:00Z"]
    runs = await bench.executions()
    assert runs[0].execution.trigger is not None
    assert runs[0].execution.trigger.variables["next"] == "2026-06-01T15:00:00Z"
    assert (await bench.state()).health is Health.HEALTHY


async def test_a_date_of_which_it_cannot_be_told_whether_it_runs(bench: Bench) -> None:
    """It is waited for; what was due before it has run."""
    await bench.save(hourly("when: \"{{ kv('go') }}\"\nallowConcurrent: true"))
    await set_value(bench, "go", True)
    await bench.at(13)
    await set_value(bench, "go", None)
    await bench.at(15)
    await bench.at(15, 10)
    assert await bench.dates() == ["2026-06-01T13:00:00Z"]
    assert (await bench.state()).health is Health.FAILING
    await set_value(bench, "go", True)
    await bench.at(15, 30)
    assert await bench.dates() == [f"2026-06-01T{hour}:00:00Z" for hour in (13, 14, 15)]


async def test_it_fails_at_each_date_where_that_is_wanted(bench: Bench) -> None:
    await bench.save(hourly("when: \"{{ kv('go') }}\"\nfailOnTriggerError: true"))
    for hour, go in ((13, None), (14, None), (15, True)):
        await set_value(bench, "go", go)
        await bench.at(hour)
        await bench.executions()
        await bench.tick()
    runs = await bench.executions()
    assert [run.state for run in runs] == ["FAILED", "FAILED", "SUCCESS"]
    assert "'go' does not exist" in runs[0].messages("ERROR")[0]
    assert await bench.log() == []
    assert (await bench.state()).health is Health.HEALTHY
