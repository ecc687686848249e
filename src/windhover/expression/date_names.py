"""Names of months, days and zones, and the weeks of a locale: English here, other locales from CLDR data."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from windhover.expression.errors import EvaluationError

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ABBREVIATED_ZONES = {
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "MST": "America/Denver",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "CET": "Europe/Paris",
    "CEST": "Europe/Paris",
    "BST": "Europe/London",
}


class DateNames:
    """English names; weeks begin on Sunday and the first of a year is the one with January 1."""

    first_weekday = 6
    min_first_days = 1

    def months(self, month: int, *, standalone: bool = False) -> tuple[str, str, str]:
        """Abbreviation, name and initial of a month (1 to 12)."""
        name = _MONTHS[month - 1]
        return name[:3], name, name[0]

    def weekdays(self, weekday: int) -> tuple[str, str, str]:
        """Abbreviation, name and initial of a weekday (0 is Monday)."""
        name = _WEEKDAYS[weekday]
        return name[:3], name, name[0]

    def quarters(self, quarter: int) -> tuple[str, str, str]:
        name = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")[quarter - 1]
        return f"Q{quarter}", name, str(quarter)

    def day_periods(self) -> tuple[tuple[str, bool], ...]:
        """The words for the halves of the day, and whether they mean the second."""
        return ("AM", False), ("PM", True)

    def day_period(self, clock: datetime) -> str:
        return self.day_periods()[clock.hour >= 12][0]

    def day_part(self, clock: datetime) -> str:
        if clock.hour == 0 and clock.minute == 0:
            return "midnight"
        if clock.hour == 12 and clock.minute == 0:
            return "noon"
        for end, name in (
            (6, "at night"),
            (12, "in the morning"),
            (18, "in the afternoon"),
            (21, "in the evening"),
        ):
            if clock.hour < end:
                return name
        return "at night"

    def era(self, count: int) -> str:
        return {4: "Anno Domini", 5: "A"}.get(count, "AD")

    def zone(self, clock: datetime, *, long: bool) -> str:
        """Short or long name of the zone of a moment."""
        name = clock.tzname() or ""
        if getattr(clock.tzinfo, "key", None) is None:
            from windhover.expression.moments import offset_text

            return offset_text(clock, "+HH:MM", "Z")
        if name and name[0] in "+-" and not long:
            from windhover.expression.moments import offset_text

            return "GMT" + offset_text(clock, "+HH:MM", "")
        if name and not long:
            return name
        return zone_display_name(clock, "en_US", long=long)

    def zone_id(self, name: str) -> str:
        """The zone that a name in a text means."""
        return _ABBREVIATED_ZONES.get(name, name)

    def localised(self, clock: datetime, style: str) -> str:
        """Date and time in one of the styles full, long, medium and short."""
        return _localised(clock, style, "en_US")

    def weekday_number(self, clock: datetime) -> int:
        """Day of the week, counted from 1 at the locale's first."""
        return (clock.weekday() - self.first_weekday) % 7 + 1

    def _first_week(self, year: int) -> date:
        new_year = date(year, 1, 1)
        start = new_year - timedelta(days=(new_year.weekday() - self.first_weekday) % 7)
        if 7 - (new_year - start).days < self.min_first_days:
            start += timedelta(days=7)
        return start

    def week_year(self, clock: datetime) -> int:
        """The year that the week belongs to."""
        day, year = clock.date(), clock.year
        if year < 9999 and day >= self._first_week(year + 1):
            return year + 1
        return year if day >= self._first_week(year) else year - 1

    def week_of_year(self, clock: datetime) -> int:
        return (clock.date() - self._first_week(self.week_year(clock))).days // 7 + 1

    def week_of_month(self, clock: datetime) -> int:
        first = clock.replace(day=1).date()
        start = first - timedelta(days=(first.weekday() - self.first_weekday) % 7)
        if 7 - (first - start).days < self.min_first_days:
            start += timedelta(days=7)
        return (clock.date() - start).days // 7 + 1


class _LocalisedNames(DateNames):
    """Names of a locale other than English."""

    def __init__(self, locale: str) -> None:
        from babel import Locale, UnknownLocaleError

        try:
            self._locale = Locale.parse(locale.replace("-", "_"))
        except (ValueError, UnknownLocaleError, TypeError):
            raise EvaluationError(f"Unknown locale: {locale}") from None
        if self._locale.territory:  # a language alone has no calendar of its own: weeks count as in English
            self.first_weekday = self._locale.first_week_day
            self.min_first_days = self._locale.min_week_days

    def months(self, month: int, *, standalone: bool = False) -> tuple[str, str, str]:
        forms = self._locale.months["stand-alone" if standalone else "format"]
        return forms["abbreviated"][month], forms["wide"][month], forms["narrow"][month]

    def weekdays(self, weekday: int) -> tuple[str, str, str]:
        forms = self._locale.days["format"]
        return forms["abbreviated"][weekday], forms["wide"][weekday], forms["narrow"][weekday]

    def quarters(self, quarter: int) -> tuple[str, str, str]:
        forms = self._locale.quarters["format"]
        return forms["abbreviated"][quarter], forms["wide"][quarter], str(quarter)

    def day_periods(self) -> tuple[tuple[str, bool], ...]:
        forms = self._locale.day_periods["format"]["abbreviated"]
        return (forms["am"], False), (forms["pm"], True)

    def era(self, count: int) -> str:
        return str(self._locale.eras["wide" if count == 4 else "abbreviated"][1])

    def zone(self, clock: datetime, *, long: bool) -> str:
        if getattr(clock.tzinfo, "key", None) is None:
            return super().zone(clock, long=long)
        return zone_display_name(clock, str(self._locale), long=long)

    def localised(self, clock: datetime, style: str) -> str:
        return _localised(clock, style, str(self._locale))


def zone_display_name(clock: datetime, locale: str, *, long: bool) -> str:
    """A zone's name in a locale, from CLDR data."""
    from babel.dates import get_timezone_name

    return str(get_timezone_name(clock, width="long" if long else "short", locale=locale))


def _localised(clock: datetime, style: str, locale: str) -> str:
    from babel.dates import format_datetime

    if style in ("full", "long"):
        # CLDR joins a full or long date to its time with "at", and babel's zone names follow the same data.
        return str(format_datetime(clock, style, tzinfo=clock.tzinfo, locale=locale))
    return str(format_datetime(clock, style, tzinfo=clock.tzinfo, locale=locale))


@lru_cache(maxsize=64)
def names_of(locale: str | None) -> DateNames:
    """The names of a locale such as ``fr`` or ``fr-FR``; English without one. Raises EvaluationError."""
    if locale is None or locale in ("", "en", "en-US", "en_US"):
        return DateNames()
    return _LocalisedNames(locale)
