"""Windows of Flow triggers: those that repeat, and those of every day."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windhover.plugin.gathering import Span, daily, repeating

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "length", "offset", "start"),
    [
        ("2026-05-04T15:20:31", timedelta(days=1), timedelta(), "2026-05-04T00:00:00"),
        ("2026-05-04T03:00:00", timedelta(days=1), timedelta(hours=6), "2026-05-03T06:00:00"),
        ("2026-05-04T15:20:31", timedelta(hours=2), timedelta(), "2026-05-04T15:00:00"),
        ("2026-05-04T15:20:31", timedelta(minutes=15), timedelta(), "2026-05-04T15:15:00"),
        ("2026-05-04T15:20:31", timedelta(seconds=10), timedelta(), "2026-05-04T15:20:30"),
    ],
)
def test_windows_that_repeat(instant: str, length: timedelta, offset: timedelta, start: str) -> None:
    found = repeating(at(instant), UTC, length, offset)
    assert found == Span(at(start), at(start) + length)


def test_a_day_begins_at_midnight_of_its_zone() -> None:
    found = repeating(at("2026-05-04T22:30:00"), PARIS, timedelta(days=1), timedelta())
    assert found.start == at("2026-05-04T22:00:00")


@given(
    instant=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    length=st.timedeltas(timedelta(seconds=1), timedelta(days=30)),
    offset=st.timedeltas(timedelta(days=-3), timedelta(days=3)),
)
def test_an_instant_is_within_its_window(instant: datetime, length: timedelta, offset: timedelta) -> None:
    found = repeating(instant, PARIS, length, offset)
    assert found.start <= instant < found.end
    assert found.end - found.start == length


@pytest.mark.parametrize(
    ("instant", "begin", "end", "expected"),
    [
        ("2026-05-04T08:00:00", time(9), time(17), ("2026-05-04T09:00:00", "2026-05-04T17:00:00")),
        ("2026-05-04T12:00:00", time(9), time(17), ("2026-05-04T09:00:00", "2026-05-04T17:00:00")),
        ("2026-05-04T17:00:00", time(9), time(17), ("2026-05-05T09:00:00", "2026-05-05T17:00:00")),
        ("2026-05-04T02:00:00", time(22), time(6), ("2026-05-03T22:00:00", "2026-05-04T06:00:00")),
        ("2026-05-04T23:00:00", time(22), time(6), ("2026-05-04T22:00:00", "2026-05-05T06:00:00")),
    ],
)
def test_windows_of_every_day(instant: str, begin: time, end: time, expected: tuple[str, str]) -> None:
    assert daily(at(instant), UTC, begin, end) == Span(at(expected[0]), at(expected[1]))


def test_a_deadline_keeps_its_time_of_day_through_a_clock_change() -> None:
    before = daily(at("2026-03-28T12:00:00"), PARIS, time.min, time(9))
    after = daily(at("2026-03-29T12:00:00"), PARIS, time.min, time(9))
    assert before.end == at("2026-03-29T07:00:00")
    assert after.end == at("2026-03-30T07:00:00")
    assert daily(at("2026-03-27T12:00:00"), PARIS, time.min, time(9)).end == at("2026-03-28T08:00:00")
    fixed = timezone(timedelta(hours=2))
    assert daily(at("2026-05-04T00:00:00"), fixed, time.min, time(9)).end == at("2026-05-04T07:00:00")
