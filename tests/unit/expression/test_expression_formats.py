"""Dates, numbers, YAML, Ion and patterns come out as flows written for the original expect them."""

from __future__ import annotations

import pytest

from windhover.expression import ExpressionError, Scope, compile_template

_DATE = "2024-05-06T17:08:09Z"


def render(text: str, **variables: object) -> str:
    return compile_template(text).render(Scope(variables))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'full'", "Monday, May 6, 2024, 5:08:09\u202fPM Coordinated Universal Time"),
        ("'short'", "5/6/24, 5:08\u202fPM"),
        ("'EEEE d MMMM yyyy', locale='fr'", "lundi 6 mai 2024"),
        ("'EEE MMM', locale='de-DE'", "Mo. Mai"),
        ("'w W e c ww YYYY'", "19 2 2 2 19 2024"),
        ("'zzzz', timeZone='America/New_York'", "Eastern Daylight Time"),
        (
            "'z VV O OOOO Z ZZZZ ZZZZZ', timeZone='America/Sao_Paulo'",
            "GMT-03:00 America/Sao_Paulo GMT-3 GMT-03:00 -0300 GMT-03:00 -03:00",
        ),
        ("'QQQQ q G GGGG B'", "2nd quarter 2 AD Anno Domini in the afternoon"),
        ("'rfc_1123_date_time'", "Mon, 6 May 2024 17:08:09 GMT"),
        ("'iso_week_date'", "2024-W19-1Z"),
        ("'iso_ordinal_date'", "2024-127Z"),
        ("'iso_zoned_date_time', timeZone='UTC'", "2024-05-06T17:08:09Z[UTC]"),
        ("'z zzzz', timeZone='+02:00'", "+02:00 +02:00"),
        ("'h:mm a'", "5:08 PM"),
        ("\"h 'o''clock'\"", "5 o'clock"),
    ],
)
def test_date_patterns(arguments: str, expected: str) -> None:
    assert render(f"{{{{ d | date({arguments}) }}}}", d=_DATE) == expected


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("06/05/2024 07:08", "dd/MM/yyyy HH:mm", "2024-05-06T07:08:00.000000Z"),
        ("20240506", "yyyyMMdd", "2024-05-06T00:00:00.000000Z"),
        ("6 May 2024 5:08 PM", "d MMM yyyy h:mm a", "2024-05-06T17:08:00.000000Z"),
        ("2024-05-06 07:08:09.123 +02:00", "yyyy-MM-dd HH:mm:ss.SSS XXX", "2024-05-06T05:08:09.123000Z"),
        ("2024-05-06 07", "yyyy-MM-dd HH[:mm]", "2024-05-06T07:00:00.000000Z"),
        ("2024-127Z", "iso_ordinal_date", "2024-05-06T00:00:00.000000Z"),
    ],
)
def test_reading_dates(text: str, pattern: str, expected: str) -> None:
    assert render("{{ t | date(existingFormat=p) }}", t=text, p=pattern) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1378653552, "2013-09-08T15:19:12.000000Z"),
        (1378653552123, "2013-09-08T15:19:12.123000Z"),
        (1378653552123456789, "2013-09-08T15:19:12.123456Z"),
    ],
)
def test_epochs_are_told_apart_by_their_digits(number: int, expected: str) -> None:
    assert render("{{ n | date }}", n=number) == expected


def test_hours_pass_on_the_time_line_and_days_on_the_calendar() -> None:
    date = "2024-03-30T12:00:00[Europe/Paris]"
    text = "{{ '2024-03-30T12:00:00' | dateAdd(%s, timeZone='Europe/Paris') }}"
    assert render(text % "24, 'HOURS'", d=date) == "2024-03-31T13:00:00.000000+02:00"
    assert render(text % "1, 'DAYS'", d=date) == "2024-03-31T12:00:00.000000+02:00"


@pytest.mark.parametrize(
    ("number", "pattern", "expected"),
    [
        (5, "#", "5"),
        (0, "#", "0"),
        (0.5, "#.#", "0.5"),
        (0.5, ".00", ".50"),
        (-0.4, "0", "-0"),
        (0.125, "0.00", "0.12"),
        (0.375, "0.00", "0.38"),
        (12345.678, "##0.##E0", "12.346E3"),
        (0.00012, "0.00E00", "1.20E-04"),
        (1234567.5, "00.###E0", "12.346E5"),
        (0, "0.00E0", "0.00E0"),
        (-1234, "#,##0.00;(#,##0.00)", "(1,234.00)"),
        (1, "'#'0", "#1"),
        (1.5, "0.", "2."),
        (0.1234, "0.0‰", "123.4‰"),
        (12, "¤0", "$12"),
        (5, "0 units", "5 units"),
        (123456789012345678, "#,##0", "123,456,789,012,345,678"),
    ],
)
def test_number_patterns(number: float, pattern: str, expected: str) -> None:
    assert render("{{ n | numberFormat(p) }}", n=number, p=pattern) == expected


def test_single_precision_counts_as_what_it_prints() -> None:
    assert render('{{ ("12.3" | number) + 1 }}') == "13.3"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "yes", "b": "1", "c": "", "d": "~"}, 'a: "yes"\nb: 1\nc: ""\nd: "~"\n'),
        (
            {"a": " x", "b": "a: b", "c": "#x", "d": "- x", "e": "it's"},
            "a: ' x'\nb: \"a: b\"\nc: \"#x\"\nd: '- x'\ne: it's\n",
        ),
        (
            {"n": "a\nb", "o": "a\nb\n", "p": " a\nb"},
            '"n": |-\n  a\n  b\no: |\n  a\n  b\np: |2-\n   a\n  b\n',
        ),
        ([[1, 2], {"a": {"c": []}}, [[3]]], " -\n   - 1\n   - 2\n -\n  a:\n    c: []\n -\n   -\n     - 3\n"),
        ({"a": ["x\ny"]}, "a:\n - |-\n  x\n  y\n"),
        (
            {"tab": "a\tb", "é": "😀", "1": "012", "0x1": 1e10},
            'tab: "a\\tb"\né: 😀\n"1": \'012\'\n"0x1": 1.0E10\n',
        ),
        ("a\nb", "|-\n  a\n  b\n"),
    ],
)
def test_yaml(value: object, expected: str) -> None:
    assert render("{{ v | yaml }}", v=value) == expected


def test_reading_yaml() -> None:
    source = (
        "a: 2024-01-01\nb: 1_000\nc: 012\nd: on\ne: 12:30:00\n1: x\nf: 1e3\ng: 0o17\nh: -0x1F\ni: {k: ~}\n"
    )
    assert render("{{ yaml(s) }}", s=source) == (
        '{"a":"2024-01-01","b":1000,"c":10,"d":true,"e":"12:30:00","1":"x","f":1000.0,"g":"0o17","h":-31,"i":{}}'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a-b": 1, "$x": 2, "null": 3, "": None}, "{'a-b':1,$x:2,'null':3,'':null}"),
        ([1e10, 1e-5, 0.1, 100.0], "[1.0e10,1.0e-5,0.1e0,100e0]"),
        ('q"\n\\é', '"q\\"\\n\\\\é"'),
    ],
)
def test_ion(value: object, expected: str) -> None:
    assert render("{{ v | toIon }}", v=value) == expected


def test_reading_ion() -> None:
    source = "{a: 1.50, b: 0x10, c: sym, d: 2024T, e: 2024-04-21T23:00:00.000Z} 7"
    expected = '{"a":1.50,"b":16,"c":"sym","d":"2024-01-01","e":"2024-04-21T23:00:00Z"}'
    assert render("{{ fromIon(s) }}", s=source) == expected
    assert render("{{ fromIon(s, allRows=true) | last }}", s=source) == "7"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\w", "aé1", "xéx"),
        (r"(?i)a", "Aa", "xx"),
        (r".", "a\nb", "x\nx"),
        (r"(?s).", "a\nb", "xxx"),
        (r"\p{Lower}", "aB", "xB"),
        (r"\Qa.b\E", "a.b axb", "x axb"),
        (r"[a-z&&[^b]]", "abc", "xbx"),
        (r"a++b", "aab", "x"),
        (r"[\d-]", "1-a", "xxa"),
        (r"b$", "ab\n", "ax\n"),
    ],
)
def test_patterns_are_java_patterns(pattern: str, text: str, expected: str) -> None:
    assert render("{{ t | regexReplace(p, 'x') }}", t=text, p=pattern) == expected


def test_replacements_name_groups() -> None:
    assert render("{{ 'a1' | replace({'(?<n>[0-9])': '<${n}$1\\$>'}, regexp=true) }}") == "a<11$>"
    with pytest.raises(ExpressionError, match="No group 1"):
        render("{{ 'a' | replace({'a': '$1'}, regexp=true) }}")


@pytest.mark.parametrize(
    ("text", "pattern", "limit", "expected"),
    [
        ("a,b,,", ",", 0, '["a","b"]'),
        ("a,b,,", ",", -1, '["a","b","",""]'),
        ("a,b,c", ",", 2, '["a","b,c"]'),
        ("abc", "", 0, '["a","b","c"]'),
        ("a.b", ".", 0, "[]"),
        ("", ",", 0, '[""]'),
        (",a", ",", 0, '["","a"]'),
    ],
)
def test_split_drops_and_keeps_what_java_does(text: str, pattern: str, limit: int, expected: str) -> None:
    assert render("{{ t | split(p, n) }}", t=text, p=pattern, n=limit) == expected
