"""Backfills on both databases: each date once, beside the live schedule, by a cursor of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.integration.scheduler.bench import START, Bench
from tests.integration.scheduler.test_schedules import HOURLY, WAITING

from windhover.model.execution import Label
from windhover.model.trigger_state import Backfill, BackfillMode
from windhover.repository.backfills import StoredBackfill
from windhover.repository.trigger_changes import Disable, Enable
from windhover.util.ids import new_id


async def begin(bench: Bench, first: int, last: int, **more: object) -> Backfill:
    backfill = Backfill(
        id=new_id(),
        key=(await bench.state()).key,
        start=START.replace(hour=first),
        end=START.replace(hour=last),
        created=bench.clock(),
        **more,  # type: ignore[arg-type]
    )
    await bench.backfills.create(backfill, bench.clock())
    return backfill


async def work(bench: Bench) -> None:
    """Let a backfill go on until it has nothing more to do."""
    for _ in range(12):
        await bench.tick()
        await bench.executions()


async def stored(bench: Bench, backfill: Backfill) -> StoredBackfill:
    found = await bench.backfills.get(backfill.id)
    assert found is not None
    return found


async def test_both_ends_are_run_one_after_another(bench: Bench) -> None:
    await bench.save(HOURLY)
    backfill = await begin(bench, 3, 6)
    await work(bench)
    assert await bench.dates() == [f"2026-06-01T{hour:02}:00:00Z" for hour in (3, 4, 5, 6)]
    ended = (await stored(bench, backfill)).backfill
    assert (ended.started, ended.ended, ended.running) == (4, bench.clock(), [])


async def test_one_at_a_time(bench: Bench) -> None:
    await bench.save(WAITING)
    backfill = await begin(bench, 3, 6)
    await bench.tick()
    await bench.tick()
    (first,) = (await stored(bench, backfill)).backfill.running
    await bench.resume(first)
    await bench.tick()
    (second,) = (await stored(bench, backfill)).backfill.running
    assert second != first


async def test_several_at_once(bench: Bench) -> None:
    await bench.save(WAITING)
    backfill = await begin(bench, 3, 9, max_concurrent=3)
    await bench.tick()
    assert len((await stored(bench, backfill)).backfill.running) == 3


async def test_the_live_schedule_never_notices(bench: Bench) -> None:
    await bench.save(WAITING)
    backfill = await begin(bench, 3, 6)
    await bench.tick()
    before = await bench.state()
    assert (before.execution_id, before.next_date) == (None, START.replace(hour=13))
    await bench.at(13)
    live = await bench.state()
    assert live.execution_id not in (None, *(await stored(bench, backfill)).backfill.running)


async def test_inputs_and_labels(bench: Bench) -> None:
    await bench.save(HOURLY.rstrip() + "\n    inputs:\n      - id: n\n        type: INT\n")
    await begin(bench, 3, 3, inputs={"n": "5"}, labels=[Label("why", "repair")])
    await work(bench)
    (run,) = await bench.executions()
    assert run.execution.inputs == {"n": 5}
    assert Label("why", "repair") in run.execution.labels


async def test_only_what_is_missing(bench: Bench) -> None:
    await bench.save(HOURLY)
    await begin(bench, 4, 5)
    await work(bench)
    backfill = await begin(bench, 3, 6, mode=BackfillMode.MISSING)
    await work(bench)
    dates = await bench.dates()
    assert sorted(dates) == [f"2026-06-01T{hour:02}:00:00Z" for hour in (3, 4, 5, 6)]
    ended = (await stored(bench, backfill)).backfill
    assert (ended.started, ended.skipped) == (2, 2)


async def test_only_what_failed(bench: Bench) -> None:
    dividing = HOURLY.replace("{{ trigger.date }}", "{{ 1 / inputs.n }}")
    await bench.save(
        dividing.rstrip() + "\n    inputs:\n      - id: n\n        type: INT\n        defaults: 0\n"
    )
    await begin(bench, 3, 4, inputs={"n": 0})
    await work(bench)
    assert {run.state for run in await bench.executions()} == {"FAILED"}
    await begin(bench, 2, 6, mode=BackfillMode.FAILED, inputs={"n": 1})
    await work(bench)
    runs = await bench.executions()
    assert [run.state for run in runs] == ["FAILED", "FAILED", "SUCCESS", "SUCCESS"]


async def test_dates_whose_inputs_do_not_validate_fail_one_after_another(bench: Bench) -> None:
    await bench.save(HOURLY.rstrip() + "\n    inputs:\n      - id: n\n        type: INT\n")
    backfill = await begin(bench, 3, 5, inputs={"n": "many"})
    await work(bench)
    ended = (await stored(bench, backfill)).backfill
    assert (ended.started, ended.running, ended.ended) == (3, [], bench.clock())
    await begin(bench, 2, 6, mode=BackfillMode.FAILED, inputs={"n": 1})
    await work(bench)
    states = [run.state for run in await bench.executions()]
    assert states == ["FAILED"] * 3 + ["SUCCESS"] * 3


async def test_paused_and_unpaused(bench: Bench) -> None:
    await bench.save(HOURLY)
    backfill = await begin(bench, 3, 6)
    await bench.tick()
    await bench.executions()
    now = await stored(bench, backfill)
    assert await bench.backfills.update(now, replace(now.backfill, paused=True), None)
    await work(bench)
    assert len(await bench.dates()) == 1
    now = await stored(bench, backfill)
    assert await bench.backfills.update(now, replace(now.backfill, paused=False), bench.clock())
    await work(bench)
    assert len(await bench.dates()) == 4


async def test_a_disabled_trigger_runs_no_backfill(bench: Bench) -> None:
    await bench.save(HOURLY)
    key = (await bench.state()).key
    await bench.triggers.change([Disable(key)], bench.clock())
    await begin(bench, 3, 4)
    await work(bench)
    assert await bench.dates() == []
    await bench.triggers.change([Enable(key)], bench.clock())
    bench.clock.now += timedelta(seconds=5)
    await work(bench)
    assert len(await bench.dates()) == 2


async def test_it_goes_on_after_a_restart(bench: Bench) -> None:
    await bench.save(HOURLY)
    await begin(bench, 3, 6)
    await bench.tick()
    await bench.executions()
    await bench.restart()
    await work(bench)
    assert await bench.dates() == [f"2026-06-01T{hour:02}:00:00Z" for hour in (3, 4, 5, 6)]


async def test_dates_that_lie_far_apart(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windhover.engine.schedule_dates._CANDIDATES", 3)
    condition = 'when: "{{ hourOfDay(trigger.date) == 3 or hourOfDay(trigger.date) == 11 }}"'
    await bench.save(HOURLY.rstrip() + f"\n        {condition}\n")
    await begin(bench, 0, 12)
    await work(bench)
    assert await bench.dates() == [f"2026-06-01T{hour:02}:00:00Z" for hour in (3, 11)]


async def test_it_goes_on_though_another_process_was_told_of_the_end(bench: Bench) -> None:
    await bench.save(HOURLY)
    await begin(bench, 3, 4)
    await bench.tick()
    assert len(await bench.executions()) == 1
    # As if another process had run the execution.
    bench.runtime.queue.scheduler.drain()
    bench.clock.now += timedelta(seconds=6)
    await bench.tick()
    assert len(await bench.executions()) == 2


async def test_two_schedulers_run_no_date_twice(bench: Bench) -> None:
    await bench.save(HOURLY)
    await begin(bench, 3, 8)
    other = bench.another_scheduler()
    await other.start()
    for _ in range(12):
        await other.refresh()
        # The end of an execution may have been told to the one that did not start it.
        bench.clock.now += timedelta(seconds=6)
        await bench.tick()
        await other.work()
        await bench.executions()
    assert await bench.dates() == [f"2026-06-01T{hour:02}:00:00Z" for hour in range(3, 9)]


async def test_many_are_changed_at_once_but_those_that_others_have_changed(bench: Bench) -> None:
    """None is overwritten that a scheduler has moved on meanwhile."""
    await bench.save(HOURLY)
    backfills = [await begin(bench, 3, 6) for _ in range(3)]
    read = [await stored(bench, each) for each in backfills]
    assert await bench.backfills.update(read[1], replace(read[1].backfill, started=2), None)

    changes = [(each, replace(each.backfill, paused=True)) for each in read]
    assert await bench.backfills.update_all(changes, bench.clock()) == {backfills[0].id, backfills[2].id}
    now = [(await stored(bench, each)).backfill for each in backfills]
    assert [(each.paused, each.started) for each in now] == [(True, 0), (False, 2), (True, 0)]
