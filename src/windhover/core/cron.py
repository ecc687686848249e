"""Cron expressions, as schedules write them.

Five fields (minute, hour, day of month, month, day of week), or six with the seconds first. A field is
``*`` or a list of values and ranges, each with an optional step; months and days of the week have names.
Days of the week count from Sunday, which is both 0 and 7. Ranges do not wrap around.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class CronExpression:
    """The values that each field allows. ``days_of_week`` counts from Sunday = 0.

    ``any_day`` and ``any_weekday`` tell a field ``*``: when both days are given, either may match.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    any_day: bool
    any_weekday: bool


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
