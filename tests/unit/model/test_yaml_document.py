"""YAML into plain values."""

from __future__ import annotations

import math

import pytest

from windhover.model.execution import JsonValue
from windhover.model.yaml.document import DocumentInvalid, read_document
from windhover.model.yaml.limits import SourceLimits


def value_of(source: str | bytes) -> JsonValue:
    document = read_document(source)
    assert not document.problems
    return document.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("on", True),
        ("Off", False),
        ("yes", True),
        ("NO", False),
        ("yEs", "yEs"),
        ("y", "y"),
        ("n", "n"),
        ("null", None),
        ("NULL", None),
        ("~", None),
        ("", None),
        ("'null'", "null"),
        ('"1"', "1"),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("012", 10),
        ("08", "08"),
        ("00", 0),
        ("-01", -1),
        ("0o14", "0o14"),
        ("0x1F", 31),
        ("-0x10", -16),
        ("0x", "0x"),
        ("1_000", 1000),
        ("_1", "_1"),
        ("0b101", 5),
        ("1_0.5", 10.5),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("1.2.3", "1.2.3"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("=", "="),
        ("<<", "<<"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int '12'", 12),
        ("!!float 3", 3.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!timestamp 2024-01-01", "2024-01-01"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
    ],
)
def test_a_scalar_means_what_kestra_reads(text: str, value: JsonValue) -> None:
    found = value_of(f"- {text}\n")[0]
    assert (found, type(found)) == (value, type(value))


def test_null_takes_a_member_of_a_map_away() -> None:
    assert value_of("a: null\nb: ~\nc: {d: Null, e: [null, {f: ~, g: 1}]}\nh:\n") == {
        "c": {"e": [None, {"g": 1}]},
        "h": None,
    }


def test_null_takes_away_what_a_merge_brings() -> None:
    assert value_of("a: &x {p: 1, q: 2}\nb: {<<: *x, q: ~}\n")["b"] == {"p": 1}


def test_a_member_that_is_null_counts_as_written() -> None:
    (problem,) = read_document("a: null\na: 1\n").problems
    assert problem.message == "Duplicate field 'a' at line 2, set already at line 1"


def test_paths_may_keep_numbers_and_booleans_as_they_are_written() -> None:
    source = "a: [yes, 1.10, 012, 12, true, null, x]\nb: 1.10\n"
    document = read_document(source, keeps_text=lambda path: list(path)[:1] == ["a"])
    assert document.value == {"a": ["yes", "1.10", "012", 12, True, None, "x"], "b": 1.1}


def test_names_of_properties_are_text_as_written() -> None:
    assert value_of("1: a\ntrue: b\n1.0: c\nnull: d\n0x10: e\n") == {
        "1": "a",
        "true": "b",
        "1.0": "c",
        "null": "d",
        "0x10": "e",
    }


def test_merge_keys_take_what_is_not_written_and_the_first_source_wins() -> None:
    source = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 0\n"
    assert value_of(source)["c"] == {"x": 0, "y": 1, "z": 2}


def test_a_quoted_merge_key_is_a_name_like_others() -> None:
    assert value_of("'<<': {a: 1}\n") == {"<<": {"a": 1}}


def test_a_document_may_have_markers_and_a_byte_order_mark() -> None:
    assert value_of(b"\xef\xbb\xbf%YAML 1.2\n---\na: 1\n...\n") == {"a": 1}


def test_positions_follow_aliases_and_merged_properties_to_where_they_are_written() -> None:
    positions = read_document("a: &a\n  x: 1\nb: *a\nc:\n  <<: *a\n  y: 2\n").positions
    assert positions.value(("b",)) == (3, 4)
    assert positions.value(("b", "x")) == (2, 6)
    assert positions.key(("c", "x")) == (2, 3)
    assert positions.key(("c", "y")) == (6, 3)


def test_the_position_of_what_is_not_written_is_that_of_what_is_around_it() -> None:
    positions = read_document("a:\n  b: 1\n").positions
    assert positions.value(("a", "nope", 3)) == (2, 3)
    assert not positions.is_written(("a", "nope"))


def refused(source: str | bytes, limits: SourceLimits) -> str:
    with pytest.raises(DocumentInvalid) as invalid:
        read_document(source, limits)
    return str(invalid.value)


def test_a_bomb_of_aliases_is_refused_for_what_it_stands_for() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "more than 100000 values, aliases followed" in refused("\n".join(lines), SourceLimits())


def test_aliases_do_not_get_round_the_limit_of_depth() -> None:
    nested = "[" * 60 + "x" + "]" * 60
    source = f"a: &a {nested}\nb: {'[' * 60}*a{']' * 60}\n"
    assert "nested more than 100 deep" in refused(source, SourceLimits())


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(opening: str) -> None:
    with pytest.raises(DocumentInvalid):
        read_document(opening * 100_000)


def test_size_counts_bytes() -> None:
    assert "larger than 10 bytes" in refused("k: ééééé", SourceLimits(size=10))


def test_all_duplicates_are_told_with_both_lines() -> None:
    problems = read_document("a: 1\nb: 2\na: 3\nb: 4\n").problems
    assert [problem.message for problem in problems] == [
        "Duplicate field 'a' at line 3, set already at line 1",
        "Duplicate field 'b' at line 4, set already at line 2",
    ]
