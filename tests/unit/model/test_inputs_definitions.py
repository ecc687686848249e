"""What the definition of an input or an output may say, and the words in which it is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from windhover.model.inputs import (
    FlowOutput,
    FormInput,
    ReusableInputs,
    expand_reusable,
    parse_input,
)
from windhover.model.inputs.graph import dependency_order, flatten, input_problems, output_problems


def refusals(raw: object) -> list[tuple[str, str]]:
    """The places (without the type) and messages of what is wrong with an input."""
    with pytest.raises(ValidationError) as caught:
        parse_input(raw)
    return [(".".join(map(str, error["loc"][1:])), error["msg"]) for error in caught.value.errors()]


def inputs(*raw: dict[str, Any]) -> list[Any]:
    return [parse_input({"type": "STRING", **one}) for one in raw]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"id": "i", "type": "FOO"}, "Invalid type: FOO"),
        ({"id": "i", "type": "string"}, "Invalid type: string"),
        ({"id": "i"}, "Invalid type: null"),
        ({"id": "i", "type": None}, "Invalid type: null"),
        ({"id": "i", "type": ["STRING"]}, "Invalid type: ['STRING']"),
        ({"id": "a b", "type": "STRING"}, 'must match "^[a-zA-Z0-9][.a-zA-Z0-9_-]*"'),
        ({"id": "-a", "type": "STRING"}, 'must match "^[a-zA-Z0-9][.a-zA-Z0-9_-]*"'),
        ({"id": "", "type": "STRING"}, "must not be blank"),
        ({"id": "i", "type": "JSON", "jsonSchema": 5}, "a JSON Schema is an object"),
        (
            {"id": "i", "type": "JSON", "jsonSchema": {"type": "nope"}},
            "$.type: 'nope' is not valid under any of the given schemas",
        ),
        ({"id": "i", "type": "STRING", "validator": "["}, "invalid pattern [[]"),
        ({"id": "i", "type": "ARRAY", "itemType": "ARRAY"}, "`itemType` cannot be ARRAY"),
        ({"id": "i", "type": "ARRAY", "itemType": "SELECT"}, "`itemType` cannot be SELECT"),
        ({"id": "i", "type": "ARRAY", "itemType": "SECRET"}, "`itemType` cannot be SECRET"),
        ({"id": "i", "type": "MULTISELECT", "itemType": "MULTISELECT"}, "`itemType` cannot be MULTISELECT"),
        ({"id": "i", "type": "DATE", "after": "2024"}, "Text '2024' could not be parsed at index 4"),
        (
            {"id": "i", "type": "TIME", "before": "25:00"},
            "Text '25:00' could not be parsed: Invalid value for HourOfDay (valid values 0 - 23): 25",
        ),
        (
            {"id": "i", "type": "STRING", "required": False, "defaults": "x"},
            "Inputs with a default value must be required, since the default is always applied.",
        ),
        (
            {"id": "i", "type": "SELECT", "required": False, "autoSelectFirst": True, "values": ["x"]},
            "Inputs with a default value must be required, since the default is always applied.",
        ),
        (
            {"id": "i", "type": "STRING", "prefill": "y", "defaults": "x"},
            "Inputs with a default value cannot also have a prefill.",
        ),
        (
            {"id": "i", "type": "FILE", "defaults": "x"},
            "inputs of type 'FILE' only support `defaults` as local files using a file URI"
            " or as namespace files using a nsfile URI",
        ),
    ],
)
def test_refused_definitions_say_why_in_known_words(raw: dict[str, Any], message: str) -> None:
    assert [text for _, text in refusals(raw)] == [message]


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"id": "i", "type": "ENUM"}, "values"),
        ({"id": "i", "type": "ARRAY"}, "itemType"),
        ({"id": "i", "type": "REUSABLE_INPUTS"}, "ref"),
        ({"type": "STRING"}, "id"),
        ({"id": "i", "type": "STRING", "foo": 1}, "foo"),
        ({"id": "i", "type": "ENUM", "values": ["x"], "allowCustomValue": True}, "allowCustomValue"),
    ],
)
def test_missing_and_unknown_properties_are_found_at_their_place(raw: dict[str, Any], place: str) -> None:
    assert [where for where, _ in refusals(raw)] == [place]


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "SELECT"},
        {"type": "SELECT", "values": ["x"], "defaults": "not among them"},
        {"type": "MULTISELECT", "values": ["x"], "options": ["y"]},
        {"type": "INT", "defaults": "abc"},
        {"type": "INT", "min": 1.5, "max": "7"},
        {"type": "STRING", "required": None, "defaults": "x"},
        {"type": "DURATION", "min": 10, "max": "PT1H"},
        {"type": "FILE", "defaults": "{{ 'nsfile:///x' }}"},
        {"type": "STRING", "validator": "(?<n>a)\\k<n>\\Q.\\E[a-z&&[^b]]"},
    ],
)
def test_what_the_original_lets_pass_passes(raw: dict[str, Any]) -> None:
    assert parse_input({"id": "i", **raw}).id == "i"


def test_name_is_the_old_word_for_id() -> None:
    assert parse_input({"name": "old", "type": "STRING"}).id == "old"
    assert parse_input({"name": "old", "id": "new", "type": "STRING"}).id == "new"


def test_bare_numbers_and_booleans_among_values_are_text() -> None:
    select = parse_input({"id": 7, "type": "SELECT", "values": [1, True, 1.5, "x"]})
    assert select.id == "7"
    assert select.values == ("1", "true", "1.5", "x")  # type: ignore[union-attr]


def test_bounds_are_written_back_as_they_are_read() -> None:
    definition = {
        "id": "i",
        "type": "DATETIME",
        "after": "2024-01-01T00:00:00Z",
        "before": "2024-12-31T00:00:00.5Z",
    }
    assert parse_input(definition).model_dump(mode="json", by_alias=True, exclude_unset=True) == {
        **definition,
        "before": "2024-12-31T00:00:00.500Z",
    }


def test_a_form_holds_inputs_but_no_form() -> None:
    form = {"id": "f", "type": "FORM", "inputs": [{"id": "x", "type": "INT"}]}
    assert list(flatten([parse_input(form)])) == ["f", "f.x"]
    nested = {"id": "f", "type": "FORM", "inputs": [form]}
    assert refusals(nested) == [("inputs.0", "Invalid type: FORM")]


def test_reusable_inputs_become_a_form_of_the_same_id() -> None:
    reference = parse_input(
        {"id": "r", "type": "REUSABLE_INPUTS", "ref": "common", "dependsOn": {"inputs": ["a"]}}
    )
    assert isinstance(reference, ReusableInputs)
    form = expand_reusable(reference, [{"id": "x", "type": "INT"}])
    assert isinstance(form, FormInput)
    assert (form.id, form.inputs[0].id, form.depends_on) == ("r", "x", reference.depends_on)


def test_outputs_need_a_type_and_a_value() -> None:
    with pytest.raises(ValidationError) as caught:
        FlowOutput.model_validate({"id": "o"})
    assert {error["loc"] for error in caught.value.errors()} == {("type",), ("value",)}
    assert FlowOutput.model_validate({"id": "o", "type": "INT", "value": 0}).required is None


def test_duplicates_are_named_once() -> None:
    flow_inputs = inputs({"id": "b"}, {"id": "a"}, {"id": "a"}, {"id": "b"}, {"id": "c"})
    assert input_problems(flow_inputs) == ["Duplicate input with name [a, b]"]
    outputs = [FlowOutput(id="o", type="INT", value=1), FlowOutput(id="o", type="INT", value=2)]
    assert output_problems(outputs) == ["Duplicate output with name [o]"]


def test_dependencies_must_exist_and_have_no_circle() -> None:
    def depending(id: str, *on: str) -> dict[str, Any]:
        return {"id": id, "dependsOn": {"inputs": list(on)}}

    assert input_problems(inputs(depending("i", "zz"))) == [
        "Input with id 'i' depends on a non-existent input 'zz'."
    ]
    assert input_problems(inputs(depending("i", "j"), depending("j", "i"))) == [
        "Cycle dependency detected for input with id 'i': [i, j]",
        "Cycle dependency detected for input with id 'j': [j, i]",
    ]
    assert input_problems(inputs(depending("d", "a"), depending("a", "b"), depending("b", "a")))[0] == (
        "Cycle dependency detected for input with id 'd': [a, b]"
    )
    assert input_problems(inputs(depending("a", "c"), depending("b", "c"), {"id": "c"})) == []


def test_inputs_come_after_those_they_depend_on_even_in_a_circle() -> None:
    declared = flatten(
        inputs(
            {"id": "c", "dependsOn": {"inputs": ["b"]}},
            {"id": "b", "dependsOn": {"inputs": ["a"]}},
            {"id": "a"},
            {"id": "x", "dependsOn": {"inputs": ["y"]}},
            {"id": "y", "dependsOn": {"inputs": ["x"]}},
        )
    )
    assert [flat.id for flat in dependency_order(declared)] == ["a", "b", "c", "y", "x"]


def test_a_long_chain_of_dependencies_is_no_trouble() -> None:
    chain = inputs(
        *({"id": f"i{n}", "dependsOn": {"inputs": [f"i{n + 1}"]}} for n in range(3000)), {"id": "i3000"}
    )
    assert dependency_order(flatten(chain))[0].id == "i3000"
