"""What conditions are told of the dates around one, while a schedule walks from date to date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from windhover.core.cron import parse_cron
from windhover.core.trigger.schedule import CronCalendar
from windhover.core.trigger.schedule_on_dates import ListedDates
from windhover.engine.schedule_dates import Dates, Slot
from windhover.plugin.trigger import Calendar

PARIS = ZoneInfo("Europe/Paris")
SPRING, AUTUMN = datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)
LISTED = ListedDates(tuple(SPRING + timedelta(hours=hours) for hours in (1, 2, 50, 51)), PARIS)


def walked(calendar: Calendar, instant: datetime, *, ahead: bool, most: int = 300) -> list[Slot]:
    """The slots that a condition is asked about which never holds."""
    seen: list[Slot] = []

    def holds(slot: Slot) -> bool:
        seen.append(slot)
        return len(seen) == most

    dates = Dates(calendar, holds)
    if ahead:
        dates.next_after(instant)
    else:
        dates.previous_before(instant)
    return seen


def in_utc(date: datetime | None) -> datetime | None:
    """Two times of one zone compare as the clock shows them, so the two of a doubled hour would be alike."""
    return None if date is None else date.astimezone(UTC)


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("start", [SPRING, AUTUMN])
@pytest.mark.parametrize("cron", ["*/15 * * * *", "30 2 * * *", "15,45 2 * * *", "0 3 * * 0", "0 */5 * * *"])
def test_they_are_those_of_the_calendar_also_where_clocks_change(
    cron: str, start: datetime, ahead: bool
) -> None:
    calendar = CronCalendar(parse_cron(cron), PARIS)
    instant = start if ahead else start + timedelta(days=3)
    slots = walked(calendar, instant, ahead=ahead)
    assert len(slots) == 300
    for slot in slots:
        date = slot.date.astimezone(UTC)
        assert in_utc(slot.next) == in_utc(calendar.next_after(date))
        assert in_utc(slot.previous) == in_utc(calendar.previous_before(date))


@pytest.mark.parametrize("ahead", [True, False])
def test_a_list_has_a_first_and_a_last_one(ahead: bool) -> None:
    slots = walked(LISTED, SPRING if ahead else SPRING + timedelta(days=9), ahead=ahead)
    assert len(slots) == 4
    for slot in slots:
        assert in_utc(slot.next) == in_utc(LISTED.next_after(slot.date))
        assert in_utc(slot.previous) == in_utc(LISTED.previous_before(slot.date))
