"""The property types of the SDK read what flows write."""

from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from windhover.plugin.types import (
    DateTime,
    DateTimeText,
    Duration,
    LocalTime,
    OffsetTime,
    StatesText,
    TimeZone,
    TimeZoneText,
    WrittenDuration,
)

PARIS_SUMMER = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Duration, 90, timedelta(seconds=90)),
        (Duration, "PT0.5S", timedelta(milliseconds=500)),
        (Duration, "P1DT2H", timedelta(hours=26)),
        (Duration, timedelta(seconds=1), timedelta(seconds=1)),
        (DateTime, "2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        (DateTime, "2024-05-01T10:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=PARIS_SUMMER)),
        (DateTime, "2024-05-01T10:00:00+02:00[Europe/Paris]", datetime(2024, 5, 1, 8, tzinfo=UTC)),
        (DateTime, "2024-05-01T10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        (DateTime, "2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        (LocalTime, "09:30:00", time(9, 30)),
        (OffsetTime, "09:30:00+02:00", time(9, 30, tzinfo=PARIS_SUMMER)),
        (TimeZone, "Europe/Paris", "Europe/Paris"),
        (TimeZone, "UTC+2", "UTC+2"),
        (TimeZone, "Z", "Z"),
        (WrittenDuration, "PT1M", timedelta(minutes=1)),
        (WrittenDuration, 90, timedelta(seconds=90)),
        (DateTimeText, "{{ trigger.date }}", "{{ trigger.date }}"),
        (DateTimeText, "2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        (TimeZoneText, "{{ inputs.zone }}", "{{ inputs.zone }}"),
        (StatesText, ["SUCCESS", "{{ x }}"], ("SUCCESS", "{{ x }}")),
        (StatesText, "{{ states }}", "{{ states }}"),
    ],
)
def test_values_are_read(annotation: Any, text: object, value: object) -> None:
    assert TypeAdapter(annotation).validate_python(text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        (Duration, "P1DT", "`P1DT` is not an ISO-8601 duration"),
        (Duration, "5 minutes", "`5 minutes` is not an ISO-8601 duration such as PT30S"),
        (Duration, [5], r"`\[5\]` is not an ISO-8601 duration"),
        (DateTime, "tomorrow", "`tomorrow` is not a date and time with a zone"),
        (DateTime, "2024-05-01T10:00:00Z[Mars/Base]", "is not a date and time with a zone"),
        (LocalTime, "25:00", "`25:00` is not a time of day"),
        (OffsetTime, "09:30:00", "`09:30:00` is not a time of day with an offset"),
        (TimeZone, "Mars/Base", r"timezone '\(Mars/Base\)' is not a valid time-zone ID"),
        (TimeZone, "../../etc/passwd", "is not a valid time-zone ID"),
        (WrittenDuration, "soon", 'Cannot deserialize value of type `java.time.Duration` from String "soon"'),
        (DateTimeText, "tomorrow", "`tomorrow` is not a date and time with a zone"),
        (TimeZoneText, "Mars/Base", "is not a valid time-zone ID"),
        (StatesText, ["DONE"], "must be one of CREATED, SUBMITTED,"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_would_be_right(
    annotation: Any, text: object, message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(annotation).validate_python(text)
