"""Tests: what may stand behind ``is`` and ``is not``."""

from __future__ import annotations

import json as json_module
from collections.abc import Set

from windhover.expression.errors import EvaluationError
from windhover.expression.library.collections import is_empty
from windhover.expression.registry import Example, test_
from windhover.expression.values import is_integer, is_list, is_map


@test_(
    "defined",
    "The variable exists and is not null.",
    Example("{{ missing is defined }} {{ x is defined }}", "false true", {"x": 1}),
    lenient=True,
)
def defined(value: object) -> bool:
    return value is not None


@test_("null", "The value is null.", Example("{{ null is null }}", "true"))
def null(value: object) -> bool:
    return value is None


@test_(
    "empty",
    "Null, blank text, or a list or map without elements.",
    Example("{{ [] is empty }} {{ 0 is empty }}", "true false"),
)
def empty(value: object) -> bool:
    return is_empty(value)


def _parity(value: object, name: str) -> int:
    if not is_integer(value):
        raise EvaluationError(f"The '{name}' test expects an integer.")
    return value % 2


@test_("even", "An even integer.", Example("{{ 2 is even }}", "true"))
def even(value: object) -> bool:
    return _parity(value, "even") == 0


@test_("odd", "An odd integer.", Example("{{ 3 is odd }}", "true"))
def odd(value: object) -> bool:
    return _parity(value, "odd") == 1


@test_("iterable", "A list; a map is not iterable.", Example("{{ [1] is iterable }}", "true"))
def iterable(value: object) -> bool:
    return is_list(value) or isinstance(value, Set)


@test_("map", "A map.", Example("{{ {'apple': 'red'} is map }}", "true"))
def map_(value: object) -> bool:
    return is_map(value)


@test_("json", "A text that is valid JSON, or blank.", Example("{{ '{\"a\": 1}' is json }}", "true"))
def json(value: object) -> bool:
    if not isinstance(value, str):
        raise EvaluationError("The 'json' test expects a text.")
    if not value.strip():
        return True
    try:
        json_module.loads(value)
    except (ValueError, RecursionError):
        return False
    return True
