"""What is told of a flow's expressions before it runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from windhover.engine.expression_check import (
    child_output_warnings,
    expression_problems,
    read_with_expressions,
)
from windhover.model.problem import FlowInvalid, Problem, Severity
from windhover.plugin.parsing import FlowRefused, parse_flow
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
    return expression_problems(parse_flow(source, shared_registry()))


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
        ("{{ iterations.lst[0] }}", "There is no task `lst`", "last"),
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


REFUSED = """\
id: refused
namespace: company.team
%s
tasks:
  - id: here
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.her.value }} {{ 1 | uper }}"
    %s
"""


@pytest.mark.parametrize(
    ("property_of_flow", "property_of_task"),
    [("", "nope: 1"), ("labels: 12", ""), ("concurrency: {limit: many}", "nope: 1")],
)
def test_a_refused_flow_is_told_of_its_expressions_too(property_of_flow: str, property_of_task: str) -> None:
    with pytest.raises(FlowRefused) as raised:
        parse_flow(REFUSED % (property_of_flow, property_of_task), shared_registry())
    found = expression_problems(raised.value.partial)
    assert [(problem.suggestion, problem.line) for problem in found] == [("here", 7), ("upper", 7)]


SCHEDULED = """\
id: scheduled
namespace: company.team
tasks:
  - id: task
    type: io.kestra.plugin.core.debug.Return
    format: "{{ trigger.date | dat }}"
triggers:
  - id: daily
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "@daily"
    %s
"""
OF_TYPE = "conditions: [{type: io.kestra.plugin.core.condition."


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("when: \"{{ kvv('go') }}\"", "triggers[0].when: Function or Macro [kvv] does not exist."),
        ('when: "{{ trigger.date "', "triggers[0].when: Unclosed {{"),
        (
            OF_TYPE + "Weekend, date: '{{ trigger.date | dat }}'}]",
            "triggers[0].conditions[0].date: Filter [dat] does not exist.",
        ),
        (
            OF_TYPE + "Not, conditions: [{type: io.kestra.plugin.core.condition.Expression, "
            "expression: '{{ 1 is od }}'}]}]",
            "triggers[0].conditions[0].conditions[0].expression: Test [od] does not exist.",
        ),
    ],
)
def test_a_condition_that_can_never_be_rendered_is_an_error(condition: str, message: str) -> None:
    with pytest.raises(FlowRefused) as raised:
        read_with_expressions(lambda: parse_flow(SCHEDULED % condition, shared_registry()))
    refused = raised.value
    assert refused.constraints == message
    # Elsewhere the same is a warning.
    assert [note.path for note in refused.notes] == ["tasks[0].format"]


@pytest.mark.parametrize("other", ['inputs: {n: "{{ kvv(1) }}"}', 'when: "{{ nobody.knows }}"'])
def test_what_may_be_rendered_some_day_is_none(other: str) -> None:
    read = read_with_expressions(lambda: parse_flow(SCHEDULED % other, shared_registry()))
    assert "tasks[0].format" in [warning.path for warning in read.warnings]


def test_all_errors_are_told_at_once() -> None:
    source = SCHEDULED % 'when: "{{ kvv(1) }}"' + "nope: 1\n"
    with pytest.raises(FlowRefused) as raised:
        read_with_expressions(lambda: parse_flow(source, shared_registry()))
    assert sorted(problem.path for problem in raised.value.problems) == ["nope", "triggers[0].when"]


def messages(source: str) -> list[str]:
    return [found.message for found in warnings_of(source)]


def test_triggers_know_variables_of_the_flow_and_nothing_of_executions() -> None:
    source = FLOW % "x" + (
        "triggers:\n"
        "  - id: daily\n"
        "    type: io.kestra.plugin.core.trigger.Schedule\n"
        "    cron: '0 0 * * *'\n"
        "    inputs: {city: '{{ vars.greting }} {{ trigger.date }} {{ vars.greeting }}'}\n"
        "  - id: after\n"
        "    type: io.kestra.plugin.core.trigger.Flow\n"
        "    inputs: {city: '{{ outputs.any.value }} {{ 1 | uper }}'}\n"
    )
    assert messages(source) == ["There is no variable `greting` in `vars`", "Filter [uper] does not exist."]


def test_plugin_defaults_are_looked_at_as_the_tasks_that_they_are_for() -> None:
    source = FLOW % "x" + (
        "pluginDefaults:\n"
        "  - type: io.kestra.plugin.core.debug.Return\n"
        "    values: {format: '{{ outputs.frist.value }}'}\n"
        "  - type: io.kestra.plugin.core.log.Log\n"
        "    values: {message: '{{ inputs.ciy }}'}\n"
        "  - type: io.kestra.plugin.core.http.Request\n"
        "    values: {uri: '{{ inputs.of_nobody }}'}\n"
    )
    assert messages(source) == ["There is no task `frist`", "There is no input `ciy`"]


def test_outputs_that_a_subflow_does_not_declare_are_told() -> None:
    parsed = parse_flow(
        "id: parent\n"
        "namespace: company.team\n"
        "tasks:\n"
        "  - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child}\n"
        "  - id: read\n"
        "    type: io.kestra.plugin.core.debug.Return\n"
        "    format: '{{ outputs.call.outputs.totl }} {{ outputs.call.outputs.total }}'\n",
        shared_registry(),
    )
    assert expression_problems(parsed) == ()
    (found,) = child_output_warnings(parsed, {"call": frozenset({"total"})})
    assert found.message == "The subflow of the task `call` declares no output `totl`"
    assert (found.suggestion, found.line, found.column) == ("total", 7, 38)
