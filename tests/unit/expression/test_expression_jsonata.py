"""The jsonata filter: what it gives, and that no program gets out of hand."""

from __future__ import annotations

import pytest

from windhover.expression import (
    EvaluationError,
    ExpressionError,
    LimitExceededError,
    Limits,
    Scope,
    compile_template,
)

ORDERS = {"orders": [{"n": 1, "open": True}, {"n": 2}, {"n": 4}]}


def render(program: str, value: object = ORDERS, **limits: float) -> object:
    scope = Scope({"value": value, "program": program}, limits=Limits(**limits))  # type: ignore[arg-type]
    return compile_template("{{ value | jsonata(program) }}").evaluate(scope)


@pytest.mark.parametrize(
    ("program", "result"),
    [
        ("$sum(orders.n)", 7),
        ("orders.n", [1, 2, 4]),
        ("orders[open].n", 1),
        ("orders[n > 9]", None),
        ("orders[open]{$string(n): open}", {"1": True}),
        ("$map(orders.n, function($n) { $n * 2 })", [2, 4, 8]),
        ("[1..3]", [1, 2, 3]),
        ("$replace('abc', /b/, 'x')", "axc"),
    ],
)
def test_results(program: str, result: object) -> None:
    assert render(program) == result


def test_text_is_read_as_json() -> None:
    assert render("a", '{"a": "x"}') == "x"
    with pytest.raises(EvaluationError, match="'jsonata' filter needs JSON"):
        render("a", "{")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("(", r"'\('.*Expected"),
        ("$unknown(1)", "non-function"),
        ("$sum", "function, not data"),
        ("function($x) { $x }", "function, not data"),
    ],
)
def test_failures_name_the_program(program: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        render(program)


@pytest.mark.parametrize(
    "program",
    [
        "($f := function($n) { $f($n + 1) }; $f(1))",
        "($f := function($n) { 1 + $f($n + 1) }; $f(1))",
        "$reduce([1..40], function($a, $b) { $a & $a }, 'aaaaaaaaaa')",
        "$pad('x', 4000000000)",
        "$count([1..100000].[1..10000000])",
    ],
)
def test_program_without_end_is_stopped(program: str) -> None:
    with pytest.raises(LimitExceededError):
        render(program, max_seconds=0.8)


def test_regular_expression_without_end_is_stopped() -> None:
    with pytest.raises(LimitExceededError):
        render("$contains(text, /(a|aa)+$/)", {"text": "a" * 60 + "!"}, regex_seconds=0.05)
