"""How the inputs of a flow are resolved together: order, conditions, nesting, secrets, all problems."""

from typing import Any

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from windhover.engine.encryption import SecretCipher, is_encrypted
from windhover.engine.inputs import (
    InputProblem,
    ResolvedInputs,
    ScopedRenderer,
    add_defaults,
    nest,
    resolve_inputs,
)
from windhover.engine.spill import StoredValue
from windhover.model.inputs import parse_input

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
RENDERER = ScopedRenderer({"flow": {"id": "f"}})


def resolve(definitions: list[dict[str, Any]], given: dict[str, Any] | None = None) -> ResolvedInputs:
    inputs = [parse_input({"type": "STRING", **definition}) for definition in definitions]
    return resolve_inputs(inputs, given or {}, RENDERER, workflow="ns.f", encrypt=SecretCipher(KEY).encrypt)


def test_all_that_is_wrong_is_told_at_once() -> None:
    resolved = resolve(
        [
            {"id": "a", "type": "INT"},
            {"id": "b"},
            {"id": "c", "type": "SECRET", "validator": "x+"},
            {"id": "d", "type": "INT"},
        ],
        {"a": "x", "c": "top secret", "d": "1"},
    )
    assert resolved.problems == [
        InputProblem("a", "x", 'Invalid value for input `a`. Cause: For input string: "x"'),
        InputProblem("b", None, "Missing required input:b"),
        InputProblem("c", "******", "Invalid value for input `c`. Cause: c: it must match the pattern `x+`"),
    ]


def test_optional_inputs_are_null_and_a_prefill_is_no_default() -> None:
    assert resolve([{"id": "a", "required": False, "prefill": "x"}]).values == {"a": None}
    assert resolve([{"id": "a", "prefill": "x"}]).problems[0].message == "Missing required input:a"


def test_a_value_for_what_is_switched_off_is_left_out_with_a_warning() -> None:
    definitions = [
        {"id": "a", "type": "BOOL", "defaults": False},
        {"id": "b", "dependsOn": {"inputs": ["a"], "condition": "{{ inputs.a }}"}},
    ]
    resolved = resolve(definitions, {"b": "x"})
    assert (resolved.values, resolved.problems) == ({"a": False}, [])
    assert resolved.warnings == [
        "Input b was provided but is switched off by `dependsOn`: its value is left out"
    ]


def test_undeclared_inputs_are_ignored_with_a_warning() -> None:
    resolved = resolve([{"id": "a"}], {"a": "1", "x": "2"})
    assert resolved.values == {"a": "1"}
    assert resolved.warnings == [
        "Input x was provided for workflow ns.f but isn't declared in the workflow inputs"
    ]


def test_dotted_ids_nest_and_may_be_given_nested() -> None:
    definitions = [{"id": "n.more.int", "type": "INT"}, {"id": "n.text"}, {"id": "plain"}]
    values = {"n": {"more": {"int": 1}, "text": "t"}, "plain": "p"}
    assert resolve(definitions, {"n.more.int": "1", "n.text": "t", "plain": "p"}).values == values
    assert resolve(definitions, values).values == values


def test_json_is_held_against_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"type": "integer"}},
    }
    definitions = [{"id": "j", "type": "JSON", "jsonSchema": schema}]
    assert resolve(definitions, {"j": '{"n": 1}'}).values == {"j": {"n": 1}}
    (problem,) = resolve(definitions, {"j": '{"n": "x"}'}).problems
    assert problem.message == (
        "Invalid value for input `j`. Cause: it must match the JSON schema: $.n: 'x' is not of type 'integer'"
    )


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"$ref": "http://127.0.0.1:1/s"}, "refers to `http://127.0.0.1:1/s`, which it does not hold"),
        ({"$ref": "#"}, "the schema refers to itself without end"),
        ({"$ref": "#/$defs/x"}, "refers to `/$defs/x`, which it does not hold"),
    ],
)
def test_a_schema_is_never_fetched_and_cannot_harm(schema: dict[str, Any], reason: str) -> None:
    (problem,) = resolve([{"id": "j", "type": "JSON", "jsonSchema": schema}], {"j": '"x"'}).problems
    assert reason in problem.message


def test_a_value_in_the_way_of_a_nested_id_loses_nothing() -> None:
    assert nest({"a.b": 1, "a": "x"}) == {"a": "x", "a.b": 1}
    assert nest({"a": None, "a.b": 1}) == {"a": {"b": 1}}
    given = {"c": 1}
    assert nest({"a": given, "a.b": 2}) == {"a": {"c": 1, "b": 2}}
    assert given == {"c": 1}


def test_an_input_sees_those_it_depends_on_wherever_they_are_written() -> None:
    definitions = [
        {"id": "b", "defaults": "{{ inputs.a }}!", "dependsOn": {"inputs": ["a"]}},
        {"id": "a", "defaults": "q"},
    ]
    assert resolve(definitions).values == {"b": "q!", "a": "q"}


def test_a_default_reads_only_the_inputs_it_depends_on() -> None:
    definitions = [
        {"id": "a", "defaults": "q"},
        {"id": "b", "defaults": "[{{ inputs.a }}] {{ inputs.a ?? 'none' }}"},
        {"id": "c", "defaults": "[{{ inputs.b }}] {{ inputs.a }}", "dependsOn": {"inputs": ["a"]}},
    ]
    assert resolve(definitions, {"a": "given"}).values == {"a": "given", "b": "[] none", "c": "[] given"}


def test_a_default_that_reads_an_optional_input_without_depending_on_it_is_refused() -> None:
    (problem,) = resolve(
        [{"id": "a", "required": False}, {"id": "b", "defaults": "{{ inputs.a }}"}], {"a": "given"}
    ).problems
    assert problem.id == "b"
    assert "Unable to find `a`" in problem.message


def test_choices_read_only_the_inputs_they_depend_on() -> None:
    definitions = [
        {"id": "a", "defaults": "x"},
        {"id": "b", "type": "SELECT", "expression": "{{ [inputs.a, 'y'] }}", "autoSelectFirst": True},
    ]
    assert resolve(definitions).values == {"a": "x", "b": "y"}


def test_inputs_asked_of_an_execution_read_all_that_it_has() -> None:
    asked = [
        parse_input({"id": "b", "type": "STRING", "defaults": "{{ inputs.a }}!"}),
        parse_input({"id": "c", "type": "STRING", "defaults": "{{ inputs.b ?? 'none' }}"}),
        parse_input({"id": "d", "type": "SELECT", "expression": "{{ [inputs.a] }}", "autoSelectFirst": True}),
    ]
    resolved = resolve_inputs(asked, {}, RENDERER, workflow="ns.f", around={"a": "x"})
    assert resolved.values == {"b": "x!", "c": "none", "d": "x"}


def test_a_dependency_without_value_switches_off_and_the_value_given_is_not_looked_at() -> None:
    definitions = [
        {"id": "a", "required": False},
        {"id": "b", "type": "INT", "dependsOn": {"inputs": ["a"]}},
        {"id": "c", "dependsOn": {"inputs": ["b"]}},
    ]
    resolved = resolve(definitions, {"b": "abc"})
    assert (resolved.values, resolved.problems) == ({"a": None}, [])
    assert [one.enabled for one in resolved.inputs] == [True, False, False]


def test_a_condition_holds_only_when_it_is_the_boolean_true() -> None:
    def is_asked(condition: str) -> bool:
        depends_on = {"inputs": ["a"], "condition": condition}
        return (
            "b"
            in resolve(
                [{"id": "a"}, {"id": "b", "defaults": "D", "dependsOn": depends_on}], {"a": "x"}
            ).values
        )

    assert is_asked("{{ inputs.a == 'x' }}")
    assert is_asked("{{ true }}")
    assert not any(map(is_asked, ["true", "{{ 'true' }}", "{{ 1 }}", "{{ inputs.a }}", ""]))


def test_a_condition_reads_only_the_inputs_it_lists() -> None:
    condition = {"condition": "{{ inputs.a == 'x' }}"}
    assert resolve([{"id": "a"}, {"id": "b", "dependsOn": condition}], {"a": "x"}).values == {"a": "x"}


def test_a_condition_that_cannot_be_rendered_leaves_its_input_out_and_says_so() -> None:
    resolved = resolve([{"id": "a", "dependsOn": {"condition": "{{ nope }}"}}])
    assert (resolved.values, resolved.problems) == ({}, [])
    assert "Unable to find `nope`" in resolved.warnings[0]


def test_choices_may_depend_on_another_input() -> None:
    definitions = [
        {"id": "a", "type": "SELECT", "values": ["x", "y"]},
        {"id": "b", "type": "SELECT", "expression": "{{ [inputs.a ~ 1] }}", "dependsOn": {"inputs": ["a"]}},
    ]
    resolved = resolve(definitions, {"a": "y", "b": "x1"})
    assert resolved.problems[0].message.endswith("it must match the values `[y1]`")
    assert [one.options for one in resolved.inputs] == [("x", "y"), ("y1",)]


def test_members_of_a_form_are_values_below_its_id() -> None:
    definitions = [
        {"id": "flag", "type": "BOOL"},
        {
            "id": "form",
            "type": "FORM",
            "dependsOn": {"inputs": ["flag"], "condition": "{{ inputs.flag }}"},
            "inputs": [
                {"id": "n", "type": "INT"},
                {"id": "m", "type": "INT", "defaults": 2, "dependsOn": {"inputs": ["form.n"]}},
            ],
        },
    ]
    given = {"flag": "true", "form.n": "1"}
    assert resolve(definitions, given).values == {"flag": True, "form": {"n": 1, "m": 2}}
    assert resolve(definitions, {"flag": True, "form": {"n": 1}}).values["form"] == {"n": 1, "m": 2}
    assert resolve(definitions, {"flag": "false"}).values == {"flag": False}
    assert [one.id for one in resolve(definitions, {"flag": "true"}).problems] == ["form.n"]


def test_reusable_inputs_that_were_not_put_in_are_a_problem() -> None:
    resolved = resolve([{"id": "r", "type": "REUSABLE_INPUTS", "ref": "common"}], {"r": "x"})
    assert [problem.message for problem in resolved.problems] == [
        "The reusable inputs `common` were not found"
    ]


def test_secrets_are_stored_encrypted_and_shown_masked() -> None:
    resolved = resolve([{"id": "s", "type": "SECRET"}], {"s": "hidden"})
    stored = resolved.values["s"]
    assert is_encrypted(stored)
    assert SecretCipher(KEY).decrypt(stored) == "hidden"
    assert resolved.inputs[0].value == "******"
    assert resolve([{"id": "s", "type": "SECRET"}], resolved.values).values["s"] == stored


@pytest.mark.parametrize("type_", ["STRING", "SECRET", "JSON", "YAML", "URI"])
def test_text_that_is_no_unicode_is_refused(type_: str) -> None:
    assert len(resolve([{"id": "s", "type": type_}], {"s": "a\ud800"}).problems) == 1


def test_secrets_are_refused_without_a_key() -> None:
    secret = parse_input({"id": "s", "type": "SECRET"})
    (problem,) = resolve_inputs([secret], {"s": "hidden"}, RENDERER, workflow="ns.f").problems
    assert "no encryption key is configured" in problem.message
    assert problem.value == "******"


def test_defaults_of_inputs_that_an_execution_lacks_can_be_read() -> None:
    inputs = [
        parse_input({"id": "a", "type": "INT", "defaults": 1}),
        parse_input({"id": "b", "type": "STRING", "defaults": "{{ flow.id }}!"}),
        parse_input({"id": "c", "type": "STRING", "defaults": "x"}),
        parse_input({"id": "d", "type": "STRING", "defaults": "{{ nope }}"}),
        parse_input({"id": "e.f", "type": "STRING", "defaults": "g"}),
    ]
    assert add_defaults(inputs, {"c": "given"}, RENDERER) == {
        "c": "given",
        "a": 1,
        "b": "f!",
        "e": {"f": "g"},
    }


def test_a_default_that_an_execution_lacks_reads_no_other_input() -> None:
    definition = {"id": "b", "type": "STRING", "dependsOn": {"inputs": ["c"]}}
    inputs = [
        parse_input({**definition, "defaults": "{{ inputs.c }}!"}),
        parse_input({"id": "c", "type": "STRING", "defaults": "x"}),
    ]
    assert add_defaults(inputs, {"c": "given"}, RENDERER) == {"c": "given"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TRICKY = """
    null [] {} PT1S P1D -PT0.5S 2024-01-02 0000-01-01 10:15 9999-12-31T23:59:59-18:00
    0001-01-01T00:00:00+18:00 9999-12-31T24:00:00Z 2024-01-02T00:00:00+99:99 http://[ : % &a *a {{ [[ 1e999
"""
RAW = JSON | st.text() | st.sampled_from(["", "\ud800", *TRICKY.split()])
PLAIN_TYPES = """
    STRING INT FLOAT BOOL BOOLEAN SELECT MULTISELECT DATETIME DATE TIME DURATION
    FILE JSON YAML URI SECRET EMAIL
"""
ITEM_TYPES = "STRING INT FLOAT BOOL DATETIME DATE TIME DURATION FILE JSON YAML URI EMAIL"
EVERY_TYPE: list[dict[str, Any]] = [
    *({"id": type_.lower(), "type": type_} for type_ in PLAIN_TYPES.split()),
    *({"id": f"array.{item}", "type": "ARRAY", "itemType": item} for item in ITEM_TYPES.split()),
    {"id": "enum", "type": "ENUM", "values": ["a"]},
    {"id": "bounded_int", "type": "INT", "min": 1, "max": 5},
    {"id": "bounded_date", "type": "DATE", "after": "2020-01-01", "before": "2030-01-01"},
    {"id": "bounded_time", "type": "TIME", "after": "10:00", "before": "11:00"},
    {"id": "bounded_instant", "type": "DATETIME", "after": "2020-01-01T00:00:00Z"},
    {"id": "bounded_span", "type": "DURATION", "min": "PT1S"},
    {"id": "pattern", "type": "STRING", "validator": "[a-z]+"},
    {"id": "file_of_kind", "type": "FILE", "allowedFileExtensions": [".csv"]},
    {"id": "expression", "type": "SELECT", "expression": "{{ inputs.json }}"},
    {"id": "depending", "dependsOn": {"inputs": ["json"], "condition": "{{ inputs.json }}"}},
    {"id": "form", "type": "FORM", "inputs": [{"id": "x", "type": "INT"}]},
    {"id": "reusable", "type": "REUSABLE_INPUTS", "ref": "x"},
]
IDS = st.sampled_from([definition["id"] for definition in EVERY_TYPE]) | st.text(max_size=5)


@settings(max_examples=300, deadline=None)
@for_all(st.dictionaries(IDS, RAW, max_size=40))
def test_whatever_is_given_only_problems_come_out(given: dict[str, Any]) -> None:
    resolved = resolve(EVERY_TYPE, given)
    assert all(problem.message for problem in resolved.problems)
    msgspec.json.encode(resolved.values)


@settings(max_examples=200, deadline=None)
@for_all(RAW, st.sampled_from(EVERY_TYPE[:31]))
def test_an_accepted_value_is_accepted_again(raw: Any, definition: dict[str, Any]) -> None:
    """A replay gives the stored inputs of one execution to the next."""
    first = resolve([{**definition, "required": False}], {str(definition["id"]): raw})
    if not first.problems and not first.warnings:
        again = resolve([{**definition, "required": False}], first.values)
        if definition["type"] not in ("JSON", "YAML"):  # text among those is read once more
            assert (again.values, again.problems) == (first.values, [])


def test_a_value_that_imitates_a_stored_one_is_refused() -> None:
    """Whoever reads it would be given any file of the tenant."""
    imitation = {"deep": StoredValue("kestra:///other/flow/secret.json", 5).marker()}
    resolved = resolve([{"id": "a", "type": "JSON"}], {"a": imitation})
    assert [problem.id for problem in resolved.problems] == ["a"]
    assert "io.windhover.datatype:stored" in resolved.problems[0].message
