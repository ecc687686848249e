"""Outputs of a flow: rendered, typed, left out or refused."""

from typing import Any

import pytest

from windhover.engine.encryption import SecretCipher
from windhover.engine.inputs import FlowOutputError, ResolvedOutputs, resolve_outputs
from windhover.expression import Scope, render_value
from windhover.model.inputs import FlowOutput

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Renderer:
    scope = Scope({"outputs": {"t": {"map": {"a": 1}, "list": [1, "x"], "null": None}}})

    def render(self, template: Any) -> Any:
        return render_value(template, self.scope)

    def evaluate(self, template: Any) -> Any:
        return render_value(template, self.scope, typed=True)


def resolve(*definitions: dict[str, Any], **options: Any) -> ResolvedOutputs:
    outputs = [FlowOutput.model_validate({"id": "o", **definition}) for definition in definitions]
    return resolve_outputs(outputs, Renderer(), **options)


@pytest.mark.parametrize(
    ("type_", "value", "result"),
    [
        ("STRING", 5, "5"),
        ("STRING", "", ""),
        ("STRING", "{{ outputs.t.list }} items", '[1,"x"] items'),
        ("STRING", {"a": "{{ 1 + 1 }}"}, '{"a":"2"}'),
        ("INT", "{{ 6 * 7 }}", 42),
        ("FLOAT", "1.50", 1.5),
        ("BOOL", "{{ 1 == 1 }}", True),
        ("BOOL", "maybe", False),
        ("JSON", "{{ outputs.t.map }}", {"a": 1}),
        ("JSON", [1, "{{ 2 }}"], [1, "2"]),
        ("JSON", '{"a": null, "b": [null, {"c": null}]}', {"b": [None, {}]}),
        ("ARRAY", "{{ outputs.t.list }}", [1, "x"]),
        ("MULTISELECT", '["a"]', ["a"]),
        ("YAML", "a: 1", {"a": 1}),
        ("DATETIME", "2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
        ("DATETIME", "2024-01-02T03:04:05.25Z", "2024-01-02T03:04:05.250Z"),
        ("DATETIME", "2024-01-02T03:04:05.000001Z", "2024-01-02T03:04:05.000001Z"),
        ("DURATION", "PT1H30M", 5400.0),
        ("TIME", "10:15", "10:15:00"),
        ("FILE", "kestra:///x", "kestra:///x"),
    ],
)
def test_outputs_have_the_declared_type(type_: str, value: Any, result: Any) -> None:
    assert resolve({"type": type_, "value": value}).values == {"o": result}


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        ("INT", "abc", 'Invalid value for output `o`. Cause: For input string: "abc"'),
        ("INT", "{{ 7.9 }}", 'Invalid value for output `o`. Cause: For input string: "7.9"'),
        ("URI", "foo", "Invalid value for output `o`. Cause: Invalid URI format."),
        ("STRING", "{{ nope }}", "Unable to find `nope` used in the expression `{{ nope }}` at line 1"),
    ],
)
def test_an_output_that_cannot_be_had_fails_all(type_: str, value: Any, reason: str) -> None:
    with pytest.raises(FlowOutputError) as caught:
        resolve({"id": "before", "type": "STRING", "value": "x"}, {"type": type_, "value": value})
    assert str(caught.value) == f"Failed to render output values: {reason}"


def test_an_optional_output_is_left_out_with_a_warning() -> None:
    resolved = resolve(
        {"type": "INT", "value": "{{ nope }}", "required": False}, {"id": "p", "type": "STRING", "value": "w"}
    )
    assert resolved.values == {"p": "w"}
    assert resolved.warnings == ["Failed to render optional flow output 'o'. Output is ignored."]


def test_an_optional_output_of_the_wrong_type_is_an_error_all_the_same() -> None:
    with pytest.raises(FlowOutputError, match="For input string"):
        resolve({"type": "INT", "value": "abc", "required": False})


def test_null_is_no_output() -> None:
    null = {"type": "STRING", "value": "{{ outputs.t.null }}"}
    assert resolve({**null, "required": False}) == ResolvedOutputs({})
    assert resolve({"type": "JSON", "value": "null"}).values == {}
    with pytest.raises(FlowOutputError, match="it is null"):
        resolve(null)


def test_outputs_that_are_too_large_are_refused_together() -> None:
    small, large = {"id": "small", "type": "STRING", "value": "x"}, {"type": "STRING", "value": "y" * 200}
    assert resolve(small, large, maximum=300).values.keys() == {"small", "o"}
    with pytest.raises(
        FlowOutputError, match="they are 205 bytes of JSON, more than the limit of 200; `o` alone"
    ):
        resolve(small, large, maximum=200)


def test_ids_with_dots_stay_as_they_are() -> None:
    assert resolve({"id": "n.o", "type": "INT", "value": 4}).values == {"n.o": 4}


def test_secret_outputs_are_stored_encrypted() -> None:
    cipher = SecretCipher(KEY)
    secret = {"type": "SECRET", "value": "hidden"}
    assert cipher.decrypt(resolve(secret, encrypt=cipher.encrypt).values["o"]) == "hidden"
    with pytest.raises(FlowOutputError, match="no encryption key"):
        resolve(secret)
