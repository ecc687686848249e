"""Rendering and analysing templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from windhover.expression import (
    NOT_CONSTANT,
    ExpressionError,
    Scope,
    Secret,
    compile_template,
    has_expression,
    render_value,
    resolve_reads,
    to_json,
    to_text,
    truthy,
)


def render(text: str, **variables: object) -> str:
    return compile_template(text).render(Scope(variables))


class OnDemand(Mapping[str, object]):
    """Builds a value only when asked, and remembers which."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> object:
        self.asked.append(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def test_template_pays_only_for_the_variables_it_names() -> None:
    variables = OnDemand({"a": OnDemand({"b": [1, 2]}), "z": 1})
    assert compile_template("{{ a.b[1] }}").render(Scope(variables)) == "2"
    assert variables.asked == ["a"]


@pytest.mark.parametrize(
    ("text", "static", "sole"),
    [("text", True, False), ("{{ a }}", False, True), (" {{ a }}", False, False), ("{# c #}x", True, False)],
)
def test_kinds_of_templates(text: str, static: bool, sole: bool) -> None:
    template = compile_template(text)
    assert (template.is_static, template.is_sole_expression) == (static, sole)


def test_equal_texts_share_a_template() -> None:
    assert compile_template("{{ shared }}") is compile_template("{{ shared }}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ i }}", 2),
        ("{{ n }}", None),
        ("{{ l }}", [1]),
        (" {{ i }}", " 2"),
        ("[{{ i }}, {{ i }}]", "[2, 2]"),
        ("[{{ l }}, 1]", [[1], 1]),
        ('{"a": {{ m }}}', {"a": {"k": 1}}),
        ("{{ l }}x", [1]),
        ("x {{ l }}", "x [1]"),
        (" {{ m }}\n", {"k": 1}),
        ("{% if i > 1 %}{{ l }}{% endif %}", [1]),
        ("{% set x = i %}{{ x }}", 2),
        ('{{ "12.3" | number }}', 12.3),
    ],
)
def test_typed_rendering(text: str, value: object) -> None:
    scope = Scope({"i": 2, "n": None, "l": [1], "m": {"k": 1}})
    assert compile_template(text).evaluate(scope) == value


def test_reads_are_the_paths_a_template_names() -> None:
    template = compile_template(
        "{{ outputs.a.value }}{{ inputs['x'] }}{{ outputs[taskrun.value].uri }}"
        "{% for o in vars.list %}{{ o.name }}{{ loop.index }}{% endfor %}"
        "{% macro m(p) %}{{ p }}{% endmacro %}{{ m(labels.team) }}"
    )
    assert template.reads == {
        ("outputs", "a", "value"),
        ("inputs", "x"),
        ("outputs",),
        ("taskrun", "value"),
        ("vars", "list"),
        ("labels", "team"),
    }
    assert not template.reads_everything


def test_functions_declare_what_they_read_themselves() -> None:
    assert ("taskrun", "value") in compile_template("{{ currentEachOutput(outputs.t) }}").reads
    assert ("tasks",) in compile_template("{{ tasksWithState('FAILED') }}").reads


@pytest.mark.parametrize("text", ["{{ printContext() }}", "{{ render(vars.x) }}", "{{ _context }}"])
def test_templates_that_may_read_everything(text: str) -> None:
    assert compile_template(text).reads_everything


def test_rendering_a_constant_is_analysed() -> None:
    template = compile_template("{{ render('{{ inputs.a }}') }}")
    assert template.reads == {("inputs", "a")}
    assert not template.reads_everything


def test_rendered_paths_are_known() -> None:
    assert compile_template("{{ render(vars.a) }}").analysis.rendered == {("vars", "a")}


def test_reads_through_rendered_variables() -> None:
    variables = {"vars": {"a": "{{ render(vars.b) }}", "b": ["{{ outputs.t.uri }}", "{{ broken"]}}
    template = compile_template("{{ render(vars.a) }}")
    reads = frozenset({("vars", "a"), ("vars", "b"), ("outputs", "t", "uri")})
    assert resolve_reads(template, variables) == reads
    assert resolve_reads(compile_template("{{ printContext() }}"), variables) is None
    assert resolve_reads(compile_template("{{ render(vars.a ~ 'x') }}"), variables) is None


def test_calls_have_their_constants_and_place() -> None:
    template = compile_template("x\n{{ secret('A') }}{{ kv(name, namespace='n') | upper }}")
    secret, kv = template.calls
    assert (secret.name, secret.arguments, secret.line, secret.column) == ("secret", ("A",), 2, 4)
    assert kv.arguments == (NOT_CONSTANT,)
    assert kv.named == (("namespace", "n"),)
    assert template.filters == {"upper"}


def test_render_value_walks_maps_and_lists() -> None:
    value = {"{{ k }}": ["{{ v }}", 1, None], "plain": {"deep": "a{{ v }}"}}
    scope = Scope({"k": "key", "v": 7})
    assert render_value(value, scope) == {"key": ["7", 1, None], "plain": {"deep": "a7"}}
    assert render_value(value, scope, typed=True) == {"key": [7, 1, None], "plain": {"deep": "a7"}}


def test_secrets_that_a_template_reads_are_remembered() -> None:
    scope = Scope({"inputs": {"password": Secret("hunter2"), "name": "x"}})
    assert compile_template("{{ inputs.name }}").render(scope) == "x"
    assert scope.secrets == set()
    assert compile_template("{{ inputs.password | base64encode }}").render(scope) == "aHVudGVyMg=="
    assert scope.secrets == {"hunter2"}


def test_context_is_printed_without_secrets() -> None:
    assert render("{{ printContext() }}", p=Secret("hunter2"), a=[1]) == '{"p":"******","a":[1]}'


def test_recursive_rendering_goes_on_until_nothing_changes() -> None:
    scope = Scope({"a": "{{ b }}", "b": "{{ c }}", "c": "{% raw %}{{ d }}{% endraw %}"}, recursive=True)
    assert compile_template("{{ a }}").render(scope) == "{{ d }}"


def test_render_sees_variables_that_were_set() -> None:
    assert render("{% set x = 1 %}{{ render('{{ x + 1 }}') }}") == "2"


def test_operators_do_not_change_the_variables() -> None:
    numbers = [3, 1]
    assert (
        render("{{ l + 4 }}{{ l | sort }}{{ l | reverse }}{{ l - 1 }}", l=numbers) == "[3,1,4][1,3][1,3][3]"
    )
    assert numbers == [3, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% for k in m %}{{ k.key }}={{ k.value }};{% endfor %}", "a=1;b=2;"),
        ("{% for x in l %}{{ loop.revindex }}{{ loop.length }} {% endfor %}", "12 02 "),
        ("{% for x in l %}{% set y = x %}{% endfor %}{{ y ?? 'gone' }}", "gone"),
        ("{% for x in l %}{% for x in l %}{{ x }}{% endfor %}{{ x }}{% endfor %}", "121122"),
        ('{{ "a#{ 1 + 1 }b#{ "c" }" }}', "a2bc"),
        ("{{ 'a' ~ 1 ~ null ~ [1, 'b'] ~ {'k': 2.0} }}", "a1[1, b]{k=2.0}"),
        ("{{ m.a ? 'y' : 'n' }}", "y"),
        ("a {{- 1 -}} b", "a1b"),
        ("{% verbatim %}{{ x }}\n{% if %}{% endverbatim %}", "{{ x }}\n{% if %}"),
        ("{% raw %}a\n{{ b }}{% endraw %}", "a\n{{ b }}"),
        ("{{ _context.m.a }}", "1"),
        ("{% macro m(c) %}{{ c.l | join('-') }}{% endmacro %}{{ m(_context) }}", "1-2"),
        ("{{ {'a': {'b': 1}} }}", '{"a":{"b":1}}'),
        ("{{ s.length() }} {{ s.toUpperCase() }} {{ s.substring(1, 2) }} {{ s.indexOf('c') }}", "3 ABC b 2"),
        ("{{ s.replaceAll('[ab]', 'x') }} {{ s.matches('a.c') }} {{ s.split('b') }}", 'xxc true ["a","c"]'),
        (
            "{{ l.size() }} {{ l.contains(2) }} {{ l.get(0) }} {{ m.containsKey('a') }} {{ m.get('b') }}",
            "2 true 1 true 2",
        ),
        ("{{ [1, 2] contains [1] }} {{ m contains 'a' }} {{ 'abc' contains null }}", "true true false"),
        ("{{ '5L' | number | className }} {{ '010' | number }}", "java.lang.Long 8"),
        ("{{ s.nope() ?? 'no method' }}", "no method"),
    ],
)
def test_language(text: str, expected: str) -> None:
    assert render(text, m={"a": 1, "b": 2}, l=[1, 2], s="abc") == expected


@pytest.mark.parametrize("value", [None, False, 0, -0, "", " ", "false", "0", "-0", " false\n"])
def test_falsy_conditions(value: object) -> None:
    assert not truthy(value)


@pytest.mark.parametrize("value", [True, 1, "true", "no", "False", [], {}, 0.0, "null"])
def test_truthy_conditions(value: object) -> None:
    assert truthy(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (1.5e-5, "1.5E-5"),
        (0.001, "0.001"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (-0.0, "-0.0"),
        (float("inf"), "Infinity"),
        (123456789012.5, "1.234567890125E11"),
        (datetime(2024, 5, 6, 7, 8, tzinfo=UTC), "2024-05-06T07:08Z"),
        ({"a": None, "b": [None, 1.0]}, '{"b":[null,1.0]}'),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert to_text(value) == text


def test_json_escapes_no_more_than_it_must() -> None:
    assert to_json({"é/<": "\x01\x7f\n"}) == '{"é/<":"\\u0001\x7f\\n"}'
    assert to_json("\x1f") == '"\\u001F"'


def test_has_expression() -> None:
    assert has_expression("a {{ b }}")
    assert has_expression("{% set a = 1 %}")
    assert not has_expression('{"a": {"b": 1}}')


@pytest.mark.parametrize(
    "template",
    [
        "{{ render('{{ nope }}') ?? 'x' }}",
        "{{ render({'a': '{{ nope }}'}) | default('x') }}",
        "{{ renderOnce('{{ nope.a }}') is defined }}",
    ],
)
def test_a_fallback_does_not_stand_for_a_name_in_another_template(template: str) -> None:
    with pytest.raises(ExpressionError, match="nope"):
        compile_template(template).render(Scope({}))


@pytest.mark.parametrize(
    "text",
    [
        "{{ nothing }}",
        "{{ nothing }}{{ nothing }}",
        "{% if true %}{{ nothing }}{% endif %}",
        "{% if false %}x{% endif %}",
        "{# only a remark #}",
        "{% set a = 1 %}",
    ],
)
def test_what_prints_only_null_is_null_in_a_list_or_map_and_empty_text_elsewhere(text: str) -> None:
    scope = Scope({"nothing": None})
    assert render_value({"k": text, "l": [text, 1], "m": {"a": text}}, scope) == {
        "k": None,
        "l": [None, 1],
        "m": {"a": None},
    }
    assert render_value(text, scope) == ""


@pytest.mark.parametrize("text", ["", "{{ '' }}", "{{ nothing }}{{ '' }}"])
def test_empty_text_is_no_null(text: str) -> None:
    assert render_value([text, f" {text}"], Scope({"nothing": None})) == ["", " "]
