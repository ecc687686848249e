"""Defaults are merged into what the author wrote before it is checked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from windhover.model.execution import JsonValue
from windhover.model.plugin_default import PluginDefault
from windhover.model.problem import FlowInvalid
from windhover.plugin.parsing import ParsedFlow
from windhover.plugin.plugin_defaults import apply_plugin_defaults
from windhover.plugin.registry import Registry
from windhover.plugin.task import TaskDefinition

Parse = Callable[..., ParsedFlow]

HEAD = "id: f\nnamespace: n\ntasks:\n  - {id: a, type: test.Say}\n"


def properties(parsed: ParsedFlow, task_id: str = "a") -> JsonValue:
    task = parsed.flow.task_by_id(task_id)
    assert isinstance(task, TaskDefinition)
    return task.properties


def merged(task: dict[str, JsonValue], registry: Registry, *levels: list[PluginDefault]) -> JsonValue:
    return apply_plugin_defaults({"tasks": [task]}, levels, registry)["tasks"][0]


def default(type: str, forced: bool = False, **values: JsonValue) -> PluginDefault:
    return PluginDefault(type=type, forced=forced, values=values)


def test_a_required_property_may_come_from_a_default(parse: Parse) -> None:
    parsed = parse(HEAD + "pluginDefaults: [{type: test.Say, values: {message: hi}}]\n")
    assert properties(parsed) == {"message": "hi"}
    assert parsed.flow.to_json()["tasks"] == [{"id": "a", "type": "test.Say"}]


def test_task_defaults_are_the_older_name(parse: Parse) -> None:
    parsed = parse(HEAD + "taskDefaults: [{type: test.Say, values: {message: hi}}]\n")
    assert properties(parsed) == {"message": "hi"}


def test_defaults_reach_nested_tasks_triggers_and_conditions(parse: Parse) -> None:
    parsed = parse(
        "id: f\nnamespace: n\ntasks:\n  - {id: g, type: test.Group, tasks: [{id: a, type: test.Say}]}\n"
        "triggers: [{id: t, type: test.Timer, conditions: [{type: test.Is}]}]\n"
        "pluginDefaults:\n  - {type: test.Say, values: {message: hi}}\n"
        "  - {type: test.Timer, values: {cron: x}}\n  - {type: test.Is, values: {expression: y}}\n"
    )
    assert properties(parsed) == {"message": "hi"}
    assert parsed.flow.triggers[0].conditions[0].model_dump()["expression"] == "y"


def test_what_the_author_wrote_wins_unless_the_default_is_forced(registry: Registry) -> None:
    task = {"type": "test.Say", "message": "mine"}
    assert merged(task, registry, [default("test.Say", message="d")])["message"] == "mine"
    assert merged(task, registry, [default("test.Say", forced=True, message="d")])["message"] == "d"


def test_inner_levels_win_unless_forced(registry: Registry) -> None:
    task = {"type": "test.Say"}
    inner, outer = default("test.Say", message="inner"), default("test.Say", message="outer")
    assert merged(task, registry, [inner], [outer])["message"] == "inner"
    forced_inner = default("test.Say", forced=True, message="inner")
    forced_outer = default("test.Say", forced=True, message="outer")
    assert merged(task, registry, [forced_inner], [forced_outer])["message"] == "outer"


def test_the_first_of_several_entries_and_the_more_specific_type_win(registry: Registry) -> None:
    task = {"type": "test.Say"}
    entries = [
        default("test", message="p"),
        default("test.Say", message="1"),
        default("test.Say", message="2"),
    ]
    assert merged(task, registry, entries)["message"] == "1"


def test_maps_are_merged_deeply_and_lists_joined(registry: Registry) -> None:
    task = {"type": "test.Say", "options": {"a": "mine"}, "message": ["mine"]}
    entry = default("test.Say", options={"a": "d", "b": "d"}, message=["d"])
    assert merged(task, registry, [entry]) == {
        "type": "test.Say",
        "options": {"a": "mine", "b": "d"},
        "message": ["d", "mine"],
    }


def test_an_entry_for_an_alias_serves_the_type_but_not_the_other_way_round(registry: Registry) -> None:
    assert merged({"type": "test.Say"}, registry, [default("test.old.Say", times=2)])["times"] == 2
    assert "times" not in merged({"type": "test.old.Say"}, registry, [default("test.Say", times=2)])


def test_an_entry_for_many_types_gives_each_what_it_has(registry: Registry) -> None:
    entry = default("test", cron="x", message="y")
    assert merged({"type": "test.Timer"}, registry, [entry]) == {"type": "test.Timer", "cron": "x"}
    assert merged({"type": "test.Say"}, registry, [entry]) == {"type": "test.Say", "message": "y"}


def test_defaults_of_the_server_come_last(parse: Parse) -> None:
    server = [default("test.Say", message="server", times=3)]
    parsed = parse(
        HEAD + "pluginDefaults: [{type: test.Say, values: {message: flow}}]\n", plugin_defaults=[server]
    )
    assert properties(parsed) == {"message": "flow", "times": 3}


def test_what_was_written_is_not_changed(registry: Registry) -> None:
    task: dict[str, JsonValue] = {"type": "test.Say", "options": {}}
    merged(task, registry, [default("test.Say", options={"a": "b"})])
    assert task == {"type": "test.Say", "options": {}}


def test_defaults_within_defaults_end(parse: Parse) -> None:
    nested = "".join(
        f"  - {{type: x{number}., values: {{a: {{type: x{number + 1}.}}, b: {{type: x{number + 1}.}}}}}}\n"
        for number in range(30)
    )
    with pytest.raises(FlowInvalid, match="nested too deeply, or are too many"):
        parse(HEAD + "variables: {v: {type: x0.}}\npluginDefaults:\n" + nested)
