"""Who writes a property that changes nothing is told so, with its place and what to do instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from windhover.plugin.parsing import ParsedFlow

Parse = Callable[..., ParsedFlow]

TASK = "{id: t, type: test.Say, message: hi}"


def told(parsed: ParsedFlow) -> list[str]:
    return [
        f"{problem.line}:{problem.column} {problem.path} {problem.message}" for problem in parsed.warnings
    ]


def irrelevant(task: str, name: str) -> str:
    return f"The task '{task}' cannot use the '{name}' property as it's only relevant for runnable tasks."


def flow(tasks: str, more: str = "") -> str:
    return f"id: f\nnamespace: n\ntasks:\n{tasks}\n{more}"


@pytest.mark.parametrize("name", ["taskCache", "workerGroup", "logToFile"])
def test_flow_control_cannot_use_what_only_workers_look_at(parse: Parse, name: str) -> None:
    value = {"taskCache": "{enabled: true}", "workerGroup": "{key: gpu}", "logToFile": "true"}[name]
    group = f"  - id: g\n    type: test.Group\n    {name}: {value}\n    tasks: [{TASK}]"
    parsed = parse(flow(group))
    assert told(parsed) == [f"6:5 tasks[0].{name} {irrelevant('g', name)}"]


def test_it_is_told_at_every_depth_and_in_every_list(parse: Parse) -> None:
    cached = "{id: %s, type: test.Group, taskCache: {enabled: true}, tasks: [%s]}"
    inner = cached % ("inner", TASK)
    source = flow(f"  - {{id: g, type: test.Group, tasks: [{inner}]}}")
    for number, place in enumerate(("errors", "finally", "afterExecution")):
        task = TASK.replace("id: t", f"id: t{number}")
        source += f"{place}:\n  - {cached % (place, task)}\n"
    told_of = [problem.message for problem in parse(source).warnings]
    names = ("inner", "errors", "finally", "afterExecution")
    assert told_of == [irrelevant(name, "taskCache") for name in names]


def test_what_takes_time_may_have_a_limit_and_what_does_not_may_not(parse: Parse) -> None:
    tasks = "\n".join(
        [
            f"  - {{id: group, type: test.Group, timeout: PT1M, tasks: [{TASK}]}}",
            "  - {id: start, type: test.Start, namespace: x, flowId: y, timeout: PT1M}",
            "  - {id: mark, type: test.Mark, timeout: PT1M}",
        ]
    )
    assert [problem.message for problem in parse(flow(tasks)).warnings] == [irrelevant("mark", "timeout")]


def test_what_a_plugin_default_gives_is_meant_for_the_types_that_can_use_it(parse: Parse) -> None:
    defaults = "pluginDefaults:\n  - {type: test, values: {taskCache: {enabled: true}}}\n"
    parsed = parse(flow(f"  - {{id: g, type: test.Group, tasks: [{TASK}]}}", defaults))
    assert told(parsed) == []


@pytest.mark.parametrize(
    ("line", "place", "remedy"),
    [
        ("quotas: [{duration: PT1H, limit: 3, behavior: FAIL}]", "5:1 quotas", "limited by `concurrency`."),
        ("workerGroup: {key: gpu}", "5:1 workerGroup", "every worker takes every task. Leave it out."),
        ("draft: true", "5:1 draft", "`disabled: true` keeps the flow from running."),
    ],
)
def test_what_no_part_of_the_server_looks_at_is_told_with_a_remedy(
    parse: Parse, line: str, place: str, remedy: str
) -> None:
    (message,) = told(parse(flow(f"  - {TASK}", line)))
    name = line.partition(":")[0]
    assert message.startswith(f"{place} The `{name}` of the flow has no effect: ")
    assert message.endswith(remedy)


def test_tasks_and_triggers_are_named(parse: Parse) -> None:
    task = TASK.replace("hi", "hi, workerGroup: {key: gpu}, pluginDefaultsRef: x")
    trigger = 'triggers:\n  - {id: at, type: test.Timer, cron: "0 0 * * *", assets: {inputs: [{id: a}]}}\n'
    messages = [problem.message for problem in parse(flow(f"  - {task}", trigger)).warnings]
    assert [message.partition(" has no effect")[0] for message in messages] == [
        "The `workerGroup` of the task 't'",
        "The `pluginDefaultsRef` of the task 't'",
        "The `assets` of the trigger 'at'",
    ]


def test_what_is_switched_off_asks_for_nothing(parse: Parse) -> None:
    parsed = parse(flow(f"  - {TASK}", "draft: false\nquotas: []\nworkerGroup:\n"))
    assert told(parsed) == []
