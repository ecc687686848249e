"""Schedules on both databases: what runs when, once, whatever happens in between."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from datetime import timedelta
from textwrap import dedent

import pytest
from tests.integration.scheduler.bench import START, Bench

from windhover.engine.messages import ExecutionStored, SetLabels
from windhover.model.execution import Label
from windhover.model.flow import Flow
from windhover.model.state import StateType
from windhover.model.trigger_state import Health
from windhover.plugin.trigger import RecoverMissedSchedules
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRecord
from windhover.repository.trigger_changes import Disable, Enable, Restart, Unlock
from windhover.scheduler.foresight import Foresight
from windhover.scheduler.latest_flows import LatestFlows
from windhover.scheduler.settings import SchedulerSettings

TYPE = "io.kestra.plugin.core.trigger.Schedule"
HOURLY = f"""
    id: scheduled
    namespace: io.test
    tasks:
      - id: say
        type: io.kestra.plugin.core.debug.Return
        format: "{{{{ trigger.date }}}}"
    triggers:
      - id: s
        type: {TYPE}
        cron: "0 * * * *"
    """
WAITING = f"""
    id: scheduled
    namespace: io.test
    tasks:
      - id: wait
        type: io.kestra.plugin.core.flow.Pause
    triggers:
      - id: s
        type: {TYPE}
        cron: "0 * * * *"
    """


def hourly(more: str) -> str:
    return HOURLY.rstrip() + "\n" + "".join(f"        {line}\n" for line in more.strip().splitlines())


async def test_an_execution_at_each_date(bench: Bench) -> None:
    await bench.save(HOURLY)
    for hour in (13, 14, 15):
        await bench.at(hour)
        await bench.executions()
    runs = await bench.executions()
    assert [run.run("say").outputs for run in runs] == [
        {"value": f"2026-06-01T{hour}:00:00Z"} for hour in (13, 14, 15)
    ]
    assert runs[0].execution.trigger is not None
    assert runs[0].execution.trigger.variables == {
        "date": "2026-06-01T13:00:00Z",
        "next": "2026-06-01T14:00:00Z",
        "previous": "2026-06-01T12:00:00Z",
    }
    assert [(label.key, label.value) for label in runs[0].execution.labels][:1] == [
        ("system.from", "trigger")
    ]


async def test_nothing_runs_before_its_time_or_twice(bench: Bench) -> None:
    await bench.save(HOURLY)
    await bench.at(12, 59, 59)
    assert await bench.dates() == []
    await bench.at(13)
    await bench.at(13, 0, 1)
    await bench.at(13, 59, 59)
    assert await bench.dates() == ["2026-06-01T13:00:00Z"]


async def test_labels_and_inputs_are_rendered(bench: Bench) -> None:
    source = hourly(
        "labels: {day: \"{{ trigger.date | date('yyyy-MM-dd') }}\"}\ninputs: {d: '{{ trigger.next }}'}"
    )
    await bench.save(source + "    inputs:\n      - id: d\n        type: STRING\n")
    await bench.at(13)
    (run,) = await bench.executions()
    assert ("day", "2026-06-01") in [(label.key, label.value) for label in run.execution.labels]
    assert run.execution.inputs == {"d": "2026-06-01T14:00:00Z"}


async def test_inputs_that_do_not_validate_make_a_failed_execution_a_date(bench: Bench) -> None:
    await bench.save(hourly("inputs: {n: many}") + "    inputs:\n      - id: n\n        type: INT\n")
    await bench.at(13)
    await bench.executions()
    await bench.at(14)
    runs = await bench.executions()
    assert [run.state for run in runs] == ["FAILED", "FAILED"]
    assert "`n`" in runs[0].messages("ERROR")[0]


async def test_a_date_waits_for_the_execution_before_it(bench: Bench) -> None:
    await bench.save(WAITING)
    await bench.at(13)
    waiting = await bench.state()
    assert waiting.execution_id is not None
    await bench.at(14, 30)
    assert (await bench.state()).execution_id == waiting.execution_id
    await bench.resume(waiting.execution_id)
    await bench.tick()
    assert (await bench.state()).execution_id != waiting.execution_id


async def test_executions_side_by_side_where_that_is_allowed(bench: Bench) -> None:
    await bench.save(WAITING.rstrip() + "\n        allowConcurrent: true\n")
    await bench.at(13)
    first = (await bench.state()).execution_id
    await bench.at(14)
    assert (await bench.state()).execution_id not in (None, first)


async def test_unlock(bench: Bench) -> None:
    await bench.save(WAITING)
    await bench.at(13)
    state = await bench.state()
    await bench.triggers.change([Unlock(state.key)], bench.clock())
    await bench.at(14)
    assert (await bench.state()).execution_id not in (None, state.execution_id)


@pytest.mark.parametrize("concurrent", ["true", "false"])
async def test_stop_after(bench: Bench, concurrent: str) -> None:
    await bench.save(hourly(f"stopAfter: [SUCCESS]\nallowConcurrent: {concurrent}"))
    await bench.at(13)
    (ended,) = await bench.executions()
    # With the end itself: no scheduler has to hear of it.
    assert (await bench.state()).disabled
    await bench.at(14)
    assert await bench.dates() == ["2026-06-01T13:00:00Z"]
    # Once enabled again, nothing but another end disables it.
    await bench.triggers.change([Enable((await bench.state()).key)], bench.clock())
    labels = SetLabels(ended.execution.id, [Label("team", "a")])
    await bench.runtime.queue.executor.ask(labels)
    await bench.tick()
    assert not (await bench.state()).disabled


@pytest.mark.parametrize(
    ("recover", "hours"),
    [("ALL", [13, 14, 15]), ("LAST", [15]), ("NONE", [])],
)
async def test_dates_that_were_missed(bench: Bench, recover: str, hours: list[int]) -> None:
    await bench.save(hourly(f"recoverMissedSchedules: {recover}"))
    bench.clock.set(15, 10)
    await bench.restart()
    for _ in range(4):
        await bench.tick()
        await bench.executions()
    assert await bench.dates() == [f"2026-06-01T{hour}:00:00Z" for hour in hours]
    assert (await bench.state()).next_date == START.replace(hour=16)


async def test_the_server_says_what_becomes_of_missed_dates(bench: Bench) -> None:
    await bench.save(HOURLY)
    bench.clock.set(15, 10)
    await bench.restart(SchedulerSettings(recover={TYPE: RecoverMissedSchedules.NONE}))
    await bench.tick()
    assert await bench.dates() == []
    assert await bench.log() == ["Not run, missed: 2026-06-01T13:00:00Z to 2026-06-01T15:00:00Z"]


async def test_dates_that_are_too_late(bench: Bench) -> None:
    await bench.save(hourly("lateMaximumDelay: PT15M"))
    await bench.at(15, 10)
    assert await bench.dates() == ["2026-06-01T15:00:00Z"]


async def test_a_clock_that_is_set_back(bench: Bench) -> None:
    await bench.save(HOURLY)
    await bench.at(13)
    await bench.executions()
    await bench.at(12, 30)
    await bench.at(13)
    await bench.at(14)
    assert await bench.dates() == ["2026-06-01T13:00:00Z", "2026-06-01T14:00:00Z"]


async def test_conditions(bench: Bench) -> None:
    await bench.save(
        hourly("conditions:\n  - type: io.kestra.plugin.core.condition.TimeBetween\n    after: '14:30:00Z'")
    )
    assert (await bench.state()).next_date == START.replace(hour=15)
    await bench.at(15)
    (run,) = await bench.executions()
    assert run.execution.trigger is not None
    assert run.execution.trigger.variables["previous"] == "2026-05-31T23:00:00Z"


@pytest.mark.parametrize("condition", ["kv('nothing')", "trigger.nothing.here"])
async def test_a_condition_that_fails_backs_off_and_says_so(bench: Bench, condition: str) -> None:
    await bench.save(hourly(f'when: "{{{{ {condition} }}}}"'))
    await bench.at(13)
    state = await bench.state()
    assert state.health is Health.FAILING
    assert "nothing" in (state.memory.reason or "")
    pause = timedelta(seconds=2**state.memory.failures)
    assert state.due == bench.clock() + pause
    bench.clock.now += pause
    await bench.tick()
    assert (await bench.state()).due == bench.clock() + 2 * pause
    assert len(await bench.log()) == state.memory.failures + 1
    await bench.save(HOURLY)
    assert (await bench.state()).health is Health.HEALTHY


async def test_a_trigger_that_was_disabled_does_not_fire(bench: Bench) -> None:
    await bench.save(HOURLY)
    key = (await bench.state()).key
    await bench.triggers.change([Disable(key)], bench.clock())
    await bench.at(13)
    await bench.triggers.change([Enable(key)], bench.clock())
    await bench.at(14)
    assert await bench.dates() == ["2026-06-01T14:00:00Z"]


async def test_disabled_between_the_look_and_the_commit(bench: Bench) -> None:
    """The transaction that would start the execution finds the trigger disabled."""
    await bench.save(HOURLY)
    key = (await bench.state()).key
    bench.clock.set(13)
    commit = bench.triggers.commit

    async def disable_first(batch, now):  # type: ignore[no-untyped-def]
        await bench.triggers.change([Disable(key)], now)
        return await commit(batch, now)

    bench.triggers.commit = disable_first  # type: ignore[method-assign]
    await bench.tick()
    assert await bench.executions() == []
    assert (await bench.state()).disabled


async def test_disabled_in_its_flow_while_its_execution_runs(bench: Bench) -> None:
    await bench.save(WAITING)
    await bench.at(13)
    running = (await bench.state()).execution_id
    assert running is not None
    await bench.save(WAITING.rstrip() + "\n        disabled: true\n")
    await bench.resume(running)
    for hour in (14, 15):
        await bench.at(hour)
    state = await bench.state()
    assert (state.execution_id, state.due, state.active) == (None, None, False)
    # What people do to it does not wake it either.
    await bench.triggers.change([Unlock(state.key)], bench.clock())
    await bench.triggers.change([Restart(state.key)], bench.clock())
    await bench.at(16)
    assert len(await bench.executions()) == 1


async def test_disabled_in_its_flow_between_the_look_and_the_commit(bench: Bench) -> None:
    await bench.save(HOURLY)
    bench.clock.set(13)
    (claimed,) = await bench.triggers.claim_due("lease", START + timedelta(hours=2), bench.clock(), 10)
    assert claimed.active
    await bench.flows.save(dedent(HOURLY.rstrip() + "\n        disabled: true\n"))
    assert (await bench.state()).lease is None
    assert await bench.triggers.renew("lease", START + timedelta(hours=3)) is False


async def test_enabled_again_by_its_flow_it_leaves_the_past_alone(bench: Bench) -> None:
    disabled = HOURLY.rstrip() + "\n        disabled: true\n"
    await bench.save(HOURLY)
    await bench.save(disabled)
    await bench.at(15, 30)
    await bench.save(HOURLY)
    await bench.at(16)
    assert await bench.dates() == ["2026-06-01T16:00:00Z"]


async def test_looks_that_fail_before_there_is_a_next_date_lose_no_date(bench: Bench) -> None:
    failing = HOURLY.replace("Schedule\n", "ScheduleOnDates\n").replace(
        'cron: "0 * * * *"', 'dates: "{{ vars.dates }}"'
    )
    await bench.save(failing)
    for minute in (10, 20, 30, 40, 50):
        await bench.at(12, minute)
    assert (await bench.state()).health is Health.FAILING
    await bench.at(13, 1)
    # An edit of what the dates are read from, not of the trigger.
    await bench.save(failing.rstrip() + "\n    variables: {dates: ['2026-06-01T13:00:00Z']}\n")
    await bench.at(13, 20)
    assert await bench.dates() == ["2026-06-01T13:00:00Z"]


async def test_a_date_that_is_far_off_is_found_in_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many dates there are before it on which the conditions do not hold."""
    monkeypatch.setattr("windhover.engine.schedule_dates._CANDIDATES", 10)
    condition = 'when: "{{ dayOfMonth(trigger.date) == 4 }}"'
    await bench.save(hourly(condition + "\nallowConcurrent: true"))
    for day in (1, 2, 3, 4):
        for hour in range(24):
            if (day, hour) > (1, 12) and (day, hour) < (4, 3):
                await bench.at(hour, day=day)
    assert await bench.dates() == [f"2026-06-04T0{hour}:00:00Z" for hour in (0, 1, 2)]


async def test_enabled_again_it_still_waits_for_its_execution(bench: Bench) -> None:
    await bench.save(WAITING)
    await bench.at(13)
    state = await bench.state()
    assert state.execution_id is not None
    await bench.triggers.change([Disable(state.key)], bench.clock())
    await bench.triggers.change([Enable(state.key)], bench.clock())
    await bench.at(14)
    assert (await bench.state()).execution_id == state.execution_id
    await bench.resume(state.execution_id)
    await bench.at(15)
    again = (await bench.state()).execution_id
    assert again not in (None, state.execution_id)
    assert again is not None
    await bench.resume(again)
    # The first date after it was enabled, which waited.
    assert (await bench.dates())[-1] == "2026-06-01T14:00:00Z"


async def test_an_edit_of_the_tasks_keeps_the_state(bench: Bench) -> None:
    await bench.save(HOURLY)
    await bench.at(13)
    await bench.executions()
    before = await bench.state()
    await bench.save(HOURLY.replace("id: say", "id: tell"))
    after = await bench.state()
    assert (after.next_date, after.last_triggered) == (before.next_date, before.last_triggered)


async def test_an_edit_of_the_cron_counts_from_now(bench: Bench) -> None:
    await bench.save(HOURLY)
    await bench.save(HOURLY.replace('"0 *', '"30 *'))
    assert (await bench.state()).next_date == START.replace(minute=30)


async def test_the_state_goes_with_the_trigger_and_the_flow(bench: Bench) -> None:
    await bench.save(HOURLY)
    await bench.save(HOURLY.replace("id: s\n", "id: other\n"))
    assert await bench.triggers.of_flow("main", "io.test", "scheduled") == [await bench.state("other")]
    await bench.runtime.definitions.repository.delete("main", "io.test", "scheduled", bench.clock())
    assert await bench.triggers.of_flow("main", "io.test", "scheduled") == []


async def test_dates_that_are_listed(bench: Bench) -> None:
    await bench.save("""
        id: scheduled
        namespace: io.test
        tasks:
          - id: say
            type: io.kestra.plugin.core.debug.Return
        triggers:
          - id: s
            type: io.kestra.plugin.core.trigger.ScheduleOnDates
            timezone: Europe/Paris
            dates:
              - "2026-06-01T16:00:00+02:00"
              - "2026-06-01T13:00:00Z"
        """)
    await bench.at(13)
    await bench.executions()
    await bench.at(14)
    assert await bench.dates() == ["2026-06-01T15:00:00+02:00", "2026-06-01T16:00:00+02:00"]
    await bench.tick()
    assert (await bench.state()).due is None


async def test_several_schedulers_at_once(bench: Bench) -> None:
    """However many look, every date is run once."""
    sources = [HOURLY.replace("id: scheduled", f"id: scheduled{number}") for number in range(20)]
    for source in sources:
        await bench.flows.save(source)
    schedulers = [bench.scheduler, *(bench.another_scheduler() for _ in range(3))]
    for hour in (13, 14, 15):
        for when in (bench.clock.set, bench.clock.set):
            when(hour)
            for scheduler in schedulers:
                await scheduler.refresh()
            await asyncio.gather(*(scheduler.work() for scheduler in schedulers))
        for number in range(20):
            await bench.executions(f"scheduled{number}")
        await bench.tick()
    for number in range(20):
        assert await bench.dates(f"scheduled{number}") == [
            f"2026-06-01T{hour}:00:00Z" for hour in (13, 14, 15)
        ]


async def test_an_evaluation_that_died_is_done_by_another(bench: Bench) -> None:
    """A scheduler that was killed while it held a trigger loses it when its lease ends."""
    await bench.save(HOURLY)
    bench.clock.set(13)
    now = bench.clock()
    await bench.triggers.claim_due("of one that was killed", now + timedelta(seconds=30), now, 10)
    await bench.restart()
    await bench.tick()
    assert await bench.dates() == []
    await bench.at(13, 0, 30)
    assert await bench.dates() == ["2026-06-01T13:00:00Z"]


async def test_an_execution_that_is_told_of_twice_runs_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.save(HOURLY)
    executor = bench.runtime.queue.executor
    with monkeypatch.context() as patched:
        # Nobody is told of it, as when another process has written it.
        patched.setattr(executor, "send", lambda message: None)
        await bench.at(13)
    ((execution, lines),) = await bench.runtime.executions.unstarted()
    for _ in range(2):
        executor.send(ExecutionStored(execution.id, deepcopy(execution), lines))
        (first,) = await bench.executions()
        assert first.state == "SUCCESS"
    # What comes after it is dealt with after it.
    await bench.at(14)
    runs = await bench.executions()
    assert [len(run.task_runs) for run in runs] == [1, 1]
    assert runs[0].run("say").id == first.run("say").id


async def test_an_execution_that_was_written_and_not_begun_is_begun_after_a_restart(bench: Bench) -> None:
    await bench.save(HOURLY)
    bench.clock.set(13)
    sent = bench.runtime.queue.executor.send
    bench.runtime.queue.executor.send = lambda event: None  # type: ignore[method-assign, assignment]
    await bench.tick()
    bench.runtime.queue.executor.send = sent  # type: ignore[method-assign]
    found = await bench.runtime.executions.unstarted()
    assert [execution.state.current for execution, _ in found] == [StateType.CREATED]
    await bench.runtime.executor.start()
    (run,) = await bench.executions()
    assert run.state == "SUCCESS"


async def test_flows_are_read_shortly_before_they_are_due(bench: Bench) -> None:
    await bench.save(HOURLY)
    parsed: list[str] = []

    class Definitions(FlowDefinitions):
        def read(self, record: FlowRecord) -> Flow:
            parsed.append(record.id)
            return super().read(record)

    definitions = Definitions(bench.runtime.definitions.repository, bench.runtime.definitions.registry)
    foresight = Foresight(bench.triggers, LatestFlows(definitions), bench.clock)
    bench.clock.set(12, 58, 59)
    await foresight.look()
    assert parsed == []
    bench.clock.set(12, 59, 1)
    await foresight.look()
    assert parsed == ["scheduled"]
