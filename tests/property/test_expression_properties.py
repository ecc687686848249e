"""What holds for any template and any data."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windhover.expression import ExpressionError, Limits, Scope, compile_template, nodes, to_json
from windhover.expression.nodes import (
    Arguments,
    Binary,
    Block,
    Body,
    Call,
    Expression,
    FilterBlock,
    FilterCall,
    For,
    If,
    Interpolation,
    ListLiteral,
    Literal,
    Macro,
    MapLiteral,
    Member,
    Print,
    Raw,
    Set,
    Statement,
    Ternary,
    Text,
    Unary,
    Variable,
)
from windhover.expression.parser import BINARY_PRECEDENCE, CONSTANTS, parse
from windhover.expression.printer import print_template
from windhover.expression.registry import Kind, definitions

# The strategy of whole templates is too large to be shown, which is all that the warning says.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")

_LIMITS = Limits(max_output=100_000, max_iterations=1000, max_seconds=2, regex_seconds=0.2)
_WORDS = frozenset(CONSTANTS) | {"is", "not", "and", "or", "contains", "equals", "isIn"}
_OPERATORS = sorted(set(BINARY_PRECEDENCE) - {"|", "is", "is not"})

no_arguments = st.just(Arguments())
_METHODS = ["length", "size", "get", "repeat", "substring", "nope"]
names = st.sampled_from(["a", "b", "c1", "_x", "items", "loop", "value"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
literals = st.one_of(
    texts,
    st.integers(0, 2**63 - 1),
    st.floats(0, 1e6, allow_nan=False).map(lambda number: round(number, 3)),
    st.booleans(),
    st.none(),
).map(Literal)


def _plain(text: str) -> str:
    """A text as a string literal can hold it: a backslash before a quote would escape it."""
    return text.replace("\\", "/")


def _expressions(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    arguments = st.builds(
        Arguments,
        st.lists(inner, max_size=2).map(tuple),
        st.lists(st.tuples(names, inner), max_size=1).map(tuple),
    )
    pieces = st.lists(
        st.one_of(inner.filter(lambda node: not isinstance(node, Literal)), st.just(Literal("text"))),
        max_size=3,
    )
    return st.one_of(
        st.builds(ListLiteral, st.lists(inner, max_size=3).map(tuple)),
        st.builds(MapLiteral, st.lists(st.tuples(inner, inner), max_size=2).map(tuple)),
        st.builds(Member, inner, names.map(Literal), dotted=st.just(True)),
        st.builds(Member, inner, inner),
        st.builds(Call, names, arguments),
        st.builds(nodes.MethodCall, inner, st.sampled_from(_METHODS), st.lists(inner, max_size=2).map(tuple)),
        st.builds(FilterCall, inner, st.sampled_from(["upper", "first", "nope"]), arguments),
        st.builds(
            nodes.TestCall, inner, st.sampled_from(["empty", "even"]), st.just(Arguments()), st.booleans()
        ),
        st.builds(Unary, st.sampled_from(["not", "-", "+"]), inner),
        st.builds(Binary, st.sampled_from(_OPERATORS), inner, inner),
        st.builds(Ternary, inner, inner, inner),
        pieces.filter(lambda parts: any(not isinstance(part, Literal) for part in parts)).map(
            lambda parts: Interpolation(_separated(parts))
        ),
    )


def _separated(parts: list[Expression]) -> tuple[Expression, ...]:
    """Interpolated parts without two texts side by side, which would be read as one."""
    kept: list[Expression] = []
    for part in parts:
        if not (kept and isinstance(part, Literal) and isinstance(kept[-1], Literal)):
            kept.append(part)
    return tuple(kept)


plain_literals = literals.map(
    lambda node: Literal(_plain(node.value)) if isinstance(node.value, str) else node
)
expressions = st.recursive(st.one_of(plain_literals, names.map(Variable)), _expressions, max_leaves=12)
static_texts = st.text("ab \n}%#-'\"", min_size=1, max_size=6)


def _bodies(statements: st.SearchStrategy[Statement]) -> st.SearchStrategy[Body]:
    return st.lists(statements, max_size=3).map(lambda found: Body(_unjoined(found)))


def _unjoined(statements: list[Statement]) -> tuple[Statement, ...]:
    kept: list[Statement] = []
    for statement in statements:
        if not (kept and isinstance(statement, Text) and isinstance(kept[-1], Text)):
            kept.append(statement)
    return tuple(kept)


def _tags(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    body = _bodies(inner)
    return st.one_of(
        st.builds(
            If, st.lists(st.tuples(expressions, body), min_size=1, max_size=2).map(tuple), st.none() | body
        ),
        st.builds(For, names, expressions, body, st.none() | body),
        st.builds(Set, names, expressions),
        st.builds(
            Macro, names, st.lists(st.tuples(names, st.none() | expressions), max_size=2).map(tuple), body
        ),
        st.builds(Block, names, body),
        st.builds(FilterBlock, st.just((("upper", Arguments()), ("trim", Arguments()))), body),
    )


statements = st.recursive(
    st.one_of(
        static_texts.map(Text),
        st.builds(Print, expressions),
        st.sampled_from(["", "{{ x }}", "{% if"]).map(Raw),
    ),
    _tags,
    max_leaves=6,
)
templates = _bodies(statements)

data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
variables = st.dictionaries(names, data, max_size=4)

relaxed = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


def _render(text: str, given_variables: dict[str, object]) -> str | ExpressionError:
    """The rendered text, or the error of the language; any other exception fails the test."""
    started = time.monotonic()
    try:
        return compile_template(text).render(Scope(given_variables, limits=_LIMITS))
    except ExpressionError as error:
        return error
    finally:
        assert time.monotonic() - started < 20


@relaxed
@given(templates)
def test_printing_a_tree_and_reading_it_gives_the_tree(tree: Body) -> None:
    text = print_template(tree)
    assert parse(text) == tree
    assert print_template(parse(text)) == text


@relaxed
@given(templates, variables)
def test_no_template_raises_anything_but_errors_of_the_language(tree: Body, given: dict[str, object]) -> None:
    _render(print_template(tree), given)


_FRAGMENTS = """
{{ }} {% %} {# #} {{- -}} | ~ ?? ??? .. . , ( ) [ ] { } : ? = == 'a' "b" "#{ ' " \\ 1 2.5 10L a b
if else endif for in endfor set macro endmacro block raw endraw is not and or isIn contains null true upper
"""
fragments = st.sampled_from(_FRAGMENTS.split())


@relaxed
@given(st.lists(st.one_of(fragments, texts), max_size=25), variables)
def test_no_text_raises_anything_but_errors_of_the_language(
    parts: list[str], given: dict[str, object]
) -> None:
    _render(" ".join(parts), given)
    _render("{{ " + " ".join(parts) + " }}", given)


_FILTERS = sorted(definitions(Kind.FILTER))
_FUNCTIONS = sorted(set(definitions(Kind.FUNCTION)) - {"randomPort"})


@relaxed
@given(st.sampled_from(_FILTERS), data, st.lists(data, max_size=4))
def test_no_filter_fails_but_with_an_error_of_the_language(
    name: str, value: object, arguments: list[object]
) -> None:
    given_variables = {"v": value, **{f"p{index}": argument for index, argument in enumerate(arguments)}}
    _render(
        f"{{{{ v | {name}({', '.join(f'p{index}' for index in range(len(arguments)))}) }}}}", given_variables
    )


@relaxed
@given(st.sampled_from(_FUNCTIONS), st.lists(data, max_size=4))
def test_no_function_fails_but_with_an_error_of_the_language(name: str, arguments: list[object]) -> None:
    given_variables = {f"p{index}": argument for index, argument in enumerate(arguments)}
    _render(f"{{{{ {name}({', '.join(given_variables)}) }}}}", given_variables)


@relaxed
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_dates_patterns_and_numbers_never_break(text: str) -> None:
    for template in (
        "{{ '2024-05-06T07:08:09Z' | date(t) }}",
        "{{ t | date('yyyy', existingFormat=t) }}",
        "{{ '2024-05-06' | date(existingFormat=t) }}",
        "{{ 1234.5 | numberFormat(t) }}",
        "{{ 'abc' | split(t) }}",
        "{{ 'abc' | regexReplace(t, t) }}",
        "{{ t | number }}",
        "{{ yaml(t) }}",
        "{{ fromIon(t) }}",
    ):
        _render(template, {"t": text})


@given(texts.filter(lambda text: "{" not in text))
def test_text_without_expressions_is_left_alone(text: str) -> None:
    assert _render(text, {}) == text


@given(texts)
def test_encodings_are_reversed_by_their_counterparts(text: str) -> None:
    for there, back in (("base64encode", "base64decode"), ("urlencode", "urldecode")):
        assert _render(f"{{{{ t | {there} | {back} }}}}", {"t": text}) == text


_json = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


@given(_json)
def test_json_is_read_back_as_it_was(value: object) -> None:
    assert json.loads(to_json(value)) == value
    assert compile_template("{{ fromJson(v | toJson) }}").evaluate(Scope({"v": value})) == value


@relaxed
@given(_json)
def test_ion_and_yaml_are_read_back_as_they_were(value: object) -> None:
    scope = Scope({"v": {"k": value}})
    assert compile_template("{{ fromIon(v | toIon) == v }}").render(scope) == "true"


@given(st.lists(st.integers()))
def test_sorting(numbers: list[int]) -> None:
    scope = Scope({"l": numbers})
    assert compile_template("{{ l | sort }}").evaluate(scope) == sorted(numbers)
    assert compile_template("{{ l | reverse | reverse }}").evaluate(scope) == numbers


@given(texts)
def test_slugs_hold_nothing_that_an_address_would_escape(text: str) -> None:
    slug = _render("{{ t | slugify }}", {"t": text})
    assert isinstance(slug, str)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_integers_wrap_at_64_bits(left: int, right: int) -> None:
    scope = Scope({"a": left, "b": right})
    for operator, exact in (("+", left + right), ("-", left - right), ("*", left * right)):
        wrapped = compile_template(f"{{{{ a {operator} b }}}}").evaluate(scope)
        assert wrapped == (exact + 2**63) % 2**64 - 2**63
