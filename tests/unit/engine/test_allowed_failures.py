"""What `allowFailure` covers: how work ended, not a flow that is wrong. What is around does not see it."""

from __future__ import annotations

import pytest
from tests.unit.engine.flow_run import FlowRun

from windhover.engine.events import ChildEnded, ChildRefused, ChildStarted
from windhover.model.state import StateType

SUBFLOW = "id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child"
INSIDE = "{id: inside, type: io.kestra.plugin.core.debug.Return}"
RETRY = "retry: {type: constant, interval: PT1S, maxAttempts: 3}"


@pytest.mark.parametrize(
    "task",
    [
        f"type: io.kestra.plugin.core.flow.If, condition: '{{{{ nope }}}}', then: [{INSIDE}]",
        f"type: io.kestra.plugin.core.flow.ForEach, values: '[null]', tasks: [{INSIDE}]",
        "type: io.kestra.plugin.core.flow.Pause, pauseDuration: '{{ nope }}'",
        "type: io.kestra.plugin.core.execution.Labels, labels: {a: ''}",
        "type: io.kestra.plugin.core.execution.SetVariables, variables: {a: '{{ nope }}'}",
        "type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: '{{ nope }}'",
    ],
)
def test_a_flow_that_is_wrong_fails_although_it_may(task: str) -> None:
    run = FlowRun(f"tasks: [{{id: wrong, {task}, allowFailure: true, allowWarning: true}}]")
    assert run.run("wrong").state.current is StateType.FAILED
    assert run.state is StateType.FAILED


def test_a_subflow_that_cannot_be_started_fails_although_it_may() -> None:
    run = FlowRun(f"tasks: [{{{SUBFLOW}, allowFailure: true}}]")
    run.apply(ChildRefused(run.run("sub").id, "Unable to find flow"))
    assert run.history("sub") == "CREATED FAILED"


@pytest.mark.parametrize("around", ["flow", "group"])
def test_a_failure_that_is_allowed_is_not_retried_by_what_is_around_it(around: str) -> None:
    work = "{id: work, type: io.kestra.plugin.core.log.Log, message: x, allowFailure: true}"
    group = f"{{id: group, type: io.kestra.plugin.core.flow.Sequential, {RETRY}, tasks: [{work}]}}"
    run = FlowRun(f"{RETRY}\ntasks: [{work}]" if around == "flow" else f"tasks: [{group}]")
    run.end(StateType.FAILED)
    assert run.run("work").state.current is StateType.WARNING
    assert run.state is StateType.WARNING


def test_a_failure_that_is_allowed_is_retried_by_the_task_itself() -> None:
    work = f"{{id: work, type: io.kestra.plugin.core.log.Log, message: x, allowFailure: true, {RETRY}}}"
    run = FlowRun(f"tasks: [{work}]")
    run.end(StateType.FAILED)
    assert run.run("work").state.current is StateType.RETRYING


@pytest.mark.parametrize(
    ("properties", "ended", "history"),
    [
        ("allowFailure: true", StateType.FAILED, "FAILED WARNING"),
        ("allowFailure: true, allowWarning: true", StateType.FAILED, "FAILED SUCCESS"),
        ("transmitFailed: false", StateType.FAILED, "FAILED SUCCESS"),
        ("allowWarning: true", StateType.WARNING, "WARNING SUCCESS"),
        ("wait: true", StateType.CANCELLED, "CANCELLED SUCCESS"),
        ("allowFailure: true", StateType.WARNING, "WARNING"),
        ("allowFailure: true", StateType.SUCCESS, "SUCCESS"),
    ],
)
def test_a_subflow_shows_how_its_execution_ended_and_what_that_counts_as(
    properties: str, ended: StateType, history: str
) -> None:
    run = FlowRun(f"tasks: [{{{SUBFLOW}, {properties}}}]")
    run.apply(ChildStarted(run.run("sub").id, "child", "link", True))
    run.apply(ChildEnded(run.run("sub").id, "child", ended, "link"))
    (attempt,) = run.run("sub").attempts or ()
    assert run.history("sub") == f"CREATED RUNNING {history}"
    assert " ".join(change.state.value for change in attempt.state.histories) == run.history("sub")
