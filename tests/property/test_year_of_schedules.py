"""A year of a thousand schedules in four zones, date by date against another cron library."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from windhover.core.trigger.schedule import Schedule
from windhover.engine.schedule_dates import Dates
from windhover.plugin.trigger import RecoverMissedSchedules
from windhover.scheduler.slots import Rules, decide

ZONES = ("Europe/Paris", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
SCHEDULES = 1000


def mixed_crons(count: int) -> list[tuple[str, str]]:
    """Expressions of all kinds with their zones; most of them name the hours in which clocks are changed."""
    chance = random.Random(2026)
    hours = ("0", "1", "2", "3", "1,2,3", "2-3", "23")
    days = ("SUN", "0", "7", "SAT,SUN", "1-5")
    kinds = (
        lambda: f"{chance.randrange(60)} {chance.choice(hours)} * * *",
        lambda: f"{chance.randrange(60)} {chance.choice(hours)} * * {chance.choice(days)}",
        lambda: f"{chance.randrange(60)} {chance.randrange(24)} {chance.randrange(1, 32)} * *",
        lambda: f"{chance.randrange(60)} {chance.randrange(24)} 1,15 */3 *",
        lambda: f"0,30 {chance.choice(hours)} * {chance.choice(('3', '10', 'MAR,APR', '9-11'))} SUN",
        lambda: f"{chance.randrange(60)} {chance.randrange(24)} 13 * FRI",
        lambda: f"{chance.randrange(60)} * 29 3 *",
        lambda: "0 0 * * 0",
        lambda: "0 0 1 * *",
    )
    return [(chance.choice(kinds)(), chance.choice(ZONES)) for _ in range(count)]


def fired(cron: str, zone: str, start: datetime = START, end: datetime = END) -> list[datetime]:
    """The dates that a scheduler would run which looks at the schedule whenever it is due."""
    schedule = Schedule(id="s", type=Schedule.type_name, cron=cron, timezone=zone)
    dates = Dates(schedule.calendar("UTC", lambda value: value))
    rules = Rules(RecoverMissedSchedules.NONE, timedelta(minutes=1), False, start)
    found = []
    pending = dates.next_after(start)
    while pending is not None and pending < end:
        decision = decide(dates, pending, pending, rules)
        found += [slot.date.astimezone(UTC) for slot in decision.slots]
        pending = decision.next_date
    return found


def expected(cron: str, zone: str) -> list[datetime]:
    found = []
    for date in CronSim(cron, START.astimezone(ZoneInfo(zone))):
        if date.astimezone(UTC) >= END:
            break
        found.append(date.astimezone(UTC))
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_a_thousand_schedules(zone: str) -> None:
    total = 0
    for cron in (cron for cron, other in mixed_crons(SCHEDULES) if other == zone):
        dates = fired(cron, zone)
        assert dates == expected(cron, zone), cron
        total += len(dates)
    assert total > 10_000


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("cron", "minutes"), [("*/20 * * * *", {0, 20, 40}), ("35 * * * *", {35}), ("*/30 1-3 * * *", {0, 30})]
)
@pytest.mark.parametrize(("month", "days"), [(3, 40), (9, 70)])
def test_steady_schedules_through_clock_changes(
    cron: str, minutes: set[int], zone: str, month: int, days: int
) -> None:
    """Minute by minute of real time: what the clock shows decides, however often it shows it."""
    hours = {1, 2, 3} if "1-3" in cron else set(range(24))
    clock = ZoneInfo(zone)
    start = datetime(2026, month, 5, tzinfo=UTC)
    end = start + timedelta(days=days)
    instants = (
        start + timedelta(minutes=5 * step) for step in range(1, (end - start) // timedelta(minutes=5))
    )
    by_hand = [
        date
        for date in instants
        if (local := date.astimezone(clock)).minute in minutes and local.hour in hours
    ]
    assert fired(cron, zone, start, end) == by_hand
