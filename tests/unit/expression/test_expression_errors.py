"""What an author is told when a template is wrong."""

from __future__ import annotations

import pytest

from windhover.expression import (
    EvaluationError,
    ExpressionError,
    LimitExceededError,
    Limits,
    Scope,
    TemplateSyntaxError,
    UndefinedError,
    compile_template,
)


def failure(text: str, **variables: object) -> ExpressionError:
    with pytest.raises(ExpressionError) as raised:
        compile_template(text).render(Scope(variables))
    return raised.value


def test_undefined_name_is_told_with_the_nearest_existing_one() -> None:
    error = failure("{{ outputs.extrct.uri }}", outputs={"extract": {"uri": "u"}})
    assert isinstance(error, UndefinedError)
    assert str(error) == (
        "Unable to find `extrct` used in the expression `{{ outputs.extrct.uri }}` at line 1. "
        "Did you mean `extract`?"
    )
    assert (error.name, error.suggestion, error.line) == ("extrct", "extract", 1)


def test_undefined_name_without_a_near_one() -> None:
    error = failure("\n{{ nope }}")
    assert str(error) == "Unable to find `nope` used in the expression `\n{{ nope }}` at line 2"


def test_a_member_of_json_text_is_told_how_to_be_read() -> None:
    error = failure("{{ taskrun.value.id }}", taskrun={"value": '{"id": 1}'})
    assert str(error) == (
        "Unable to find `id` used in the expression `{{ taskrun.value.id }}` at line 1. "
        "What it is looked for in is text; `fromJson` reads the JSON in it."
    )
    assert "fromJson" not in str(failure("{{ taskrun.value.id }}", taskrun={"value": "a"}))


def test_outputs_are_no_misspelt_inputs() -> None:
    assert isinstance(error := failure("{{ inputs.rows }}", outputs={}, input=1), UndefinedError)
    assert error.suggestion == "input"
    assert "Did you mean" not in str(failure("{{ inputs.rows }}", outputs={}))


def test_syntax_error_says_what_was_expected_and_where() -> None:
    error = failure("a\n{{ inputs. }}")
    assert isinstance(error, TemplateSyntaxError)
    assert error.reason == 'Unexpected token of value "}}" and type PRINT_END, expected token of type NAME'
    assert (error.line, error.column, error.expected) == (2, 12, "token of type NAME")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ foo() }}", "Function or Macro [foo] does not exist. ({{ foo() }}:1)"),
        ("{{ 1 | fooo }}", "Filter [fooo] does not exist. ({{ 1 | fooo }}:1)"),
        ("{{ 1 is foo }}", "Test [foo] does not exist. ({{ 1 is foo }}:1)"),
        ("{{ 'a' | uper }}", "Did you mean `upper`?"),
        ("{{ 'a' | date(x='b') }}", "The following named argument does not exist: x"),
        ("{{ 1 / 0 }}", "Could not perform division"),
        ("{{ true + 1 }}", "Could not perform addition"),
        ("{% for i in 5 %}{% endfor %}", "Not an iterable object. Value = [5]"),
        ("{% if true %}", 'Unexpected end of template. Pebble was looking for the "endif" tag'),
        ("{% foo %}", 'Unexpected tag name "foo"'),
        ("{% include 'x' %}", 'Unexpected tag name "include"'),
        ("{{ 'abc }}", "Unclosed string"),
        ("{{ (1 }}", "Unclosed '('"),
        ("{{ 99999999999999999999 }}", "too large"),
        ("{{ secret('A') }}", "The function 'secret' needs a running server"),
    ],
)
def test_messages(text: str, words: str) -> None:
    assert words in str(failure(text))


@pytest.mark.parametrize(
    "text",
    [
        "{{ x.__class__ }}",
        "{{ x['__class__'] }}",
        "{{ x.keys }}",
        "{{ l.append }}",
        "{{ s.upper }}",
        "{{ s[0] }}",
        "{{ (1).real }}",
        "{{ f.__globals__ }}",
        "{{ _context.__class__ }}",
        "{{ s.getClass() }}",
        "{{ s.encode() }}",
        "{{ l.append(1) }}",
        "{{ f.call() }}",
    ],
)
def test_only_data_is_reachable(text: str) -> None:
    assert isinstance(failure(text, x={}, l=[], s="abc", f=render_nothing), UndefinedError)


def render_nothing() -> None:
    """A function that a template must not reach."""


def test_an_object_that_is_no_data_is_not_printed() -> None:
    assert "cannot be printed" in str(failure("{{ f }}", f=render_nothing))


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{% for i in range(1, 100) %}x{% endfor %}", Limits(max_iterations=50)),
        (
            "{% for i in range(1, 9) %}{% for j in range(1, 9) %}x{% endfor %}{% endfor %}",
            Limits(max_iterations=50),
        ),
        ("{% for i in range(1, 100) %}12345678901{% endfor %}", Limits(max_output=1000)),
        ("{{ 'a' | indent(1000000, 'b') }}{{ 'a\n' | indent(1000000, 'b') }}", Limits(max_output=1000)),
        ("{{ range(1, 100000000) }}", Limits()),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", Limits()),
        ("{{ render(x) }}", Limits()),
        (
            "{% set x = 'ab' %}{% for i in range(1, 60) %}{% set x = x ~ x %}{% endfor %}",
            Limits(max_output=100000),
        ),
        ("{% for i in range(1, 100000) %}{% endfor %}", Limits(max_seconds=0)),
        ("{{ ('a' | base64encode) ~ [1] | jq('[repeat(1)]') }}", Limits(max_seconds=1)),
        (
            "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | regexMatch('(a|aa)+$') }}",
            Limits(regex_seconds=0.05),
        ),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", Limits()),
        ("{{ " + "1 + " * 5000 + "1 }}", Limits()),
    ],
)
def test_costly_templates_are_stopped(text: str, limits: Limits) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_template(text).render(Scope({"x": "{{ render(x) }}{{ x }}"}, limits=limits))
    assert isinstance(raised.value, EvaluationError | TemplateSyntaxError)


def test_limit_errors_have_a_type_of_their_own() -> None:
    with pytest.raises(LimitExceededError):
        compile_template("{{ range(1, 100000000) }}").render(Scope({}))


def test_jq_does_not_see_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE_TOKEN", "hunter2")
    for program in ("env", "$ENV", "[limit(1; env)]"):
        text = compile_template("{{ [1] | jq(p) }}").render(Scope({"p": program}))
        assert "hunter2" not in text


def test_yaml_aliases_cannot_multiply_without_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "more than" in str(failure("{{ yaml(s) }}", s="\n".join(lines)))
