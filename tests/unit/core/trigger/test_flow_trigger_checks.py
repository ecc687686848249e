"""What a Flow trigger and a webhook refuse, and what a Flow trigger says beforehand of what it reacts to."""

from __future__ import annotations

from typing import Any

import pytest

from windhover.core.trigger.flow import Flow
from windhover.core.trigger.webhook import Webhook
from windhover.model.problem import FlowInvalid
from windhover.model.state import StateType
from windhover.plugin.gathering import ALL_EXECUTIONS, AfterFiring, Interest
from windhover.plugin.parsing import parse_flow
from windhover.plugin.registry import Registry

FLOW = """\
id: f
namespace: company.team
tasks:
  - id: t
    type: io.kestra.plugin.core.log.Log
    message: hi
triggers:
  - id: t1
    type: io.kestra.plugin.core.trigger.{kind}
"""


def read(kind: str, text: str) -> Any:
    source = FLOW.format(kind=kind) + "".join(f"    {line}\n" for line in text.strip().splitlines())
    return parse_flow(source, Registry(discover=False)).flow.triggers[0]


def flow(text: str = "") -> Flow:
    trigger = read("Flow", text)
    assert isinstance(trigger, Flow)
    return trigger


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("Flow", "dependsOn: [{flowId: a}]\nonMiss: {}", "needs a `window` that ends"),
        (
            "Flow",
            "dependsOn: [{flowId: a}]\nwindow: {lookback: PT1H}\nonMiss: {}",
            "needs a `window` that ends",
        ),
        ("Flow", "window: {deadline: '09:00:00'}", "is for `dependsOn`"),
        ("Flow", "dependsOn: [{flowId: a}]\nwindow: {every: PT0S}", "longer than nothing"),
        ("Flow", "mode: AT_LEAST\ndependsOn: [{flowId: a}]", "minSatisfied"),
        (
            "Flow",
            "preconditions:\n  id: p\n  where:\n    - id: w\n"
            "      filters: [{field: FLOW_ID, type: REGEX, value: '('}]",
            "Invalid regular expression '('",
        ),
        ("Webhook", "key: k\nsignature: {secret: s, type: GITHUB, header: X}", "GENERIC signature only"),
        ("Webhook", "key: k\nsignature: {type: GITHUB}", "must not be null"),
        ("Webhook", "key: k\nidempotencyHeader: X\nidempotencyKey: y", "cannot both be set"),
        ("Webhook", "key: k\nrateLimit: {requests: 0}", "greater than or equal to 1"),
    ],
)
def test_what_cannot_work_is_refused(kind: str, text: str, reason: str) -> None:
    with pytest.raises(FlowInvalid) as caught:
        read(kind, text)
    assert reason in str(caught.value)


def test_states_that_a_part_names_are_listened_to() -> None:
    usual = flow()
    assert usual.reacts_to(StateType.PAUSED)
    assert not usual.reacts_to(StateType.RUNNING)
    assert flow("dependsOn: [{flowId: a, states: [RUNNING]}]").reacts_to(StateType.RUNNING)
    written = flow("states: [SUCCESS]\ndependsOn: [{flowId: a, states: [RUNNING]}]")
    assert not written.reacts_to(StateType.RUNNING)


def test_interests_are_what_the_trigger_names() -> None:
    condition = "io.kestra.plugin.core.condition.ExecutionFlow"
    named = flow(f"conditions: [{{type: {condition}, namespace: a.b, flowId: c}}]")
    assert named.interests() == (Interest("a.b", "c"),)
    dynamic = flow(f'conditions: [{{type: {condition}, namespace: "{{{{ flow.namespace }}}}", flowId: c}}]')
    assert dynamic.interests() == (ALL_EXECUTIONS,)
    assert flow("preconditions: {id: p, flows: [{namespace: a}]}").interests() == (Interest("a"),)
    assert flow("dependsOn: [{namespace: a, flowId: b}, {flowId: c}]").interests() == (ALL_EXECUTIONS,)


def test_a_dependency_keeps_its_key_whatever_the_order() -> None:
    (one,) = flow(
        "dependsOn: [{flowId: a, states: [SUCCESS, FAILED], labels: {x: '1', y: '2'}}]"
    ).gatherings()
    (other,) = flow(
        "dependsOn: [{labels: {y: '2', x: '1'}, states: [FAILED, SUCCESS], flowId: a}]"
    ).gatherings()
    assert one.requirements.keys() == other.requirements.keys()
    (third,) = flow("dependsOn: [{flowId: b}]\nwindow: {every: PT1H, fireOnce: true}").gatherings()
    assert third.requirements.keys() != one.requirements.keys()
    assert third.after_firing is AfterFiring.WAIT


def test_a_webhook_reads_its_options() -> None:
    hook = read("Webhook", "key: k\nsignature: {secret: s}\nrateLimit: {requests: 5, interval: PT10S}")
    assert isinstance(hook, Webhook)
    assert hook.signature is not None
    assert hook.signature.header == "X-Signature"
    assert hook.rate_limit is not None
    assert hook.rate_limit.interval.total_seconds() == 10
