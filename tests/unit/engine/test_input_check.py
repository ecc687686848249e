"""What can be said of inputs before anybody starts the flow."""

from __future__ import annotations

from pathlib import Path

import pytest

from windhover.engine.input_check import input_problems
from windhover.model.problem import Problem
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def problems(*inputs: str) -> list[Problem]:
    source = "id: f\nnamespace: n\ninputs:\n" + "".join(f"  - {{id: i, {one}}}\n" for one in inputs)
    tasks = "tasks:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}\n"
    return list(input_problems(parse_flow(source + tasks, shared_registry())))


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ("type: INT, defaults: many", 'For input string: "many"'),
        ("type: INT, defaults: 50, max: 10", "it must be less than `10`"),
        ("type: SELECT, values: [a, b], defaults: c", "it must match the values `[a, b]`"),
        ("type: STRING, validator: '[a-z]+', defaults: A", "it must match the pattern `[a-z]+`"),
        ("type: DATE, defaults: soon", "Text 'soon' could not be parsed"),
    ],
)
def test_a_default_that_would_be_refused(written: str, cause: str) -> None:
    (problem,) = problems(written)
    assert problem.message.startswith("The default of input `i` would be refused. Cause: ")
    assert cause in problem.message
    assert (problem.path, problem.line) == ("inputs[0].defaults", 4)
    assert problem.column == f"  - {{id: i, {written}".index("defaults: ") + len("defaults: ") + 1


def test_a_default_inside_a_form() -> None:
    (problem,) = problems("type: FORM, inputs: [{id: n, type: INT, defaults: x}]")
    assert problem.path == "inputs[0].inputs[0].defaults"


@pytest.mark.parametrize("type_", ["SELECT", "MULTISELECT"])
def test_a_choice_of_nothing(type_: str) -> None:
    (problem,) = problems(f"type: {type_}")
    assert problem.message == "Input `i` offers nothing to choose: it needs `values` or `expression`"


@pytest.mark.parametrize(
    "written",
    [
        "type: INT, defaults: '{{ vars.n }}'",
        "type: JSON, defaults: {a: '{{ vars.n }}'}",
        "type: SELECT, expression: '{{ vars.all }}', defaults: x",
        "type: SELECT, allowCustomValue: true, defaults: x",
        "type: FILE, defaults: 'nsfile:///a.csv'",
        "type: INT, defaults: ''",
        "type: DURATION, defaults: 90",
        "type: SECRET, defaults: hidden",
    ],
)
def test_what_may_turn_out_well(written: str) -> None:
    assert problems(written) == []


def test_the_examples_have_none() -> None:
    for file in EXAMPLES.rglob("*.yaml"):
        assert not input_problems(parse_flow(file.read_text(), shared_registry())), file
