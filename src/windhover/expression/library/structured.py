"""Filters and functions that read and write JSON, YAML and Ion, and query with jq and JSONata."""

from __future__ import annotations

import json as json_module

from windhover.expression.errors import EvaluationError
from windhover.expression.registry import Example, filter_, function
from windhover.expression.scope import Frame
from windhover.expression.values import to_json


def parse_json(text: str) -> object:
    """Strict JSON as data; raises ValueError."""

    def refuse(constant: str) -> object:
        raise ValueError(f"{constant} is not JSON")

    return json_module.loads(text, parse_constant=refuse)


@filter_(
    "toJson",
    "A value as JSON.",
    Example("{{ {'a': [1, true]} | toJson }}", '{"a":[1,true]}'),
    null_passes=False,
)
def to_json_filter(value: object) -> str:
    return to_json(value)


@filter_(
    "json",
    "A value as JSON.",
    Example("{{ [1, 2] | json }}", "[1,2]"),
    null_passes=False,
    replaced_by="toJson",
)
def json_filter(value: object) -> str:
    return to_json(value)


def _from_json(json: object) -> object:
    if json is None:
        return None
    if not isinstance(json, str):
        raise EvaluationError("The 'fromJson' function expects an argument 'json' with type string.")
    try:
        return parse_json(json)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"Invalid json: {error}") from None


@function("fromJson", "The data of a JSON text.", Example("{{ fromJson('[1, 2, 3]')[0] }}", "1"))
def from_json(json: object) -> object:
    return _from_json(json)


@function(
    "json", "The data of a JSON text.", Example("{{ json('{\"a\": 1}').a }}", "1"), replaced_by="fromJson"
)
def json_function(json: object) -> object:
    return _from_json(json)


@filter_(
    "yaml",
    "A value as YAML.",
    Example("{{ {'key': ['a', 1]} | yaml }}", "key:\n - a\n - 1\n"),
    null_passes=False,
)
def yaml_filter(value: object) -> str:
    from windhover.expression.yaml_text import write_yaml

    return write_yaml(value)


@function("yaml", "The data of a YAML text.", Example("{{ yaml('foo: [666, 1, 2]').foo[0] }}", "666"))
def yaml_function(yaml: object) -> object:
    from windhover.expression.yaml_text import read_yaml

    if not isinstance(yaml, str):
        raise EvaluationError("The 'yaml' function expects an argument 'yaml' with type string.")
    return read_yaml(yaml)


@filter_(
    "toIon",
    "A value as Ion text.",
    Example("{{ {'a': 1.5, 'b c': null} | toIon }}", "{a:1.5e0,'b c':null}"),
    null_passes=False,
)
def to_ion(value: object) -> str:
    from windhover.expression.ion_text import write_ion

    return write_ion(value)


@function(
    "fromIon",
    "The first value of an Ion text, or with `allRows` a list of all.",
    Example("{{ fromIon('{title: \"Main_Page\", views: 109787}').views }}", "109787"),
)
def from_ion(ion: object, all_rows: object = False) -> object:
    from windhover.expression.ion_text import read_ion

    if ion is None:
        return None
    if not isinstance(ion, str):
        raise EvaluationError("The 'fromIon' function expects an argument 'ion' with type string.")
    return read_ion(ion, all_rows=all_rows is True)


@filter_(
    "jq",
    "What a jq program makes of a value: always a list of its results. A text is read as JSON first.",
    Example("{{ [1, 2, 3] | jq('.[0]') | first }}", "1"),
    Example("{{ {'a': [{'n': 1}, {'n': 2}]} | jq('.a[].n') }}", "[1,2]"),
    needs_frame=True,
)
def jq(frame: Frame, value: object, expression: object) -> list[object]:
    from windhover.expression.jq_program import run_jq

    if not isinstance(expression, str):
        raise EvaluationError("The 'jq' filter expects an argument 'expression' with type string.")
    return run_jq(expression, _queried("jq", value), frame.budget)


@filter_(
    "jsonata",
    "What a JSONata program makes of a value: a single result as it is, several as a list, null for none. A "
    "text is read as JSON first. Not in the original.",
    Example("{{ {'items': [{'n': 1}, {'n': 2}]} | jsonata('$sum(items.n)') }}", "3"),
    Example("{{ {'a': [{'id': 1, 'ok': true}, {'id': 2}]} | jsonata('a[ok].id') }}", "1"),
    needs_frame=True,
)
def jsonata(frame: Frame, value: object, expression: object) -> object:
    from windhover.expression.jsonata_program import run_jsonata

    if not isinstance(expression, str):
        raise EvaluationError("The 'jsonata' filter expects an argument 'expression' with type string.")
    return run_jsonata(expression, _queried("jsonata", value), frame.budget)


def _queried(filter_name: str, value: object) -> object:
    """The value that a query language looks at: a text is JSON, a blank one null."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value) if value.strip() else None
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"The '{filter_name}' filter needs JSON: {error}") from None
