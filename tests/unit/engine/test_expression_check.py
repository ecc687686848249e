"""What is told of a flow's expressions before it runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from windhover.engine.expression_check import expression_warnings
from windhover.model.problem import FlowInvalid, Problem, Severity
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import shared_registry

_ROOT = Path(__file__).resolve().parents[3]
_SHARED = Path(os.environ.get("WINDHOVER_SHARED", _ROOT.parent / "shared")) / "conformance"

FLOW = """\
id: checked
namespace: company.team
inputs:
  - {id: city, type: STRING}
  - {id: user.name, type: STRING}
variables:
  greeting: Hello
  two-words: x
tasks:
  - id: first-task
    type: io.kestra.plugin.core.debug.Return
    format: one
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - id: looped
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}"
  - id: here
    type: io.kestra.plugin.core.debug.Return
    format: %s
  - id: last
    type: io.kestra.plugin.core.debug.Return
    format: end
errors:
  - id: failed
    type: io.kestra.plugin.core.log.Log
    message: oh
"""


def warnings_of(source: str) -> tuple[Problem, ...]:
    return expression_warnings(parse_flow(source, shared_registry()))


def told(template: str) -> list[tuple[str, str | None]]:
    """Messages and suggestions for a template in the task ``here``."""
    return [(found.message, found.suggestion) for found in warnings_of(FLOW % json.dumps(template))]


@pytest.mark.parametrize(
    ("template", "message", "suggestion"),
    [
        ("{{ outputs.fist.value }}", "There is no task `fist`", None),
        ("{{ outputs.lookd.value }}", "There is no task `lookd`", "looped"),
        (
            "{{ outputs['first-task'].valeu }}",
            "The task `first-task` has no output `valeu`",
            "value",
        ),
        ("{{ outputs.last.value }}", "The task `last` runs only later and has no outputs yet", None),
        ("{{ outputs.failed }}", "The task `failed` runs only later and has no outputs yet", None),
        ("{{ inputs.ctiy }}", "There is no input `ctiy`", "city"),
        ("{{ vars.greting }}", "There is no variable `greting` in `vars`", "greeting"),
        ("{{ tasks.lst.state }}", "There is no task `lst`", "last"),
        ("{{ input.city }}", "There is no variable `input`", "inputs"),
        ("{{ inputs.city == 'x' ? inptus : '' }}", "There is no variable `inptus`", "inputs"),
        ("{{ flow.name }}", "`flow` has no member `name`", None),
        ("{{ inputs.city | uper }}", "Filter [uper] does not exist.", "upper"),
        ("{{ nwo() }}", "Function or Macro [nwo] does not exist.", "now"),
        ("{{ inputs.city is emptyy }}", "Test [emptyy] does not exist.", "empty"),
        ("{% for a in inputs.citys %}{{ a }}{% endfor %}", "There is no input `citys`", "city"),
        ("{{ 1 + }}", 'Unexpected token of value "}}" and type PRINT_END, expected an expression', None),
    ],
)
def test_certain_mistakes_are_told(template: str, message: str, suggestion: str | None) -> None:
    assert [found[0] for found in told(template)] == [message]
    if suggestion is not None:
        assert told(template)[0][1] == suggestion


@pytest.mark.parametrize(
    "template",
    [
        "{{ outputs.nope.value ?? 'x' }}",
        "{{ outputs.nope.value | default('x') }}",
        "{{ inputs.nope is defined ? inputs.nope : '' }}",
        "{% if vars.nope is defined %}{{ vars.nope.deep }}{% endif %}",
        "{{ outputs.looped.a.value }}",
        "{{ outputs.looped[taskrun.value].value }}",
        "{{ outputs[inputs.city].value }}",
        "{{ inputs.user.name }}",
        "{% set nope = 1 %}{{ nope }}",
        "{% for nope in [1] %}{{ nope }}{{ loop.index }}{% endfor %}",
        "{% macro hi(who) %}{{ who }}{% endmacro %}{{ hi('x') }}",
        "{{ trigger.anything }} {{ labels.any }} {{ globals.any }} {{ envs.any }} {{ workingDir }}",
        "{% raw %}{{ nope }}{% endraw %}",
        "{{ inputs.city - vars.greeting }}",
        "{{ inputs.city ?? vars.greeting ?? raise }}",
        "{{ inputs.city == 'x' ? ko : '' }}",
    ],
)
def test_what_may_exist_is_not_told(template: str) -> None:
    assert told(template) == []


def test_hyphens_behind_a_dot_are_told_with_the_right_spelling() -> None:
    ((message, suggestion),) = told("{{ vars.two-words }}")
    assert "subtraction" in message
    assert suggestion == "vars['two-words']"


@pytest.mark.parametrize(
    "value",
    [
        '"a {{ NOPE }}"',
        "'it''s {{ NOPE }}'",
        "plain {{ NOPE }}\n      and more",
        "|\n      one\n        two {{ NOPE }}\n\n      three",
        ">-\n      folded\n      and {{\n      NOPE }} more",
        '"escaped \\n \\u00e9 \\"x\\" {{ NOPE }}"',
        "!!str |2\n        deeper {{ NOPE }}",
    ],
)
def test_the_place_is_that_of_the_name(value: str) -> None:
    source = FLOW % value
    (found,) = warnings_of(source)
    assert found.path == "tasks[2].format"
    assert found.severity is Severity.WARNING
    assert found.line is not None
    assert found.column is not None
    assert source.splitlines()[found.line - 1][found.column - 1 :].startswith("NOPE")


def test_variables_that_a_task_sets_are_known() -> None:
    source = FLOW % '"{{ vars.later }}"' + (
        "finally:\n  - id: set\n    type: io.kestra.plugin.core.execution.SetVariables\n"
        "    variables: {later: 1}\n"
    )
    assert warnings_of(source) == ()


def test_a_variable_is_looked_at_where_it_is_rendered() -> None:
    source = FLOW.replace("Hello", '"Hi {{ inputs.nope }}"')
    assert warnings_of(source % '"{{ vars.greeting }}"') == ()
    (found,) = warnings_of(source % '"{{ render(vars.greeting) }}"')
    assert (found.path, found.message) == ("variables.greeting", "There is no input `nope`")


def test_optional_outputs_may_name_anything() -> None:
    output = 'outputs:\n  - {id: o, type: STRING, value: "{{ outputs.nope }}"%s}\n'
    assert len(warnings_of(FLOW % "x" + output % "")) == 1
    assert warnings_of(FLOW % "x" + output % ", required: false") == ()


def test_properties_that_are_not_rendered_are_left_alone() -> None:
    assert warnings_of(FLOW.replace("format: one", 'format: one\n    description: "{{ nope }}"') % "x") == ()


def _flows_that_run_fine() -> Iterator[tuple[str, str]]:
    for path in sorted((_ROOT / "examples").rglob("*.y*ml")):
        yield path.name, path.read_text()
    cases = _SHARED / "flows.yaml"
    if cases.exists():
        for case in yaml.safe_load(cases.read_text())["cases"]:
            expected = case.get("expect") or {}
            if expected.get("state") == "SUCCESS" and "FAILED" not in json.dumps(expected):
                path = _SHARED / "flows" / str(case.get("flow"))
                if path.is_file():
                    yield case["id"], path.read_text()


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in _flows_that_run_fine()])
def test_nothing_is_told_of_flows_that_run_fine(source: str) -> None:
    try:
        assert warnings_of(source) == ()
    except FlowInvalid:
        pytest.skip("it needs a plugin that is not here")
