"""Every filter, function and test is described, and its examples are true."""

from __future__ import annotations

from pathlib import Path

import pytest

from windhover.expression import Scope, compile_template
from windhover.expression.documentation import page
from windhover.expression.registry import Definition, Example, Kind, definitions

_ALL = [definition for kind in Kind for definition in definitions(kind).values()]
_EXAMPLES = [
    (definition, example)
    for definition in _ALL
    for example in definition.examples
    if example.output is not None
]


@pytest.mark.parametrize(("definition", "example"), _EXAMPLES, ids=lambda value: getattr(value, "name", ""))
def test_example_renders_as_documented(definition: Definition, example: Example) -> None:
    assert compile_template(example.template).render(Scope(example.variables)) == example.output


@pytest.mark.parametrize(
    "definition", _ALL, ids=lambda definition: f"{definition.kind.value}-{definition.name}"
)
def test_is_described(definition: Definition) -> None:
    assert definition.summary.endswith(".")
    assert definition.examples or definition.name == "parent"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            Kind.FILTER,
            "abbreviate abs base64decode base64encode capitalize chunk className date dateAdd "
            "default distinct "
            "endsWith escapeChar first flatten indent join jq json jsonata keys last length lower md5 merge "
            "nindent "
            "nl2br number numberFormat regexExtract regexMatch regexReplace replace reverse "
            "rsort sha1 sha256 "
            "sha512 slice slugify sort split startsWith string substringAfter substringAfterLast "
            "substringBefore substringBeforeLast timestamp timestampMicro timestampMilli timestampNano title "
            "toIon toJson trim upper urldecode urlencode values yaml",
        ),
        (
            Kind.FUNCTION,
            "appLink assets block credential currentEachOutput dayOfMonth dayOfWeek decrypt "
            "encrypt errorLogs "
            "fetchContext fileExists fileSize fileURI fromIon fromJson hourOfDay http id isDateBetween "
            "isDayWeekInMonth isFileEmpty isLastWorkingDay isPublicHoliday "
            "isWeekend iterationOutput json ksuid kv loopOutputs max min "
            "monthOfYear nanoId now parent parentOutput printContext randomInt randomPort range read render "
            "renderOnce secret tasksWithState uuid yaml",
        ),
        (Kind.TEST, "defined empty even iterable json map null odd"),
    ],
)
def test_language_is_complete(kind: Kind, names: str) -> None:
    assert set(names.split()) == set(definitions(kind))


def test_documentation_page_is_current() -> None:
    path = Path(__file__).resolve().parents[3] / "docs" / "expressions.md"
    assert path.read_text() == page(), "run python -m windhover.expression.documentation docs/expressions.md"
