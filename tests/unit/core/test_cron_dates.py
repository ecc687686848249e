"""Dates of cron expressions, above all where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from windhover.core.cron import parse_cron

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")


def dates(cron: str, start: str, count: int, zone: ZoneInfo = PARIS) -> list[str]:
    expression = parse_cron(cron, with_seconds=len(cron.split()) == 6)
    found = []
    instant = datetime.fromisoformat(start)
    for _ in range(count):
        date = expression.next_after(instant, zone)
        assert date is not None
        found.append(date.isoformat())
        instant = date
    return found


def test_a_date_is_told_in_the_zone() -> None:
    assert dates("0 9 * * *", "2026-07-01T00:00:00+00:00", 2) == [
        "2026-07-01T09:00:00+02:00",
        "2026-07-02T09:00:00+02:00",
    ]


def test_a_date_is_after_the_instant_and_never_at_it() -> None:
    assert dates("0 9 * * *", "2026-07-01T09:00:00+02:00", 1) == ["2026-07-02T09:00:00+02:00"]


def test_seconds() -> None:
    assert dates("*/20 59 23 31 12 *", "2026-01-01T00:00:00+00:00", 4, ZoneInfo("UTC"))[2:] == [
        "2026-12-31T23:59:40+00:00",
        "2027-12-31T23:59:00+00:00",
    ]


def test_a_time_in_the_gap_runs_at_the_first_valid_instant() -> None:
    # On 29 March 2026 the hour from 2 to 3 is left out.
    assert dates("30 2 * * *", "2026-03-28T00:00:00+00:00", 3) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_several_times_in_the_gap_run_once() -> None:
    assert dates("0,20,40 2 * * *", "2026-03-29T00:00:00+00:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:00:00+02:00",
    ]


def test_a_time_that_comes_twice_runs_the_first_time() -> None:
    # On 25 October 2026 the hour from 2 to 3 comes twice.
    assert dates("30 2 * * *", "2026-10-24T12:00:00+00:00", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_an_expression_for_every_half_hour_keeps_its_pace() -> None:
    assert dates("*/30 * * * *", "2026-10-25T00:00:00+00:00", 5) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T03:30:00+01:00",
    ]
    assert dates("*/30 * * * *", "2026-03-29T00:00:00+00:00", 3) == [
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
    ]


def test_a_day_of_the_month_or_of_the_week() -> None:
    assert dates("0 0 13 * FRI", "2026-02-07T00:00:00+00:00", 3, ZoneInfo("UTC")) == [
        "2026-02-13T00:00:00+00:00",
        "2026-02-20T00:00:00+00:00",
        "2026-02-27T00:00:00+00:00",
    ]


def test_leap_days_across_a_year_that_has_none() -> None:
    assert dates("0 0 29 2 *", "2096-03-01T00:00:00+00:00", 1) == ["2104-02-29T00:00:00+01:00"]


def test_a_day_that_never_comes() -> None:
    expression = parse_cron("0 0 30 2 *")
    assert expression.next_after(datetime(2026, 1, 1, tzinfo=UTC), PARIS) is None
    assert expression.previous_before(datetime(2026, 1, 1, tzinfo=UTC), PARIS) is None


@pytest.mark.parametrize("zone", [PARIS, NEW_YORK, ZoneInfo("Australia/Lord_Howe")])
@pytest.mark.parametrize("cron", ["*/7 * * * *", "0 2 * * *", "15 1,2,3 * * SUN", "0 */6 * * *"])
def test_backwards_the_same_dates(cron: str, zone: ZoneInfo) -> None:
    expression = parse_cron(cron)
    instant = datetime(2026, 3, 20, tzinfo=UTC)
    forwards = [instant]
    while len(forwards) < 400:
        date = expression.next_after(forwards[-1], zone)
        assert date is not None
        forwards.append(date)
    for before, date in pairwise(forwards[1:]):
        assert expression.previous_before(date, zone) == before
