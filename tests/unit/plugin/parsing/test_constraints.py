"""``constraints`` says what is wrong in the words that clients of the REST API know."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from windhover.model.problem import FlowInvalid
from windhover.plugin.parsing import ParsedFlow

FLOW = "id: f\nnamespace: n\ntasks:\n  - id: a\n    type: test.Say\n    message: hi\n"
Parse = Callable[..., ParsedFlow]


def constraints(parse: Parse, source: str) -> list[str]:
    with pytest.raises(FlowInvalid) as refused:
        parse(source)
    return refused.value.constraints.split("\n")


def test_a_missing_id_is_both_null_and_blank(parse: Parse) -> None:
    found = constraints(parse, FLOW.replace("id: f\n", ""))
    assert found == ["id: must not be null", "id: must not be blank"]


def test_a_property_is_named_by_the_id_of_its_task(parse: Parse) -> None:
    nested = "  - {id: g, type: test.Group, tasks: [{id: b, type: test.Say}]}\n"
    assert constraints(parse, FLOW + nested) == ["b.message: must not be null"]


def test_a_property_of_a_task_without_id_is_named_by_its_place(parse: Parse) -> None:
    nested = "  - {id: g, type: test.Group, tasks: [{type: test.Say, message: x}]}\n"
    found = constraints(parse, FLOW + nested)
    assert found == ["tasks[1].tasks[0].id: must not be null", "tasks[1].tasks[0].id: must not be blank"]


def test_a_rule_of_a_task_is_named_by_its_id_alone(parse: Parse) -> None:
    tasks = ", ".join(f"{{id: t{number}, type: test.Say, message: x}}" for number in range(4))
    found = constraints(parse, f"{FLOW}  - {{id: g, type: test.Group, tasks: [{tasks}]}}\n")
    assert found == ["g: too many tasks"]


def test_what_lies_deeper_in_a_task_is_named_by_its_place(parse: Parse) -> None:
    found = constraints(parse, FLOW + "    retry: {type: constant}\n")
    assert found == ["tasks[0].retry.interval: must not be null"]


def test_a_rule_between_properties_has_a_name_of_its_own(parse: Parse) -> None:
    found = constraints(parse, FLOW + "    retry: {type: constant, interval: PT1M, maxDuration: PT1S}\n")
    assert found == ["tasks[0].retry.intervalLessThanMaxDuration: 'interval' must be less than 'maxDuration'"]


def test_triggers_are_named_by_their_place(parse: Parse) -> None:
    found = constraints(parse, FLOW + "triggers:\n  - {id: t, type: test.Timer}\n")
    assert found == ["triggers[0].cron: must not be null"]


def test_inputs_are_named_by_their_id(parse: Parse) -> None:
    found = constraints(parse, FLOW + "inputs:\n  - {id: i, type: ARRAY}\n")
    assert found == ["i.itemType: must not be null"]


def test_labels_of_a_map_are_named_as_if_they_stood_in_a_list(parse: Parse) -> None:
    assert constraints(parse, FLOW + "labels:\n  a: b\n  team: ''\n") == [
        "labels[1].value: must not be empty"
    ]


def test_unknown_properties_and_types_are_named_without_a_place(parse: Parse) -> None:
    found = constraints(parse, FLOW + "  - {id: b, type: test.Nope}\nfoo: bar\n")
    assert found == ['Unrecognized field "foo"', "Invalid type: test.Nope"]


def test_values_of_the_wrong_kind_are_parsing_errors(parse: Parse) -> None:
    found = constraints(parse, FLOW + "disabled: maybe\n")
    assert found == [
        "Illegal flowwithsource source: YAML parsing error: Cannot deserialize value of type `boolean` from "
        'String "maybe": only "true"/"True"/"TRUE" or "false"/"False"/"FALSE" recognized '
        "(through reference chain: disabled) (at line 7)"
    ]


def test_rules_of_the_whole_flow_share_one_line_in_a_fixed_order(parse: Parse) -> None:
    source = (
        "id: pause\nnamespace: n\nlabels: {system.x: y}\n"
        "outputs:\n  - {id: o, type: STRING, value: x}\n  - {id: o, type: STRING, value: x}\n"
        "inputs: [{id: i, type: INT}, {id: j, type: INT}, {id: j, type: INT}, {id: i, type: INT}]\n"
        "tasks:\n  - {id: a, type: test.Say, message: x}\n  - {id: a, type: test.Say, message: x}\n"
        "triggers:\n  - {id: t, type: test.Timer, cron: x}\n  - {id: t, type: test.Timer, cron: x}\n"
    )
    assert constraints(parse, source) == [
        "Invalid Flow: Flow id is a reserved keyword: pause. List of reserved keywords: pause, resume, "
        "force-run, change-status, kill, executions, search, source, disable, enable, "
        "Duplicate task id with name [a], Duplicate trigger id with name [t], "
        "Duplicate input with name [j, i], Duplicate output with name [o], "
        "System labels can only be set by Kestra itself, offending label: system.x=y"
    ]
