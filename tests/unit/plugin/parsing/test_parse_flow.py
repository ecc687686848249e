"""What a well-formed flow becomes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from windhover.model.concurrency import ConcurrencyBehavior
from windhover.model.execution import Label
from windhover.model.problem import FlowInvalid, Severity
from windhover.model.retry import ConstantRetry
from windhover.model.sla import MaxDurationSla
from windhover.model.state import StateType
from windhover.model.yaml.limits import SourceLimits
from windhover.plugin.parsing import ParsedFlow
from windhover.plugin.task import TaskDefinition
from windhover.plugin.trigger import TriggerDefinition

Parse = Callable[..., ParsedFlow]

FLOW = "id: f\nnamespace: n\ntasks:\n  - id: a\n    type: test.Say\n    message: hi\n"

FULL = """\
id: full
namespace: company.team
revision: 3
description: |
  A flow.
labels: {team: a, cost: 1, fast: true}
inputs:
  - {id: who, type: STRING, defaults: you}
  - {id: count, type: INT, required: false}
variables: {greeting: "hello {{ inputs.who }}", nested: {on: off}}
concurrency: {limit: 2, behavior: CANCEL}
retry: {type: constant, interval: PT1S, behavior: CREATE_NEW_EXECUTION}
sla:
  - {id: quick, type: MAX_DURATION, duration: PT1H, behavior: FAIL, labels: {late: really}}
  - {id: true, type: EXECUTION_ASSERTION, assert: "{{ true }}", behavior: NONE}
checks:
  - {condition: "{{ inputs.count > 1 }}", message: Too few}
  - {when: "{{ true }}", message: Never, style: ERROR, behavior: FAIL_EXECUTION}
workerGroup: {key: gpu, fallback: WAIT}
workerSelector: {tags: [gpu, eu-west-1], match: ANY}
quotas: [{duration: PT1H, limit: 10, behavior: FAIL}]
policyRefs: [p]
draft: true
disabled: false
tasks:
  - id: say
    type: test.Say
    message: "{{ vars.greeting }}"
    times: "{{ inputs.count }}"
    timeout: PT1M
    runIf: false
    allowFailure: true
    logLevel: WARN
    taskCache: {enabled: true, ttl: P1D}
    retry: {type: exponential, interval: PT1S, maxInterval: PT10S, maxAttempts: 3}
    workerGroup: {key: "{{ inputs.who }}"}
  - id: group
    type: test.Group
    tasks:
      - {id: inner, type: test.Say, message: [a, b]}
    errors:
      - {id: mend, type: test.Say, message: x}
    finally:
      - {id: tidy, type: test.Say, message: x}
errors:
  - {id: alarm, type: test.Say, message: x}
finally:
  - {id: last, type: test.Say, message: x}
afterExecution:
  - {id: after, type: test.Say, message: x}
outputs:
  - {id: result, type: STRING, value: "{{ outputs.say.value }}", required: false}
triggers:
  - id: nightly
    type: test.Timer
    cron: "0 0 * * *"
    stopAfter: [FAILED]
    labels: [{key: by, value: night}]
    assets: {inputs: [{id: table, type: t}], outputs: "{{ outputs.x }}"}
    conditions:
      - {type: test.Not, condition: {type: test.Is, expression: "{{ false }}"}}
  - {id: look, type: test.Poll, uri: "{{ vars.uri }}", interval: PT5S}
"""


def test_every_property_is_read(parse: Parse) -> None:
    flow = parse(FULL).flow
    assert flow.labels == (Label("team", "a"), Label("cost", "1"), Label("fast", "true"))
    assert flow.variables == {"greeting": "hello {{ inputs.who }}", "nested": {"on": False}}
    assert flow.concurrency is not None
    assert flow.concurrency.behavior is ConcurrencyBehavior.CANCEL
    assert isinstance(flow.retry, ConstantRetry)
    assert isinstance(flow.sla[0], MaxDurationSla)
    assert flow.sla[0].labels == (Label("late", "really"),)
    assert [check.condition for check in flow.checks] == ["{{ inputs.count > 1 }}", "{{ true }}"]
    assert flow.worker_selector is not None
    assert flow.worker_selector.tags == ("gpu", "eu-west-1")
    assert flow.draft
    assert [entry.id for entry in flow.inputs] == ["who", "count"]
    assert flow.outputs[0].required is False
    trigger = flow.trigger_by_id("nightly")
    assert trigger is not None
    assert trigger.stop_after == (StateType.FAILED,)
    assert trigger.labels == (Label("by", "night"),)


def test_a_worker_task_keeps_its_properties_as_written_beside_its_class(parse: Parse) -> None:
    task = parse(FULL).flow.task_by_id("say")
    assert isinstance(task, TaskDefinition)
    assert task.plugin.type_name == "test.Say"
    assert task.properties == {"message": "{{ vars.greeting }}", "times": "{{ inputs.count }}"}
    assert (task.timeout, task.run_if, task.allow_failure) == ("PT1M", "false", True)


def test_a_worker_trigger_keeps_its_properties_as_written_beside_its_class(parse: Parse) -> None:
    trigger = parse(FULL).flow.trigger_by_id("look")
    assert isinstance(trigger, TriggerDefinition)
    assert trigger.properties == {"uri": "{{ vars.uri }}", "interval": "PT5S"}


def test_tasks_are_found_at_every_depth_with_their_parents(parse: Parse) -> None:
    flow = parse(FULL).flow
    placed = [(task.id, parent and parent.id) for task, parent in flow.all_tasks()]
    assert sorted(placed, key=str) == sorted(
        [
            ("say", None),
            ("group", None),
            ("inner", "group"),
            ("mend", "group"),
            ("tidy", "group"),
            ("alarm", None),
            ("last", None),
            ("after", None),
        ],
        key=str,
    )
    parent = flow.parent_of("inner")
    assert parent is not None
    assert parent.id == "group"
    assert flow.task_by_id("nobody") is None


def test_a_flow_is_immutable_hashable_and_equal_to_its_revision(parse: Parse) -> None:
    flow, again = parse(FULL).flow, parse(FULL).flow
    assert flow == again
    assert len({flow, again}) == 1
    assert flow.uid == "company.team_full_3"
    assert flow.with_revision(4) != flow
    assert flow.with_revision(4).uid_without_revision == flow.uid_without_revision
    with pytest.raises(ValidationError):
        flow.disabled = True  # type: ignore[misc]


def test_a_variable_without_a_value_is_empty_and_one_that_is_null_is_not_there(parse: Parse) -> None:
    source = FLOW + "variables:\n  a:\n  b: null\n  c: {d: , e: ~, f: [null, {g: }]}\n"
    assert parse(source).flow.variables == {"a": "", "c": {"d": "", "f": [None, {"g": ""}]}}


def test_what_is_null_counts_as_not_written_whatever_it_is_called(parse: Parse) -> None:
    source = FLOW + "    nope: null\nnope: ~\ndescription: null\n"
    assert parse(source).flow == parse(FLOW).flow


def test_the_text_is_kept_as_it_is(parse: Parse) -> None:
    source = "\ufeff" + FLOW.replace("\n", "\r\n") + "# the end\n\n"
    assert parse(source).source == source
    assert parse(source.encode()).source == source


def test_json_is_what_the_author_wrote_with_what_clients_rely_on(parse: Parse) -> None:
    shown = parse(FLOW + "labels: {a: b}\ninputs:\n  - {id: i, type: INT, defaults: 2}\n").flow.to_json()
    assert shown == {
        "id": "f",
        "namespace": "n",
        "inputs": [{"id": "i", "type": "INT", "required": True, "defaults": 2}],
        "labels": [{"key": "a", "value": "b"}],
        "tasks": [{"id": "a", "type": "test.Say", "message": "hi"}],
        "triggers": [],
        "disabled": False,
        "deleted": False,
    }


def test_json_of_a_full_flow_is_json(parse: Parse) -> None:
    import json

    shown = parse(FULL).flow.to_json()
    assert json.loads(json.dumps(shown)) == shown
    assert shown["checks"][1]["condition"] == "{{ true }}"
    assert shown["tasks"][1]["tasks"][0]["id"] == "inner"


def test_what_is_written_without_a_value_is_not_written(parse: Parse) -> None:
    flow = parse(FLOW + "    runIf:\n    times:\nlabels:\nerrors:\ninputs: null\ndisabled:\n").flow
    assert (flow.labels, flow.errors, flow.inputs, flow.disabled) == ((), (), (), False)
    assert flow.tasks[0].run_if == "true"


def test_expressions_pass_where_values_are_rendered(parse: Parse) -> None:
    flow = parse(FLOW.replace("hi", "'{{ outputs.x }}'") + "    times: '{{ 1 + 1 }}'\n").flow
    assert flow.tasks[0].id == "a"


def test_anchors_aliases_and_merge_keys_work(parse: Parse) -> None:
    source = (
        "id: f\nnamespace: n\nvariables:\n  base: &base {type: test.Say, times: 2}\ntasks:\n"
        "  - {<<: *base, id: a, message: hi}\n  - {id: b, message: ho, times: 3, <<: *base}\n"
    )
    first, second = parse(source).flow.tasks
    assert isinstance(first, TaskDefinition)
    assert isinstance(second, TaskDefinition)
    assert (first.properties["times"], second.properties["times"]) == (2, 3)


def test_aliases_of_types_are_told_with_their_current_names(parse: Parse) -> None:
    parsed = parse(FLOW.replace("test.Say", "test.old.Say"))
    assert [problem.message for problem in parsed.infos] == ["test.old.Say is replaced by test.Say"]
    assert parsed.infos[0].severity is Severity.INFO
    assert parsed.flow.tasks[0].type == "test.old.Say"


def test_deprecations_are_told_with_their_paths(parse: Parse) -> None:
    parsed = parse(
        FLOW.replace("test.Say", "test.Shout")
        + "taskDefaults: [{type: x, values: {}}]\n"
        + "listeners: [{tasks: [{id: l, type: test.Say, message: x}]}]\n"
        + "inputs:\n  - {name: i, type: BOOLEAN}\n"
    )
    assert {problem.path for problem in parsed.deprecations} == {
        "tasks[0]",
        "taskDefaults",
        "listeners",
        "inputs[0].name",
        "inputs[0]",
    }


def test_a_trigger_on_everything_is_warned_of(parse: Parse) -> None:
    warned = parse(FLOW + "triggers:\n  - {id: t, type: test.Upstream}\n").warnings
    narrowed = parse(FLOW + "triggers:\n  - {id: t, type: test.Upstream, when: x}\n").warnings
    assert [problem.message.split(".")[0] for problem in warned] == [
        "This flow will be triggered for EVERY execution of EVERY flow on your instance"
    ]
    assert narrowed == ()


def test_started_flows_are_listed_for_the_server_to_look_up(parse: Parse) -> None:
    source = FLOW + (
        "  - {id: b, type: test.Start, namespace: n, flowId: other}\n"
        "  - {id: c, type: test.Start, namespace: n, flowId: '{{ inputs.x }}'}\n"
    )
    (reference,) = parse(source).subflows
    assert (reference.namespace, reference.flow_id, reference.path) == ("n", "other", "tasks[1].flowId")
    assert str(reference.missing()) == (
        "line 7, column 53: tasks[1].flowId: The subflow 'other' not found in namespace 'n'."
    )


def test_the_place_of_every_property_is_known(parse: Parse) -> None:
    positions = parse(FLOW).positions
    assert positions.key(("tasks", 0, "message")) == (6, 5)
    assert positions.value(("tasks", 0, "message")) == (6, 14)


def test_limits_are_held(parse: Parse) -> None:
    with pytest.raises(FlowInvalid, match="larger than 10 bytes"):
        parse(FLOW, limits=SourceLimits(size=10))
    with pytest.raises(FlowInvalid, match="more than 5 values"):
        parse(FLOW, limits=SourceLimits(nodes=5))
    with pytest.raises(FlowInvalid, match="nested more than 1 deep"):
        parse(FLOW, limits=SourceLimits(depth=1))


def test_texts_of_inputs_stay_as_they_are_written(parse: Parse) -> None:
    source = FLOW + (
        "inputs:\n"
        "  - {id: s, type: SELECT, values: [yes, no, 1.10, 012], defaults: yes, displayName: on}\n"
        "  - {id: v, type: STRING, defaults: 1.10}\n"
        "  - {id: j, type: JSON, defaults: {a: yes}, required: yes}\n"
    )
    select, text, data = parse(source).flow.inputs
    assert (select.values, select.defaults, select.display_name) == (  # type: ignore[union-attr]
        ("yes", "no", "1.10", "012"),
        "yes",
        "on",
    )
    assert text.defaults == "1.10"
    assert (data.defaults, data.required) == ({"a": True}, True)


def test_old_names_in_retries_of_tasks_and_flows_are_told(parse: Parse) -> None:
    source = (
        "id: f\nnamespace: n\nretry: {type: constant, interval: PT1S, maxDurations: PT1M}\ntasks:\n"
        "  - id: a\n    type: test.Say\n    message: hi\n"
        "    retry: {type: constant, interval: PT1S, maxAttempt: 3}\n"
    )
    assert {(problem.path, problem.message) for problem in parse(source).deprecations} == {
        ("retry.maxDurations", "`maxDurations` is replaced by maxDuration"),
        ("tasks[0].retry.maxAttempt", "`maxAttempt` is replaced by maxAttempts"),
    }
