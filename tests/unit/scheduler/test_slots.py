"""Which dates of a schedule run, and which are passed over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from windhover.core.trigger.schedule import Schedule
from windhover.engine.schedule_dates import Dates
from windhover.plugin.trigger import RecoverMissedSchedules
from windhover.scheduler.slots import Decision, Rules, decide

ALL, LAST, NONE = RecoverMissedSchedules.ALL, RecoverMissedSchedules.LAST, RecoverMissedSchedules.NONE
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOURLY = Dates(
    Schedule(id="s", type=Schedule.type_name, cron="0 * * * *").calendar("UTC", lambda value: value)
)


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute, second=second)


def look(
    pending: datetime,
    now: datetime,
    recover: RecoverMissedSchedules = ALL,
    *,
    late: timedelta | None = None,
    concurrent: bool = False,
    since: datetime = NOON - timedelta(hours=12),
) -> Decision:
    return decide(HOURLY, pending, now, Rules(recover, late, concurrent, since))


def ran(decision: Decision) -> list[int]:
    return [slot.date.hour for slot in decision.slots]


def test_nothing_is_run_before_its_time() -> None:
    decision = look(at(12), at(11, 59, 59))
    assert decision.slots == []
    assert decision.next_date == at(12)


def test_a_date_is_run_with_those_around_it() -> None:
    (slot,) = look(at(12), at(12)).slots
    assert (slot.previous, slot.date, slot.next) == (at(11), at(12), at(13))


def test_all_missed_dates_are_run_one_after_another() -> None:
    first = look(at(6), at(8, 10))
    assert ran(first) == [6]
    assert first.next_date == at(7)


def test_all_missed_dates_are_run_together_where_that_is_allowed() -> None:
    decision = look(at(6), at(8, 10), concurrent=True)
    assert ran(decision) == [6, 7, 8]
    assert decision.next_date == at(9)


def test_of_missed_dates_the_last_is_run() -> None:
    decision = look(at(6), at(8, 10), LAST)
    assert ran(decision) == [8]
    assert decision.skipped == [(at(6), at(7), "missed")]


def test_missed_dates_are_passed_over() -> None:
    decision = look(at(6), at(8, 10), NONE)
    assert decision.slots == []
    assert decision.next_date == at(9)
    assert decision.skipped == [(at(6), at(8), "missed")]


@pytest.mark.parametrize("recover", [ALL, LAST, NONE])
def test_a_date_that_is_looked_at_in_time_is_run(recover: RecoverMissedSchedules) -> None:
    assert ran(look(at(12), at(12, 0, 5), recover)) == [12]


def test_a_date_of_before_the_scheduler_began_is_missed_however_fresh() -> None:
    assert ran(look(at(12), at(12, 0, 5), NONE, since=at(12, 0, 2))) == []
    assert ran(look(at(12), at(12, 0, 5), LAST, since=at(12, 0, 2))) == [12]


def test_a_date_that_is_too_late_is_passed_over() -> None:
    decision = look(at(6), at(8, 10), late=timedelta(minutes=15))
    assert ran(decision) == [8]
    assert decision.skipped == [(at(6), at(7), "later than allowed")]


def test_an_endless_past_is_passed_over_at_once() -> None:
    decision = look(NOON - timedelta(days=3650), at(8, 10), NONE)
    assert decision.next_date == at(9)


def test_a_clock_that_is_set_back_runs_nothing_twice() -> None:
    decision = look(at(13), at(11, 30))
    assert decision.slots == []
    assert decision.next_date == at(13)


def test_conditions_choose_dates_and_those_around_them() -> None:
    mornings = Dates(
        Schedule(id="s", type=Schedule.type_name, cron="0 * * * *").calendar("UTC", lambda value: value),
        lambda slot: slot.date.hour < 3,
    )
    decision = decide(
        mornings, mornings.next_after(at(12)), at(12) + timedelta(days=1), Rules(ALL, None, True, NOON)
    )
    assert [slot.date.hour for slot in decision.slots] == [0, 1, 2]
    assert decision.slots[0].previous == at(2)
    assert decision.next_date == at(0) + timedelta(days=2)


def test_a_condition_that_never_holds_ends_the_search() -> None:
    never = Dates(
        Schedule(id="s", type=Schedule.type_name, cron="0 0 1 1 *").calendar("UTC", lambda value: value),
        lambda slot: False,
    )
    assert never.next_after(NOON) is None


def test_a_date_is_told_in_the_zone_of_the_schedule() -> None:
    paris = Dates(
        Schedule(id="s", type=Schedule.type_name, cron="0 9 * * *", timezone="Europe/Paris").calendar(
            "UTC", lambda value: value
        )
    )
    decision = decide(paris, at(7), at(7), Rules(ALL, None, False, NOON))
    assert decision.slots[0].date.isoformat() == "2026-06-01T09:00:00+02:00"
    assert decision.slots[0].date.astimezone(ZoneInfo("UTC")) == at(7)
