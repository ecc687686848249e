"""Date formats: the named ones and Java's DateTimeFormatter patterns, for printing and reading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from windhover.expression.date_names import DateNames, names_of
from windhover.expression.errors import EvaluationError
from windhover.expression.moments import Moment, offset_text, parse_iso, zone_of

NAMED_PATTERNS = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_milli": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_milli": "yyyy-MM-dd HH:mm:ss.SSS",
    "sql_sec": "yyyy-MM-dd HH:mm:ss",
    "sql_seq": "yyyy-MM-dd HH:mm:ss",
}
STANDARD_FORMATS = (
    "iso_date_time",
    "iso_date",
    "iso_time",
    "iso_local_date",
    "iso_local_date_time",
    "iso_local_time",
    "iso_instant",
    "iso_offset_time",
    "iso_ordinal_date",
    "iso_week_date",
    "iso_zoned_date_time",
    "rfc_1123_date_time",
)
LOCALISED_FORMATS = ("full", "long", "medium", "short")

_LETTERS = frozenset("GuyDMLdQqYwWEecFaBhKkHmsSAnNVvzOXxZg")


@dataclass(frozen=True, slots=True)
class Field:
    """A pattern letter repeated ``count`` times; ``text`` is literal text if ``letter`` is empty.

    ``width`` is what a printed field is filled up to with blanks, 0 for fields that are not.
    """

    letter: str
    count: int
    text: str = ""
    width: int = 0


def format_moment(moment: Moment, format_name: str, locale: str | None = None) -> str:
    """A moment in a named format or a Java pattern. Raises EvaluationError for a malformed pattern."""
    if format_name in STANDARD_FORMATS:
        return _format_standard(moment, format_name)
    names = names_of(locale)
    if format_name in LOCALISED_FORMATS:
        return names.localised(moment.clock, format_name)
    return "".join(
        _padded(_format_field(moment, field, names), field.width)
        for field in parse_pattern(NAMED_PATTERNS.get(format_name, format_name))
    )


@lru_cache(maxsize=512)
def parse_pattern(pattern: str) -> tuple[Field, ...]:
    """The fields of a Java pattern; the brackets of optional sections are fields with that letter."""
    fields: list[Field] = []
    index = width = 0
    while index < len(pattern):
        character = pattern[index]
        if character.isascii() and character.isalpha():
            end = index
            while end < len(pattern) and pattern[end] == character:
                end += 1
            if character == "p":
                width, index = end - index, end
                if pattern[end : end + 1] not in _LETTERS:
                    raise EvaluationError(f"Pad letter 'p' must be followed by valid pad pattern: {pattern}")
                continue
            if character not in _LETTERS:
                raise EvaluationError(f"Unknown pattern letter: {character}")
            fields.append(Field(character, end - index, width=width))
            index, width = end, 0
        elif character == "'":
            if pattern.startswith("''", index):
                fields.append(Field("", 0, "'"))
                index += 2
                continue
            literal = re.compile(r"'((?:[^']|'')*)'").match(pattern, index)
            if literal is None:
                raise EvaluationError(f"Pattern ends with an incomplete string literal: {pattern}")
            fields.append(Field("", 0, literal[1].replace("''", "'")))
            index = literal.end()
        elif character in "[]":
            fields.append(Field(character, 0))
            index += 1
        elif character in "{}#":
            raise EvaluationError(f"Pattern includes reserved character: '{character}'")
        else:
            fields.append(Field("", 0, character))
            index += 1
    return tuple(fields)


# -- printing --------------------------------------------------------------------------------------------


def _padded(text: str, width: int) -> str:
    if width and len(text) > width:
        raise EvaluationError(
            f"Cannot print as output of {len(text)} characters exceeds pad width of {width}"
        )
    return text.rjust(width)


def _format_field(moment: Moment, field: Field, names: DateNames) -> str:
    letter, count = field.letter, field.count
    if not letter:
        return field.text
    if letter in "[]":
        return ""
    clock = moment.clock
    if letter in "yuY":
        year = clock.year if letter != "Y" else names.week_year(clock)
        return f"{year % 100:02}" if count == 2 else f"{year:0{count}}"
    if letter in "ML":
        return _number_or_name(clock.month, count, names.months(clock.month, standalone=letter == "L"))
    if letter in "Qq":
        quarter = (clock.month + 2) // 3
        return _number_or_name(quarter, count, names.quarters(quarter))
    if letter in "Eec":
        return _format_weekday(clock, letter, count, names)
    if letter in "VvzOXxZ":
        return _format_zone(moment, letter, count, names)
    if letter == "S":
        return f"{moment.nano:09}"[:count].ljust(count, "0")
    if letter == "a":
        return names.day_period(clock)
    if letter == "B":
        return names.day_part(clock)
    if letter == "G":
        return names.era(count)
    return f"{_number(moment, letter, names):0{count}}"


#: Days from the epoch of modified Julian days, 1858-11-17, to the day before 0001-01-01.
_MODIFIED_JULIAN_DAY_OF_ORDINAL_ZERO = -678576


def _number(moment: Moment, letter: str, names: DateNames) -> int:
    clock = moment.clock
    midnight_seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
    numbers = {
        "d": clock.day,
        "D": clock.timetuple().tm_yday,
        "H": clock.hour,
        "k": clock.hour or 24,
        "K": clock.hour % 12,
        "h": clock.hour % 12 or 12,
        "m": clock.minute,
        "s": clock.second,
        "n": moment.nano,
        "A": midnight_seconds * 1000 + moment.nano // 1_000_000,
        "N": midnight_seconds * 1_000_000_000 + moment.nano,
        "w": names.week_of_year(clock),
        "W": names.week_of_month(clock),
        "F": (clock.day - 1) // 7 + 1,
        "g": clock.toordinal() + _MODIFIED_JULIAN_DAY_OF_ORDINAL_ZERO,
    }
    return numbers[letter]


def _number_or_name(number: int, count: int, forms: tuple[str, str, str]) -> str:
    """A field that is a number up to two letters, then an abbreviation, a name or a single letter."""
    if count <= 2:
        return f"{number:0{count}}"
    return forms[min(count, 5) - 3]


def _format_weekday(clock: datetime, letter: str, count: int, names: DateNames) -> str:
    if letter != "E" and count <= 2:
        return f"{names.weekday_number(clock):0{count}}"
    return names.weekdays(clock.weekday())[min(max(count, 3), 5) - 3]


def _format_zone(moment: Moment, letter: str, count: int, names: DateNames) -> str:
    clock = moment.clock
    if letter == "V":
        return moment.zone_name
    if letter in "zv":
        return names.zone(clock, long=count == 4)
    if letter == "O":
        offset = offset_text(clock, "+HH:MM", "Z")
        if offset == "Z":
            return "GMT"
        return "GMT" + (offset if count == 4 else re.sub(r"^([+-])0", r"\1", offset).removesuffix(":00"))
    if letter == "Z":
        if count == 4:
            return _format_zone(moment, "O", 4, names)
        return offset_text(clock, "+HH:MM:ss", "Z") if count == 5 else offset_text(clock, "+HHMM", "")
    pattern = ("+HHmm", "+HHMM", "+HH:MM", "+HHMMss", "+HH:MM:ss")[min(count, 5) - 1]
    return offset_text(clock, pattern, "Z" if letter == "X" else "")


def _fraction(nano: int) -> str:
    return f".{nano:09}".rstrip("0") if nano else ""


def _format_standard(moment: Moment, name: str) -> str:
    clock = moment.clock
    day = f"{clock.year:04}-{clock.month:02}-{clock.day:02}"
    moment_time = f"{clock:%H:%M:%S}{_fraction(moment.nano)}"
    offset = offset_text(clock, "+HH:MM:ss", "Z")
    if name in ("iso_date_time", "iso_zoned_date_time"):
        zone = f"[{clock.tzinfo.key}]" if hasattr(clock.tzinfo, "key") else ""  # type: ignore[union-attr]
        return f"{day}T{moment_time}{offset}{zone}"
    if name == "iso_week_date":
        year, week, weekday = clock.isocalendar()
        return f"{year:04}-W{week:02}-{weekday}{offset}"
    if name == "rfc_1123_date_time":
        names = names_of(None)
        zone = "GMT" if offset == "Z" else offset_text(clock, "+HHMM", "")
        weekday_name, month = names.weekdays(clock.weekday())[0], names.months(clock.month)[0]
        return f"{weekday_name}, {clock.day} {month} {clock.year:04} {clock:%H:%M:%S} {zone}"
    if name == "iso_instant":
        return _format_instant(moment)
    return {
        "iso_date": day + offset,
        "iso_time": moment_time + offset,
        "iso_local_date": day,
        "iso_local_date_time": f"{day}T{moment_time}",
        "iso_local_time": moment_time,
        "iso_offset_time": moment_time + offset,
        "iso_ordinal_date": f"{clock.year:04}-{clock.timetuple().tm_yday:03}{offset}",
    }[name]


def _format_instant(moment: Moment) -> str:
    clock = moment.in_zone(zone_of("Z")).clock
    nano = moment.nano
    digits = 0 if not nano else 3 if not nano % 1_000_000 else 6 if not nano % 1000 else 9
    fraction = "." + f"{nano:09}"[:digits] if digits else ""
    return f"{clock.year:04}-{clock:%m-%dT%H:%M:%S}{fraction}Z"


# -- reading ---------------------------------------------------------------------------------------------


def parse_moment(text: str, format_name: str, zone: tzinfo, locale: str | None = None) -> Moment:
    """A moment read from a text in a named format or a Java pattern.

    What the text does not say is midnight, and the given zone. Raises EvaluationError.
    """
    if format_name == "rfc_1123_date_time":
        return _Reader(text, "[EEE, ]d MMM yyyy HH:mm[:ss] z", names_of(None)).moment(zone)
    if format_name == "iso_ordinal_date":
        return _Reader(text, "yyyy-DDD[XXX]", names_of(None)).moment(zone)
    if format_name == "iso_week_date":
        return _parse_week_date(text, zone)
    if format_name in STANDARD_FORMATS:
        return parse_iso(text, zone)
    pattern = NAMED_PATTERNS.get(format_name, format_name)
    return _Reader(text, pattern, names_of(locale)).moment(zone)


def _parse_week_date(text: str, zone: tzinfo) -> Moment:
    match = re.fullmatch(r"(\d{4})-W(\d\d)-([1-7])(Z|[+-]\d\d:\d\d)?", text)
    if match is None:
        raise EvaluationError(f"Text '{text}' could not be parsed as a week date such as 2024-W01-1")
    try:
        day = datetime.fromisocalendar(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as error:
        raise EvaluationError(f"Text '{text}' could not be parsed as a week date: {error}") from None
    return Moment(day.replace(tzinfo=zone_of(match[4]) if match[4] else zone))


class _Reader:
    """Reads one text by one pattern."""

    def __init__(self, text: str, pattern: str, names: DateNames) -> None:
        self._text = text
        self._pattern = pattern
        self._names = names
        self._index = 0
        self._values: dict[str, Any] = {}

    def moment(self, zone: tzinfo) -> Moment:
        fields = parse_pattern(self._pattern)
        if not self._read(fields) or self._index != len(self._text):
            raise self._failure(f"at index {self._index}")
        values = self._values
        try:
            return self._resolve(values, values.get("zone", zone))
        except (ValueError, OverflowError) as error:
            raise self._failure(str(error)) from None

    def _failure(self, reason: str) -> EvaluationError:
        return EvaluationError(f"Text '{self._text}' could not be parsed {reason}, format '{self._pattern}'")

    def _resolve(self, values: dict[str, Any], zone: tzinfo) -> Moment:
        if "epoch" in values:
            raise ValueError("epoch fields cannot be read")
        if "year" not in values:
            raise ValueError("there is no date in it")
        hour = values.get("hour")
        if hour is None:
            hour = values.get("hour12", 0) % 12 + (12 if values.get("afternoon") else 0)
        if "day_of_year" in values:
            clock = datetime(values["year"], 1, 1) + timedelta(days=values["day_of_year"] - 1)
        else:
            clock = datetime(values["year"], values.get("month", 1), values.get("day", 1))
        clock = clock.replace(
            hour=hour % 24, minute=values.get("minute", 0), second=values.get("second", 0), tzinfo=zone
        )
        return Moment(clock, values.get("nano", 0))

    def _read(self, fields: tuple[Field, ...]) -> bool:
        position = 0
        while position < len(fields):
            field = fields[position]
            if field.letter == "[":
                end = _closing(fields, position)
                index, values = self._index, dict(self._values)
                if not self._read(fields[position + 1 : end]):
                    self._index, self._values = index, values
                position = end + 1
                continue
            adjacent = position + 1 < len(fields) and fields[position + 1].letter in "yuMdHhkKmsSDnN"
            if field.letter != "]" and not self._read_field(
                field, bool(adjacent and fields[position + 1].letter)
            ):
                return False
            position += 1
        return True

    def _read_field(self, field: Field, adjacent: bool) -> bool:
        letter, count = field.letter, field.count
        if not letter:
            if not self._text.startswith(field.text, self._index):
                return False
            self._index += len(field.text)
            return True
        if letter in "yuY":
            return self._read_year(count, adjacent)
        if letter in "ML" and count > 2:
            return self._read_name(
                "month", [self._names.months(m)[min(count, 5) - 3] for m in range(1, 13)], 1
            )
        if letter in "Eec":
            return self._read_name(
                "weekday", [self._names.weekdays(d)[min(max(count, 3), 5) - 3] for d in range(7)], 0
            )
        if letter == "a":
            return self._read_day_period()
        if letter == "S":
            return self._read_fraction(count)
        if letter in "VvzOXxZ":
            return self._read_zone(letter)
        if letter in "GQqBwWFg":
            raise EvaluationError(f"The pattern letter '{letter}' cannot be read from a text")
        key = {
            "M": "month", "L": "month", "d": "day", "D": "day_of_year", "H": "hour", "k": "hour", "h":
            "hour12", "K": "hour12", "m": "minute", "s": "second", "n": "nano", "A": "epoch", "N": "epoch",
        }[letter]  # fmt: skip
        return self._read_number(key, count, adjacent)

    def _read_digits(self, least: int, most: int) -> str | None:
        match = re.compile(rf"[0-9]{{{least},{most}}}").match(self._text, self._index)
        if match is None:
            return None
        self._index = match.end()
        return match[0]

    def _read_number(self, key: str, count: int, adjacent: bool) -> bool:
        digits = self._read_digits(count, count if adjacent or count > 1 else 19)
        if digits is None:
            return False
        self._values[key] = int(digits)
        return True

    def _read_year(self, count: int, adjacent: bool) -> bool:
        if count == 2:
            digits = self._read_digits(2, 2)
            year = 2000 + int(digits) if digits else 0
        else:
            digits = self._read_digits(count, count if adjacent else 9)
            year = int(digits) if digits else 0
        if digits:
            self._values["year"] = year
        return digits is not None

    def _read_name(self, key: str, forms: list[str], first: int) -> bool:
        rest = self._text[self._index :]
        for number, form in sorted(enumerate(forms), key=lambda item: -len(item[1])):
            if rest.startswith(form):
                self._values[key] = number + first
                self._index += len(form)
                return True
        return False

    def _read_day_period(self) -> bool:
        for form, afternoon in self._names.day_periods():
            if self._text.startswith(form, self._index):
                self._values["afternoon"] = afternoon
                self._index += len(form)
                return True
        return False

    def _read_fraction(self, count: int) -> bool:
        digits = self._read_digits(count, count)
        if digits is None:
            return False
        self._values["nano"] = int(digits.ljust(9, "0")[:9])
        return True

    def _read_zone(self, letter: str) -> bool:
        match = re.compile(r"(?:GMT|UTC)?[+-]\d{1,2}(?::?\d\d(?::?\d\d)?)?|[A-Za-z][A-Za-z0-9_~/+-]*").match(
            self._text, self._index
        )
        if match is None:
            return False
        self._index = match.end()
        self._values["zone"] = zone_of(self._names.zone_id(match[0]))
        return True


def _closing(fields: tuple[Field, ...], start: int) -> int:
    depth = 0
    for position in range(start, len(fields)):
        depth += {"[": 1, "]": -1}.get(fields[position].letter, 0)
        if depth == 0:
            return position
    return len(fields)
