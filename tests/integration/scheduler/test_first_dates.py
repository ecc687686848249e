"""A schedule that is saved has its first date at once, where its definition alone tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import dedent

import pytest
from tests.integration.scheduler.bench import START, Bench

NEW_YEAR = datetime(2030, 1, 1, 8, tzinfo=UTC)


def flow(trigger: str, more: str = "") -> str:
    head = f"""\
id: scheduled
namespace: io.test
{more}
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ trigger.date }}}}"
triggers:
  - id: s
"""
    return head + "".join(f"    {line}\n" for line in dedent(trigger).strip().splitlines())


HOURLY = 'type: io.kestra.plugin.core.trigger.Schedule\ncron: "0 * * * *"'
LISTED = "type: io.kestra.plugin.core.trigger.ScheduleOnDates"


@pytest.mark.parametrize(
    ("trigger", "date"),
    [
        (HOURLY, START.replace(hour=13)),
        (HOURLY.replace("0 *", "0 9") + "\ntimezone: America/New_York", START.replace(hour=13)),
        (f'{LISTED}\ndates: ["2030-01-01T09:00:00+01:00"]', NEW_YEAR),
    ],
)
async def test_what_the_definition_tells_is_known_when_it_is_saved(
    bench: Bench, trigger: str, date: datetime
) -> None:
    await bench.flows.save(flow(trigger))
    state = await bench.state()
    assert (state.next_date, state.due) == (date, date)
    assert await bench.triggers.claim_due("lease", START, START, 10) == []


@pytest.mark.parametrize(
    "trigger",
    [
        HOURLY + '\nwhen: "{{ trigger.date is defined }}"',
        HOURLY + "\nconditions: [{type: io.kestra.plugin.core.condition.Weekend}]",
        f'{LISTED}\ndates: "{{{{ vars.dates }}}}"',
        f'{LISTED}\ntimezone: "{{{{ vars.zone }}}}"\ndates: ["2030-01-01T09:00:00+01:00"]',
        f'{LISTED}\ndates: ["2020-01-01T09:00:00+01:00"]',
    ],
)
async def test_what_only_a_look_tells_is_looked_at(bench: Bench, trigger: str) -> None:
    await bench.flows.save(flow(trigger, 'variables: {dates: ["2030-01-01T09:00:00+01:00"], zone: UTC}'))
    state = await bench.state()
    assert (state.next_date, state.due) == (None, START)


async def test_one_that_its_flow_disables_has_none(bench: Bench) -> None:
    await bench.flows.save(flow(HOURLY + "\ndisabled: true"))
    state = await bench.state()
    assert (state.next_date, state.due) == (None, None)


async def test_one_that_changes_begins_anew_with_a_look(bench: Bench) -> None:
    """What the last look has left, a failure say, must not be shown of the new definition."""
    await bench.flows.save(flow(HOURLY))
    await bench.flows.save(flow(HOURLY.replace("0 *", "30 *")))
    state = await bench.state()
    assert (state.next_date, state.due) == (None, START)
    await bench.tick()
    assert (await bench.state()).next_date == START.replace(minute=30)


async def test_the_first_date_runs_once(bench: Bench) -> None:
    await bench.flows.save(flow(HOURLY))
    await bench.at(13)
    await bench.at(13, 0, 1)
    assert await bench.dates() == ["2026-06-01T13:00:00Z"]
