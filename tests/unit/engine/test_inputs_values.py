"""What the value of an input of each type may be, and what becomes of it."""

from typing import Any

import pytest

from windhover.engine.inputs import ResolvedInputs, ScopedRenderer, resolve_inputs
from windhover.model.inputs import parse_input


def resolve(definition: dict[str, Any], given: Any = None) -> ResolvedInputs:
    values = {} if given is None else {"i": given}
    renderer = ScopedRenderer({"flow": {"id": "f"}})
    return resolve_inputs([parse_input({"id": "i", **definition})], values, renderer, workflow="ns.f")


@pytest.mark.parametrize(
    ("definition", "given", "value"),
    [
        ({"type": "STRING"}, "", ""),
        ({"type": "STRING"}, {"a": [1, None]}, '{"a":[1,null]}'),
        ({"type": "STRING"}, True, "true"),
        ({"type": "STRING", "validator": r"A\d+"}, "A12", "A12"),
        ({"type": "STRING", "validator": r"(?<n>a)\k<n>"}, "aa", "aa"),
        ({"type": "INT"}, "+5", 5),
        ({"type": "INT"}, "-2147483648", -2147483648),
        ({"type": "INT", "min": 10, "max": 20}, "10", 10),
        ({"type": "FLOAT"}, " 1.5f ", 1.5),
        ({"type": "FLOAT"}, "1e3", 1000.0),
        ({"type": "FLOAT"}, 3, 3.0),
        ({"type": "BOOL"}, "TRUE", True),
        ({"type": "BOOL"}, "maybe", False),
        ({"type": "BOOLEAN"}, True, True),
        ({"type": "DATE"}, "2024-01-02", "2024-01-02"),
        ({"type": "TIME"}, "10:15", "10:15:00"),
        ({"type": "TIME"}, "10:15:30.500", "10:15:30.5"),
        ({"type": "DATETIME"}, "2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05.000000Z"),
        ({"type": "DATETIME"}, "2024-01-02T03:04:05.1234567Z", "2024-01-02T03:04:05.123456Z"),
        ({"type": "DATETIME"}, "2024-01-01T24:00:00Z", "2024-01-02T00:00:00.000000Z"),
        ({"type": "TIME"}, "10:15:30.250", "10:15:30.25"),
        ({"type": "TIME"}, "10:15:30.123456789", "10:15:30.123456789"),
        ({"type": "TIME"}, "10:15:30.000000001", "10:15:30.000000001"),
        ({"type": "TIME"}, "10:15:30.", "10:15:30"),
        ({"type": "DURATION"}, "PT2H", 7200.0),
        ({"type": "DURATION"}, 7200.0, 7200.0),
        ({"type": "DURATION"}, "PT1M1.123456789S", 61.123456789),
        ({"type": "DURATION"}, "-PT0.000000001S", -1e-9),
        ({"type": "JSON"}, '{"a": [1]}', {"a": [1]}),
        ({"type": "JSON"}, "null", None),
        ({"type": "JSON"}, {"a": 1}, {"a": 1}),
        (
            {"type": "YAML"},
            "a: 1\nb: [yes, 12:30, 2024-01-01, 010, '1', ~]",
            {"a": 1, "b": [True, "12:30", "2024-01-01", 8, "1", None]},
        ),
        ({"type": "YAML"}, "a: &x [1]\n1: *x", {"a": [1], "1": [1]}),
        ({"type": "URI"}, "http:/bla", "http:/bla"),
        ({"type": "EMAIL"}, "", ""),
        ({"type": "EMAIL"}, "a.b+c@d-e.f", "a.b+c@d-e.f"),
        ({"type": "ENUM", "values": ["x", "y"]}, "y", "y"),
        ({"type": "ENUM", "values": ["x"], "required": False}, "z", "z"),
        ({"type": "SELECT", "values": [1, 2]}, "1", "1"),
        ({"type": "SELECT", "values": ["x"], "allowCustomValue": True}, "z", "z"),
        ({"type": "SELECT", "expression": "{{ [1, null, true] }}"}, "true", "true"),
        ({"type": "MULTISELECT", "values": ["x", "y"]}, '["y", "x"]', ["y", "x"]),
        ({"type": "MULTISELECT", "options": ["x"]}, ["x"], ["x"]),
        ({"type": "MULTISELECT", "values": [3], "itemType": "INT"}, "[3]", [3]),
        ({"type": "MULTISELECT", "values": ["x"], "allowCustomValue": True}, '["z"]', ["z"]),
        ({"type": "ARRAY", "itemType": "INT"}, '["1", 2]', [1, 2]),
        ({"type": "ARRAY", "itemType": "JSON"}, '["{}", {"a": 1}]', [{}, {"a": 1}]),
        ({"type": "ARRAY", "itemType": "BOOL"}, '["maybe", true]', [False, True]),
        (
            {"type": "FILE"},
            "kestra:///ns/f/executions/e/inputs/i/x.csv",
            "kestra:///ns/f/executions/e/inputs/i/x.csv",
        ),
        ({"type": "FILE", "allowedFileExtensions": [".CSV"]}, "kestra:///a/x.csv", "kestra:///a/x.csv"),
    ],
)
def test_accepted(definition: dict[str, Any], given: Any, value: Any) -> None:
    resolved = resolve(definition, given)
    assert resolved.problems == []
    assert resolved.values == {"i": value}
    assert type(resolved.values["i"]) is type(value)


@pytest.mark.parametrize(
    ("definition", "given", "cause"),
    [
        ({"type": "STRING", "validator": r"A\d+"}, "xA1", r"it must match the pattern `A\d+`"),
        ({"type": "STRING", "validator": r"\w+"}, "é", r"it must match the pattern `\w+`"),
        ({"type": "STRING", "validator": "a.c"}, "a\nc", "it must match the pattern `a.c`"),
        ({"type": "INT"}, "abc", 'For input string: "abc"'),
        ({"type": "INT"}, "5.0", 'For input string: "5.0"'),
        ({"type": "INT"}, "2147483648", 'For input string: "2147483648"'),
        ({"type": "INT"}, "9" * 5000, 'For input string: "' + "9" * 5000 + '"'),
        ({"type": "INT", "min": 10}, "9", "it must be more than `10`"),
        ({"type": "INT", "max": 20}, "21", "it must be less than `20`"),
        ({"type": "FLOAT"}, "x", 'For input string: "x"'),
        ({"type": "FLOAT"}, "NaN", 'For input string: "NaN"'),
        ({"type": "FLOAT"}, "1e400", 'For input string: "1e400"'),
        ({"type": "FLOAT", "max": 1}, "2", "it must be less than `1.0`"),
        ({"type": "DATE"}, "2020", "Text '2020' could not be parsed at index 4"),
        (
            {"type": "DATE"},
            "2024-01-02T10:00:00Z",
            "Text '2024-01-02T10:00:00Z' could not be parsed, unparsed text found at index 10",
        ),
        ({"type": "DATE", "after": "2024-01-01"}, "2023-12-31", "it must be after `2024-01-01`"),
        ({"type": "TIME"}, "10", "Text '10' could not be parsed at index 2"),
        ({"type": "TIME", "before": "11:00:00"}, "12:00", "it must be before `11:00`"),
        (
            {"type": "DATETIME"},
            "2024-01-02T03:04:05",
            "Text '2024-01-02T03:04:05' could not be parsed at index 19",
        ),
        (
            {"type": "DATETIME"},
            "2024-01-02T03:04Z",
            "Text '2024-01-02T03:04Z' could not be parsed at index 16",
        ),
        (
            {"type": "DATETIME", "after": "2024-01-01T00:00:00Z"},
            "2023-01-01T00:00:00Z",
            "it must be after `2024-01-01T00:00:00Z`",
        ),
        ({"type": "DURATION"}, "10", "Text cannot be parsed to a Duration"),
        ({"type": "DURATION"}, "P99999999999D", "Text cannot be parsed to a Duration"),
        ({"type": "DURATION", "min": "PT10S"}, "PT5S", "It must be more than `PT10S`"),
        ({"type": "DURATION", "max": "PT20M"}, "PT1H", "It must be less than `PT20M`"),
        ({"type": "JSON"}, "", "No content to map due to end-of-input"),
        ({"type": "JSON"}, "{a: 1}", "JSON is malformed: object keys must be strings (byte 1)"),
        ({"type": "YAML"}, "", "No content to map due to end-of-input"),
        ({"type": "YAML"}, "a: 1\na: 2", "Duplicate field 'a' (line 2)"),
        ({"type": "YAML"}, "&a [*a]", "found undefined alias 'a' (line 1)"),
        ({"type": "URI"}, "not a uri", "Illegal character in path at index 3: not a uri"),
        ({"type": "URI"}, "http://a b", "Illegal character in authority at index 8: http://a b"),
        ({"type": "URI"}, "%zz", "Malformed escape pair at index 0: %zz"),
        ({"type": "URI"}, "/x", "Invalid URI format."),
        ({"type": "EMAIL"}, "é@b.c", "The input must be a valid email"),
        ({"type": "ENUM", "values": ["x", "y"]}, "z", "it must match the values `[x, y]`"),
        ({"type": "SELECT", "values": ["x", True]}, "", "it must match the values `[x, true]`"),
        (
            {"type": "SELECT", "expression": "{{ 5 }}"},
            "1",
            "i: Invalid expression result. Expected a list of strings",
        ),
        (
            {"type": "SELECT", "expression": "{{ x }}"},
            "1",
            "i: Cannot render 'expression'. Cause:"
            " Unable to find `x` used in the expression `{{ x }}` at line 1",
        ),
        ({"type": "MULTISELECT", "values": ["A"]}, '["Z"]', "value `Z` doesn't match the values `[A]`"),
        (
            {"type": "MULTISELECT", "values": ["A"], "required": False},
            '["Z"]',
            "value `Z` doesn't match the values `[A]`",
        ),
        (
            {"type": "MULTISELECT", "values": ["r"], "options": ["p"]},
            '["r"]',
            "you can't define both `values` and `options`",
        ),
        (
            {"type": "MULTISELECT", "values": ["x"]},
            "[null]",
            "Unable to parse array element as `STRING` on `null`",
        ),
        ({"type": "ARRAY", "itemType": "INT"}, '["s1"]', "Unable to parse array element as `INT` on `s1`"),
        ({"type": "ARRAY", "itemType": "INT"}, "{}", "a JSON list is expected, not `{}`"),
        (
            {"type": "FILE"},
            "text",
            "text (No such file or directory): give a file, or the URI of one in the storage",
        ),
        (
            {"type": "FILE", "allowedFileExtensions": [".csv", ".json"]},
            "kestra:///a/x.txt",
            "File type not allowed. Accepted extensions: .csv, .json",
        ),
    ],
)
def test_refused(definition: dict[str, Any], given: Any, cause: str) -> None:
    (problem,) = resolve(definition, given).problems
    assert problem.message == f"Invalid value for input `i`. Cause: {cause}"
    assert (problem.id, problem.value) == ("i", given)


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ({"type": "STRING", "defaults": "{{ flow.id }}!"}, "f!"),
        ({"type": "STRING", "defaults": ""}, ""),
        ({"type": "STRING", "defaults": {"x": 1}}, '{"x":1}'),
        ({"type": "INT", "defaults": 7.9}, 7),
        ({"type": "INT", "defaults": "{{ 3 + 4 }}"}, 7),
        ({"type": "BOOL", "defaults": "{{ 1 == 1 }}"}, True),
        ({"type": "BOOL", "defaults": 1}, True),
        ({"type": "DATE", "defaults": "2024-01-02T23:30:00-02:00"}, "2024-01-03"),
        ({"type": "DURATION", "defaults": 10.5}, 10.5),
        ({"type": "JSON", "defaults": {"a": "{{ flow.id }}"}}, {"a": "f"}),
        ({"type": "JSON", "defaults": '"x"'}, "x"),
        ({"type": "YAML", "defaults": "x: [1]"}, {"x": [1]}),
        ({"type": "ARRAY", "itemType": "INT", "defaults": [1, "2"]}, [1, 2]),
        ({"type": "ARRAY", "itemType": "STRING", "defaults": "{{ [1, 2] }}"}, ["1", "2"]),
        ({"type": "SELECT", "values": ["x", "y"], "autoSelectFirst": True}, "x"),
        ({"type": "SELECT", "expression": "{{ [1, 2] }}", "autoSelectFirst": True}, "1"),
        ({"type": "MULTISELECT", "values": ["x", "y"], "autoSelectFirst": True}, ["x"]),
        ({"type": "FILE", "defaults": "nsfile:///a.csv"}, "nsfile:///a.csv"),
    ],
)
def test_defaults_are_rendered_and_typed(definition: dict[str, Any], value: Any) -> None:
    resolved = resolve(definition)
    assert resolved.problems == []
    assert resolved.values == {"i": value}
    assert resolved.inputs[0].is_default


@pytest.mark.parametrize(
    ("definition", "cause"),
    [
        ({"type": "BOOL", "defaults": "yes"}, "`yes` is neither `true` nor `false`"),
        ({"type": "INT", "defaults": "abc"}, 'For input string: "abc"'),
        ({"type": "INT", "min": 5, "defaults": 3}, "it must be more than `5`"),
        (
            {"type": "STRING", "defaults": "{{ nope }}"},
            "Unable to find `nope` used in the expression `{{ nope }}` at line 1",
        ),
        ({"type": "SELECT", "values": ["x"], "defaults": "z"}, "it must match the values `[x]`"),
    ],
)
def test_defaults_are_held_against_the_rules(definition: dict[str, Any], cause: str) -> None:
    (problem,) = resolve(definition).problems
    assert problem.message == f"Invalid value for input `i`. Cause: {cause}"


def test_a_pattern_that_backtracks_forever_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windhover.model.inputs.patterns.MATCH_SECONDS", 0.05)
    (problem,) = resolve({"type": "STRING", "validator": r"(a|aa)+\1b"}, "a" * 200).problems
    assert problem.message.endswith(r"Cause: matching the pattern `(a|aa)+\1b` takes too long")


def test_a_short_yaml_that_stands_for_a_huge_tree_is_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)
    )
    (problem,) = resolve({"type": "YAML"}, bomb).problems
    assert "the YAML has more than 200000 values" in problem.message


@pytest.mark.parametrize("type_", ["JSON", "YAML"])
def test_data_nested_beyond_reason_is_refused(type_: str) -> None:
    assert len(resolve({"type": type_}, "[" * 50_000 + "]" * 50_000).problems) == 1


@pytest.mark.parametrize(
    ("type_", "default", "value"),
    [
        ("INT", "1e2", 100),
        ("INT", " 1 ", 1),
        ("INT", "{{ 1.9 }}", 1),
        ("BOOL", " true ", True),
        ("URI", " http://x ", "http://x"),
        ("DURATION", "60", 60.0),
        ("DURATION", "{{ 1.5 }}", 1.5),
        ("DATETIME", "1704164645", "2024-01-02T03:04:05.000000Z"),
        ("DATE", "19724", "2024-01-02"),
        ("STRING", " x ", " x "),
        ("STRING", "{{ null }}", ""),
        ("EMAIL", "{{ null }}", ""),
    ],
)
def test_defaults_are_read_more_loosely_than_given_values(type_: str, default: str, value: Any) -> None:
    resolved = resolve({"type": type_, "defaults": default})
    assert (resolved.values, resolved.problems) == ({"i": value}, [])


@pytest.mark.parametrize("type_", ["INT", "FLOAT", "BOOL", "DATETIME", "DATE", "TIME", "DURATION"])
@pytest.mark.parametrize("default", ["", "  ", "{{ '' }}", "{{ null }}"])
def test_a_default_that_comes_to_nothing_is_none(type_: str, default: str) -> None:
    resolved = resolve({"type": type_, "defaults": default})
    assert [problem.message for problem in resolved.problems] == ["Missing required input:i"]


def test_every_wrong_choice_is_named() -> None:
    resolved = resolve({"type": "MULTISELECT", "values": ["A", "B"]}, '["A", "Y", "Z"]')
    assert [problem.message for problem in resolved.problems] == [
        "Invalid value for input `i`. Cause: value `Y` doesn't match the values `[A, B]`\n"
        "Invalid value for input `i`. Cause: value `Z` doesn't match the values `[A, B]`"
    ]


@pytest.mark.parametrize(
    ("type_", "given", "cause"),
    [
        ("URI", "://x", "Expected scheme name at index 0: ://x"),
        ("URI", "1http://x", "Illegal character in scheme name at index 0: 1http://x"),
        ("URI", "h_t://x", "Illegal character in scheme name at index 1: h_t://x"),
        ("URI", "http://", "Expected authority at index 7: http://"),
        ("URI", "a:", "Expected scheme-specific part at index 2: a:"),
        ("URI", "a/b:c", "Invalid URI format."),
        ("FLOAT", "", "empty String"),
        (
            "DATE",
            "2024-01-32",
            "Text '2024-01-32' could not be parsed: Invalid value for DayOfMonth"
            " (valid values 1 - 28/31): 32",
        ),
        ("DATE", "2023-02-29", "Text '2023-02-29' could not be parsed: Invalid date 'FEBRUARY 29'"),
        (
            "TIME",
            "10:60",
            "Text '10:60' could not be parsed: Invalid value for MinuteOfHour (valid values 0 - 59): 60",
        ),
    ],
)
def test_what_is_wrong_is_said_in_known_words(type_: str, given: str, cause: str) -> None:
    resolved = resolve({"type": type_}, given)
    assert resolved.problems[0].message == f"Invalid value for input `i`. Cause: {cause}"
