"""Each flow of the catalogue is refused with exactly the problems it names, in the order of the text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest
import yaml

from windhover.model.problem import FlowInvalid, Problem
from windhover.plugin.parsing import ParsedFlow


class Case(TypedDict):
    name: str
    source: str
    problems: list[str]


CASES: list[Case] = yaml.safe_load(Path(__file__).with_name("broken_flows.yaml").read_text())


def described(problem: Problem) -> str:
    hint = f" (did you mean {problem.suggestion}?)" if problem.suggestion else ""
    place = f"{problem.line}:{problem.column} {problem.path or '(root)'}"
    return f"{place} {problem.code.value} {problem.message}{hint}"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_broken_flow_is_refused_with_everything_that_is_wrong(
    case: Case, parse: Callable[..., ParsedFlow]
) -> None:
    with pytest.raises(FlowInvalid) as refused:
        parse(case["source"])
    assert [described(problem) for problem in refused.value.problems] == case["problems"]


def test_bytes_that_are_no_utf8_are_named_with_their_place(parse: Callable[..., ParsedFlow]) -> None:
    with pytest.raises(FlowInvalid) as refused:
        parse(b"id: f\ndescription: \xe9t\xe9\n")
    assert str(refused.value) == "line 2, column 14: The text is not UTF-8: byte 0xe9 cannot stand here"


def test_a_refusal_says_which_flow_it_is_about_and_what_else_was_noticed(
    parse: Callable[..., ParsedFlow],
) -> None:
    with pytest.raises(FlowInvalid) as refused:
        parse("id: f\nnamespace: n\ntasks:\n  - {id: a, type: test.old.Say}\n")
    assert (refused.value.namespace, refused.value.flow_id) == ("n", "f")
    assert [note.message for note in refused.value.notes] == ["test.old.Say is replaced by test.Say"]
