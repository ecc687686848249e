"""Cron expressions, as schedules write them, and the dates that they name.

Five fields (minute, hour, day of month, month, day of week), or six with the seconds first. A field is
``*`` or a list of values and ranges, each with an optional step; months and days of the week have names.
Days of the week count from Sunday, which is both 0 and 7. Ranges do not wrap around.

When clocks change, an expression that names certain times of day keeps to them: a time that is skipped is
run at the first instant after the gap, one that comes twice is run the first time. An expression for every
hour or every minute goes on at its pace instead, without a gap or a repetition in real time.

Documentation page: ``docs/triggers.md``.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


#: Every date that is possible comes within this many years: 29 February on a certain day of the week may take
#: 40, across a year such as 2100.
_HORIZON_YEARS = 41

#: No clock was ever put forward by more, but for whole days at the date line.
_LONGEST_GAP = timedelta(hours=25)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class CronExpression:
    """The values that each field allows. ``days_of_week`` counts from Sunday = 0.

    ``any_day`` and ``any_weekday`` tell a field ``*``: when both days are given, either may match. ``steady``
    tells an expression for every hour or every minute.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    any_day: bool
    any_weekday: bool
    steady: bool

    def next_after(self, instant: datetime, zone: tzinfo) -> datetime | None:
        """The first date after an instant, in ``zone``; None when no date matches, such as 30 February."""
        # Times of one zone compare as the clock shows them, whichever of two hours alike they are in.
        instant = instant.astimezone(UTC)
        if self.steady:
            return self._next_steadily(instant, zone)
        # A time in a gap is run after it, so what is behind on the clock may still come.
        for naive in self._times_from(_shown(instant, zone) - _LONGEST_GAP):
            found = _on_the_clock(naive, zone)
            if found > instant:
                return found.astimezone(zone)
        return None

    def previous_before(self, instant: datetime, zone: tzinfo) -> datetime | None:
        """The last date before an instant, in ``zone``; None when no date matches."""
        instant = instant.astimezone(UTC)
        if self.steady:
            return self._previous_steadily(instant, zone)
        for naive in self._times_until(_shown(instant, zone) + _LONGEST_GAP):
            found = _on_the_clock(naive, zone)
            if found < instant:
                return found.astimezone(zone)
        return None

    def _next_steadily(self, instant: datetime, zone: tzinfo) -> datetime | None:
        at = instant
        while True:
            offset = _offset(at, zone)
            changed: datetime | None = None
            for naive in self._times_from(_shown(at, zone)):
                found = (naive - offset).replace(tzinfo=UTC)
                if _offset(found, zone) != offset:
                    # The clock was changed on the way there: what it shows since then counts.
                    changed = found
                    break
                if found > instant:
                    return found.astimezone(zone)
            if changed is None:
                return None
            at = _clock_change(at, changed, zone)

    def _previous_steadily(self, instant: datetime, zone: tzinfo) -> datetime | None:
        at = instant
        while True:
            offset = _offset(at, zone)
            changed: datetime | None = None
            for naive in self._times_until(_shown(at, zone)):
                found = (naive - offset).replace(tzinfo=UTC)
                if _offset(found, zone) != offset:
                    changed = found
                    break
                if found < instant:
                    return found.astimezone(zone)
            if changed is None:
                return None
            # All of the later offset was looked at: go on below the last change before it.
            at = _last_change(changed, at, zone)

    def _times_from(self, start: datetime) -> Iterator[datetime]:
        """Times of a clock that never changes, from ``start`` on."""
        day = start.date()
        earliest = start.time()
        for _ in range(_HORIZON_YEARS * 12):
            last = monthrange(day.year, day.month)[1]
            if day.month in self.months:
                for number in range(day.day, last + 1):
                    today = day.replace(day=number)
                    if self._has_day(today):
                        for moment in self._moments_from(earliest):
                            yield datetime.combine(today, moment)
                    earliest = time.min
            earliest = time.min
            if day.year == date.max.year:
                return
            day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)

    def _times_until(self, end: datetime) -> Iterator[datetime]:
        """Times of a clock that never changes, from ``end`` back."""
        day = end.date()
        latest = end.time()
        for _ in range(_HORIZON_YEARS * 12):
            if day.month in self.months:
                for number in range(day.day, 0, -1):
                    today = day.replace(day=number)
                    if self._has_day(today):
                        for moment in self._moments_until(latest):
                            yield datetime.combine(today, moment)
                    latest = time.max
            latest = time.max
            if day.year == date.min.year:
                return
            day = day.replace(day=1) - timedelta(days=1)

    def _has_day(self, day: date) -> bool:
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.days_of_week
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week

    def _moments_from(self, earliest: time) -> Iterator[time]:
        """The times of a day from one on, in order. Seconds make 86,400 of them, and few are asked for."""
        hours, minutes, seconds = self._in_order
        for hour in hours:
            if hour < earliest.hour:
                continue
            for minute in minutes:
                if (hour, minute) < (earliest.hour, earliest.minute):
                    continue
                for second in seconds:
                    moment = time(hour, minute, second)
                    if moment >= earliest:
                        yield moment

    def _moments_until(self, latest: time) -> Iterator[time]:
        """The times of a day up to one, the last first."""
        hours, minutes, seconds = self._in_order
        for hour in reversed(hours):
            if hour > latest.hour:
                continue
            for minute in reversed(minutes):
                if (hour, minute) > (latest.hour, latest.minute):
                    continue
                for second in reversed(seconds):
                    moment = time(hour, minute, second)
                    if moment <= latest:
                        yield moment

    @cached_property
    def _in_order(self) -> tuple[list[int], list[int], list[int]]:
        """The hours, minutes and seconds."""
        return sorted(self.hours), sorted(self.minutes), sorted(self.seconds)


def _shown(instant: datetime, zone: tzinfo) -> datetime:
    """What the clocks of a zone show at an instant."""
    return instant.astimezone(zone).replace(tzinfo=None)


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _on_the_clock(naive: datetime, zone: tzinfo) -> datetime:
    """The instant (UTC) when a clock first shows a time, or has passed it because it was put forward."""
    found = naive.replace(tzinfo=zone).astimezone(UTC)
    if _shown(found, zone) == naive:
        return found
    offsets = [naive.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1)]
    before, after = ((naive - offset).replace(tzinfo=UTC) for offset in (max(offsets), min(offsets)))
    return _clock_change(before, after, zone)


def _clock_change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first instant (UTC) with another offset than that of ``before``; ``after`` has another."""
    offset = _offset(before, zone)
    while after - before > _TICK:
        middle = before + (after - before) / 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after


def _last_change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The last instant (UTC) with another offset than that of ``after``; ``before`` has another."""
    offset = _offset(after, zone)
    while after - before > _TICK:
        middle = before + (after - before) / 2
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return before


def parse_cron(text: str, *, with_seconds: bool = False) -> CronExpression:
    """Read a cron expression or a nickname such as ``@daily``.

    Raises:
        ValueError: what is wrong with it.
    """
    nickname = NICKNAMES.get(text.strip().lower())
    parts = (nickname or text).split()
    expected = 6 if with_seconds and nickname is None else 5
    if len(parts) != expected:
        raise ValueError(f"Cron expression contains {len(parts)} parts but we expect one of [{expected}]")
    seconds = frozenset({0}) if expected == 5 else _field(parts[0], 0, 59)
    minute, hour, day, month, weekday = parts[-5:]
    return CronExpression(
        seconds=seconds,
        minutes=_field(minute, 0, 59),
        hours=_field(hour, 0, 23),
        days=_field(day, 1, 31),
        months=_field(month, 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
        days_of_week=frozenset(
            number % 7
            for number in _field(weekday, 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)})
        ),
        any_day=day == "*",
        any_weekday=weekday == "*",
        steady=minute.startswith("*") or hour.startswith("*"),
    )


def _field(text: str, least: int, most: int, names: dict[str, int] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for entry in text.split(","):
        span, slash, step_text = entry.partition("/")
        step = _number(step_text, 1, most, {}) if slash else 1
        if span == "*":
            low, high = least, most
        else:
            first, dash, last = span.partition("-")
            low = _number(first, least, most, names or {})
            high = _number(last, least, most, names or {}) if dash else (most if slash else low)
        if low > high:
            raise ValueError(f"Invalid range {span}: its start is after its end")
        values.update(range(low, high + 1, step))
    return frozenset(values)


def _number(text: str, least: int, most: int, names: dict[str, int]) -> int:
    named = names.get(text.upper())
    if named is not None:
        return named
    if not (text.isascii() and text.isdigit()):
        raise ValueError(
            f"`{text}` is not a number between {least} and {most}" + (" or a name" if names else "")
        )
    number = int(text)
    if not least <= number <= most:
        raise ValueError(f"Value {number} not in range [{least}, {most}]")
    return number
