from __future__ import annotations

from datetime import UTC, datetime

import pytest

from windhover.core.execution.assert_ import Assert
from windhover.core.execution.count import Count
from windhover.core.execution.fail import Fail
from windhover.core.execution.kill import Kill
from windhover.core.execution.set_variables import SetVariables
from windhover.core.execution.unset_variables import UnsetVariables
from windhover.model.execution import Execution, ExecutionMetadata, JsonValue
from windhover.model.log import LogLevel
from windhover.model.state import State, StateType
from windhover.worker.inline import InlineWorker


@pytest.mark.parametrize(
    ("properties", "errors"),
    [
        ({}, ["Task failure"]),
        ({"errorMessage": "n is {{ inputs.n }}"}, ["n is 1"]),
        ({"condition": "{{ inputs.n == 1 }}"}, ["Task failure", "Fail on a condition"]),
        ({"condition": "{{ inputs.n }}", "errorMessage": "no"}, ["no", "Fail on a condition"]),
        ({"condition": "False"}, ["Task failure", "Fail on a condition"]),
        ({"condition": "{{ inputs.n == 2 }}"}, []),
        ({"condition": "{{ inputs.n - 1 }}"}, []),
        ({"condition": " "}, []),
        ({"condition": "{{ inputs.n == 2 }}", "errorMessage": "{{ nope }}"}, []),
    ],
)
async def test_fail(worker: InlineWorker, properties: dict[str, JsonValue], errors: list[str]) -> None:
    run = await worker.run(Fail, properties, {"inputs": {"n": 1}})
    assert run.at(LogLevel.ERROR) == errors
    assert run.state is (StateType.FAILED if errors else StateType.SUCCESS)


async def test_all_conditions_of_assert_are_looked_at(worker: InlineWorker) -> None:
    run = await worker.run(
        Assert,
        {
            "conditions": ["{{ 1 == 2 }}", "{{ nope }}", "{{ 1 == 1 }}"],
            "errorMessage": "wrong {{ inputs.n }}",
        },
        {"inputs": {"n": 1}},
    )
    assert run.state is StateType.FAILED
    first, second, last = run.at(LogLevel.ERROR)
    assert first == "Assertion `{{ 1 == 2 }}` failed!"
    assert second.startswith("Assertion `{{ nope }}` failed, failed to render `Unable to find `nope` used in")
    assert last == "2 assertions failed!\nwrong 1"
    assert {metric.name: metric.value for metric in run.metrics} == {"success": 1.0, "failed": 2.0}


async def test_one_failed_assertion_is_said_in_the_singular(worker: InlineWorker) -> None:
    run = await worker.run(Assert, {"conditions": ["false"]})
    assert run.at(LogLevel.ERROR)[-1] == "1 assertion failed!"


async def test_assert_holds(worker: InlineWorker) -> None:
    run = await worker.run(Assert, {"conditions": ["{{ inputs.n == 1 }}", "true"]}, {"inputs": {"n": 1}})
    assert run.state is StateType.SUCCESS
    assert run.logs == []


async def test_the_message_of_assert_is_looked_at_only_when_it_is_needed(worker: InlineWorker) -> None:
    held = await worker.run(Assert, {"conditions": ["true"], "errorMessage": "{{ nope }}"})
    assert held.state is StateType.SUCCESS
    failed = await worker.run(Assert, {"conditions": ["false"], "errorMessage": "{{ nope }}"})
    first, last = failed.at(LogLevel.ERROR)
    assert first == "Assertion `false` failed!"
    assert last.startswith("Unable to find `nope`")


async def test_count_finds_the_flows_that_meet_a_condition(worker: InlineWorker) -> None:
    worker.server.executions.counts = {("company.team", "busy"): 7, ("company.team", "idle"): 0}
    run = await worker.run(
        Count,
        {
            "flows": [
                {"namespace": "company", "flowId": "gone"},
                {"namespace": "company.team", "flowId": "busy"},
                {"namespace": "company.team", "flowId": "idle"},
            ],
            "startDate": "2026-01-01T00:00:00Z",
            "expression": "{{ count < inputs.least }}",
        },
        {"inputs": {"least": 5}},
    )
    assert run.state is StateType.SUCCESS, run.messages
    assert run.outputs == {
        "results": [
            {"namespace": "company", "flowId": "gone", "count": 0},
            {"namespace": "company.team", "flowId": "idle", "count": 0},
        ],
        "total": 0,
    }


async def test_count_looks_at_namespaces_as_a_whole(worker: InlineWorker) -> None:
    worker.server.executions.counts = {
        ("company.team", "busy"): 7,
        ("company.team", "lazy"): 1,
        ("company.team.below", "other"): 3,
    }
    run = await worker.run(
        Count,
        {
            "namespaces": ["company.team", "company.nothing"],
            "flows": [{"namespace": "company.team", "flowId": "busy"}],
            "startDate": "2026-01-01T00:00:00Z",
            "expression": "{{ count >= 0 }}",
        },
    )
    assert run.outputs == {
        "results": [
            {"namespace": "company.team", "flowId": "busy", "count": 7},
            {"namespace": "company.team", "count": 8},
        ],
        "total": 15,
    }


async def test_count_needs_something_to_look_at(worker: InlineWorker) -> None:
    run = await worker.run(Count, {"startDate": "2026-01-01T00:00:00Z", "expression": "true"})
    assert "You must provide a list of flows or namespaces" in run.at(LogLevel.ERROR)[0]


@pytest.mark.parametrize(
    ("expression", "found"), [("true", 1), ("{{ count == 7 }}", 1), ("{{ count }}", 0), ("x", 0)]
)
async def test_count_takes_only_true_for_true(worker: InlineWorker, expression: str, found: int) -> None:
    worker.server.executions.counts = {("company.team", "busy"): 7}
    flows: list[JsonValue] = [{"namespace": "company.team", "flowId": "busy"}]
    run = await worker.run(
        Count, {"flows": flows, "startDate": "2026-01-01T00:00:00Z", "expression": expression}
    )
    assert run.outputs is not None
    assert run.outputs["total"] == found * 7


async def test_count_of_no_flows_is_nothing(worker: InlineWorker) -> None:
    nothing: list[JsonValue] = []
    run = await worker.run(
        Count, {"flows": nothing, "startDate": "2026-01-01T00:00:00Z", "expression": "true"}
    )
    assert run.outputs == {"results": [], "total": 0}


async def test_kill_names_the_execution(worker: InlineWorker) -> None:
    run = await worker.run(Kill, {"executionId": "{{ inputs.id }}"}, {"inputs": {"id": "abc"}})
    assert worker.server.executions.killed == ["abc"]
    assert run.messages == ["Killed execution abc"]


@pytest.mark.parametrize(
    ("names", "ignore_missing", "left"),
    [
        (["a", "m.x"], False, {"m": {"y": 2}}),
        (["nope", "m.nope"], False, {"a": 1, "m": {"x": 1, "y": 2}}),
        (["nope.x", "a.x"], True, {"a": 1, "m": {"x": 1, "y": 2}}),
        (["nope.x"], False, None),
        (["a.x"], False, None),
    ],
)
def test_variables_are_removed(
    names: list[str], ignore_missing: bool, left: dict[str, JsonValue] | None
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    execution = Execution(
        id="e",
        tenant_id="main",
        namespace="n",
        flow_id="f",
        flow_revision=1,
        state=State.created(now),
        original_id="e",
        metadata=ExecutionMetadata(1, now),
        variables={"a": 1, "m": {"x": 1, "y": 2}},
    )
    task = UnsetVariables(variables=names, ignore_missing=ignore_missing)
    if left is None:
        with pytest.raises(ValueError, match="cannot be removed"):
            task.update(execution)
    else:
        assert task.update(execution).variables == left
    assert execution.variables == {"a": 1, "m": {"x": 1, "y": 2}}


def test_what_is_set_to_nothing_stays() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    execution = Execution(
        id="e",
        tenant_id="main",
        namespace="n",
        flow_id="f",
        flow_revision=1,
        state=State.created(now),
        original_id="e",
        metadata=ExecutionMetadata(1, now),
        variables={"a": 1, "m": {"x": 1}},
    )

    update = SetVariables(variables={"a": None, "m": {"x": None, "y": 2}, "b": 3}).update(execution)

    assert update.variables == {"a": 1, "m": {"x": 1, "y": 2}, "b": 3}
