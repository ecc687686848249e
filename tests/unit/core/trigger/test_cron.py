"""Cron expressions are read as Unix reads them."""

import pytest

from windhover.core.cron import parse_cron


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("5 * * * *", "minutes", {5}),
        ("*/20 * * * *", "minutes", {0, 20, 40}),
        ("10-20/5 * * * *", "minutes", {10, 15, 20}),
        ("50/4 * * * *", "minutes", {50, 54, 58}),
        ("1,3-5 * * * *", "minutes", {1, 3, 4, 5}),
        ("0 */6 * * *", "hours", {0, 6, 12, 18}),
        ("0 0 */10 * *", "days", {1, 11, 21, 31}),
        ("0 0 1 JAN-MAR,dec *", "months", {1, 2, 3, 12}),
        ("0 0 * * SUN", "days_of_week", {0}),
        ("0 0 * * 7", "days_of_week", {0}),
        ("0 0 * * 5-7", "days_of_week", {0, 5, 6}),
        ("@hourly", "minutes", {0}),
        ("@WEEKLY", "days_of_week", {0}),
        ("@yearly", "months", {1}),
    ],
)
def test_fields_allow_their_values(text: str, field: str, values: set[int]) -> None:
    assert getattr(parse_cron(text), field) == values


def test_seconds_come_first() -> None:
    expression = parse_cron("*/30 1 2 * * *", with_seconds=True)

    assert expression.seconds == {0, 30}
    assert expression.minutes == {1}
    assert parse_cron("1 2 * * *").seconds == {0}
    assert parse_cron("@daily", with_seconds=True).seconds == {0}


def test_days_and_weekdays_are_told_apart_from_any() -> None:
    expression = parse_cron("0 0 1 * *")

    assert (expression.any_day, expression.any_weekday) == (False, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains 0 parts"),
        ("60 * * * *", r"Value 60 not in range \[0, 59\]"),
        ("* 24 * * *", r"Value 24 not in range \[0, 23\]"),
        ("* * 0 * *", r"Value 0 not in range \[1, 31\]"),
        ("* * * 13 *", r"Value 13 not in range \[1, 12\]"),
        ("* * * * 8", r"Value 8 not in range \[0, 7\]"),
        ("* * * * FRI-MON", "Invalid range FRI-MON"),
        ("22-6 * * * *", "Invalid range 22-6"),
        ("*/0 * * * *", r"Value 0 not in range \[1, 59\]"),
        ("1, * * * *", "`` is not a number"),
        ("-1 * * * *", "`` is not a number"),
        ("x * * * *", "`x` is not a number between 0 and 59"),
        ("* * * MAY-XXX *", "or a name"),
        ("* * L * *", "`L` is not a number"),
        ("@never", "contains 1 parts"),
        ("٣ * * * *", "is not a number"),
    ],
)
def test_what_is_wrong_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_cron(text)
