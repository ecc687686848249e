"""Functions of the calendar. They take the date as it is written, whatever its offset."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

from windhover.expression.errors import EvaluationError
from windhover.expression.moments import parse_iso
from windhover.expression.registry import Example, function
from windhover.expression.values import is_list

_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_POSITIONS = ("FIRST", "SECOND", "THIRD", "FOURTH", "LAST")


def _written(name: str, value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if not isinstance(value, str):
        raise EvaluationError(f"The '{name}' function expects an argument 'date' that is a date.")
    try:
        return parse_iso(value, UTC).clock
    except EvaluationError as error:
        raise EvaluationError(f"The '{name}' function expects a date: {error}") from None


@function(
    "dayOfWeek", "The day of the week.", Example("{{ dayOfWeek('2025-01-06') }}", "MONDAY"), since="2.0"
)
def day_of_week(date: object) -> str:
    return _WEEKDAYS[_written("dayOfWeek", date).weekday()]


@function(
    "dayOfMonth", "The day of the month, from 1.", Example("{{ dayOfMonth('2025-01-06') }}", "6"), since="2.0"
)
def day_of_month(date: object) -> int:
    return _written("dayOfMonth", date).day


@function("monthOfYear", "The month, from 1.", Example("{{ monthOfYear('2025-12-06') }}", "12"), since="2.0")
def month_of_year(date: object) -> int:
    return _written("monthOfYear", date).month


@function(
    "hourOfDay",
    "The hour, from 0.",
    Example("{{ hourOfDay('2025-01-06T14:30:00+02:00') }}", "14"),
    since="2.0",
)
def hour_of_day(date: object) -> int:
    if isinstance(date, str) and not re.search(r"[Tt]", date):
        raise EvaluationError("The 'hourOfDay' function expects a date with a time.")
    return _written("hourOfDay", date).hour


@function(
    "isWeekend",
    "Whether a date is a Saturday or Sunday.",
    Example("{{ isWeekend('2025-01-04') }}", "true"),
    since="2.0",
)
def is_weekend(date: object) -> bool:
    return _written("isWeekend", date).weekday() >= 5


@function(
    "isDayWeekInMonth",
    "Whether a date is the FIRST, SECOND, THIRD, FOURTH or LAST of a weekday in its month.",
    Example("{{ isDayWeekInMonth('2025-01-06', 'MONDAY', 'FIRST') }}", "true"),
    since="2.0",
)
def is_day_week_in_month(date: object, day_of_week: object, position: object) -> bool:
    day = _written("isDayWeekInMonth", date)
    weekday = day_of_week.upper() if isinstance(day_of_week, str) else ""
    place = position.upper() if isinstance(position, str) else ""
    if weekday not in _WEEKDAYS:
        raise EvaluationError(
            f"The 'isDayWeekInMonth' function expects a weekday, one of {', '.join(_WEEKDAYS)}."
        )
    if place not in _POSITIONS:
        raise EvaluationError(
            f"The 'isDayWeekInMonth' function expects a position, one of {', '.join(_POSITIONS)}."
        )
    if _WEEKDAYS[day.weekday()] != weekday:
        return False
    if place == "LAST":
        return day.day + 7 > monthrange(day.year, day.month)[1]
    return (day.day - 1) // 7 == _POSITIONS.index(place)


@function(
    "isLastWorkingDay",
    "Whether a date is the last working day of its month; working days are MONDAY to FRIDAY unless listed.",
    Example(
        "{{ isLastWorkingDay('2025-08-29') }} {{ isLastWorkingDay('2025-08-30', ['FRIDAY', 'SATURDAY']) }}",
        "true true",
    ),
    since="2.0",
)
def is_last_working_day(date: object, working_days: object = _WEEKDAYS[:5]) -> bool:
    day = _written("isLastWorkingDay", date)
    listed = working_days if is_list(working_days) or isinstance(working_days, tuple) else [working_days]
    names = {name.upper() if isinstance(name, str) else "" for name in listed}
    if not names or not names.issubset(_WEEKDAYS):
        raise EvaluationError(
            f"The 'isLastWorkingDay' function expects weekdays as working days, of {', '.join(_WEEKDAYS)}."
        )
    last = day.replace(day=monthrange(day.year, day.month)[1])
    while _WEEKDAYS[last.weekday()] not in names:
        last -= timedelta(days=1)
    return day.day == last.day


@function(
    "isPublicHoliday",
    "Whether a date is a public holiday of a country (ISO 3166-1) or a part of it "
    "(ISO 3166-2, with or without the country).",
    Example(
        "{{ isPublicHoliday('2025-07-04', 'US') }} {{ isPublicHoliday('2025-01-06', 'DE', 'DE-BY') }}",
        "true true",
    ),
    since="2.0",
)
def is_public_holiday(date: object, country_code: object, sub_division: object = None) -> bool:
    import holidays

    day = _written("isPublicHoliday", date)
    if not isinstance(country_code, str):
        raise EvaluationError("The 'isPublicHoliday' function expects a text as argument 'countryCode'.")
    if sub_division is not None and not isinstance(sub_division, str):
        raise EvaluationError("The 'isPublicHoliday' function expects a text as argument 'subDivision'.")
    country = country_code.upper()
    part = sub_division.upper().removeprefix(country + "-") if sub_division else None
    try:
        return day.date() in holidays.country_holidays(country, subdiv=part, years=day.year)
    except NotImplementedError:
        place = f"{country}-{part}" if part else country
        raise EvaluationError(f"There is no calendar of holidays for '{place}'.") from None


@function(
    "isDateBetween",
    "Whether a date lies between two others, both excluded.",
    Example(
        "{{ isDateBetween('2025-01-02T00:00:00Z', '2025-01-01T00:00:00Z', '2025-01-03T00:00:00Z') }}", "true"
    ),
    since="2.0",
)
def is_date_between(date: object, after: object, before: object) -> bool:
    moments: list[datetime] = []
    for value in (date, after, before):
        moment = _written("isDateBetween", value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moments.append(moment)
    return moments[1] < moments[0] < moments[2]
