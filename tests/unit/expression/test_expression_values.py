"""What filters and operators make of values that are not what they usually get."""

from __future__ import annotations

from decimal import Decimal

import pytest

from windhover.expression import EvaluationError, Scope, compile_template

VARIABLES = {
    "number": 7,
    "huge": 123456789012345678901234567890,
    "none": None,
    "empty": "",
    "text": "hello",
    "items": [3, 1],
    "map": {"k": 1, "n": None},
    "date": "2013-09-08T16:19:12.123456+01:00",
}


def render(template: str) -> str:
    return compile_template(template).render(Scope(VARIABLES))


@pytest.mark.parametrize(
    "name",
    ["abbreviate(5)", "capitalize", "title", "trim", "nl2br", "split(',')", "urlencode", "base64decode"],
)
def test_filter_of_texts_refuses_a_number(name: str) -> None:
    with pytest.raises(EvaluationError, match="expects a text, not java"):
        render("{{ number | " + name + " }}")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ number | startsWith('7') }}", "false"),
        ("{{ none > 1 }} {{ 1 <= none }}", "false false"),
        ("{% filter trim %}{{ items }}{{ none }}{% endfilter %}", "[3, 1]"),
        ("{% macro m(a) %}{{ a }}{% endmacro %}{{ m(items) }}", "[3, 1]"),
        ("{{ 1 isIn number }} {{ 'a' isIn true }}", "false false"),
        ("{{ none | merge([9]) }}", "[9]"),
        ("{{ none | distinct }}", "null"),
        ("{{ min(none, 7, 3) }} {{ max(7, none) }}", "3 7"),
        ("{{ empty | nindent(2) }}", ""),
        ("{{ empty | yaml }}", '--- ""\n'),
        ("{{ empty | jq('.') }}", "[null]"),
        ("{{ empty is json }}", "true"),
        ("{{ map | jq('keys') }}", '[["k"]]'),
        ("{{ {'a': [1.0, 100.5, 3]} | jq('.a[]') }}", "[1.0,100.5,3]"),
        ("{{ '[1.0, 1e2]' | jq('map(. * 2), .') }}", "[[2,200],[1.0,100.0]]"),
        ("{{ '[1.0]' | jq('.[0] # the first') }}", "[1.0]"),
        ("{{ huge | numberFormat('#,##0') }}", "123,456,789,012,345,678,901,234,567,890"),
        ('{{ "a#{items}#{none}b" }}', "a[3, 1]b"),
        ("{{ {'a: b': 1} | yaml }}", "'a: b': 1\n"),
        ("{{ yaml('a: 1\n---\nb: 2') }}", '{"a":1}'),
        ("{{ block('unknown') }}", ""),
        ("{{ printContext().text }}", "hello"),
    ],
)
def test_value_of_another_kind(template: str, text: str) -> None:
    assert render(template) == text


@pytest.mark.parametrize(
    "template", ["{{ none | abs }}", "{{ empty | first }}", "{{ none | startsWith('a') }}"]
)
def test_value_that_is_refused(template: str) -> None:
    with pytest.raises(EvaluationError):
        render(template)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ text.length }} {{ items.size }} {{ map.size }}", "5 2 2"),
        ("{{ text.empty }} {{ text.toUpperCase }} {{ number.doubleValue }}", "false HELLO 7.0"),
        ("{{ map.k }}", "1"),
    ],
)
def test_properties_of_values(template: str, text: str) -> None:
    assert render(template) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ date | date('g') }}", "56543"),
        ("{{ date | date('ppppd') }}", "   8"),
        ("{{ date | date('') }}", ""),
        ("{{ date | date('e w', locale='fr') }}", "1 37"),
        ("{{ date | dateAdd(1.5, 'DAYS', 'iso_local_date') }}", "2013-09-09"),
        ("{{ '2024-W01-1' | date('yyyy-MM-dd', existingFormat='iso_week_date') }}", "2024-01-01"),
        ("{{ date | timestamp | className }}", "java.lang.Long"),
    ],
)
def test_date_formats(template: str, text: str) -> None:
    assert render(template) == text


@pytest.mark.parametrize("pattern", ["p yyyy", "pyyyy"])
def test_padding_that_cannot_be(pattern: str) -> None:
    with pytest.raises(EvaluationError, match=r"[Pp]ad"):
        render("{{ date | date('" + pattern + "') }}")


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ none }}{{ number }}", 7),
        ("{{ none }}{{ none }}", None),
        ("{{ none }}{{ items }}", [3, 1]),
        ("{{ none }}a{{ none }}", "a"),
        ("{{ number }}{{ number }}", "77"),
    ],
)
def test_nulls_beside_a_value_do_not_make_it_a_text(template: str, value: object) -> None:
    assert compile_template(template).evaluate(Scope(VARIABLES)) == value


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("a", "12.30"),
        ("a + 2", "14.3"),
        ("a - a", "0.0"),
        ("a * 2", "24.60"),
        ("a * 2.5", "30.75"),
        ("a * a", "151.29"),
        ("2 / a", "0.1626016260162601626016260162601626"),
        ("a % 5", "2.3"),
        ("million * 10 + 1", "10000001.0"),
        ("exact + 1", "100000000000000000001.5"),
    ],
)
def test_decimals_calculate_as_their_doubles_print_and_lose_nothing(expression: str, printed: str) -> None:
    scope = Scope(
        {"a": Decimal("12.30"), "million": Decimal("1000000"), "exact": Decimal("100000000000000000000.5")}
    )
    assert compile_template(f"{{{{ {expression} }}}}").render(scope) == printed


@pytest.mark.parametrize("expression", ["huge + 1", "1 - huge", "huge * 0", "a / 0", "a % 0"])
def test_calculations_with_decimals_that_have_no_result(expression: str) -> None:
    scope = Scope({"a": Decimal("1.5"), "huge": Decimal("1e400")})
    with pytest.raises(EvaluationError, match="Could not perform"):
        compile_template(f"{{{{ {expression} }}}}").render(scope)
