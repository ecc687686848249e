"""Replay and restart of executions that ended in any way, or never end: from anywhere, as any revision."""

from __future__ import annotations

import pytest
from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import KillExecution, ReplayExecution, RestartExecution
from windhover.model.state import StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.filters import TextMatch

CHILD = """
    id: counted
    namespace: test
    tasks:
      - {id: said, type: io.kestra.plugin.core.debug.Return, format: "{{ execution.id }}"}
"""

FLOW = """
    id: matrix
    namespace: test
    inputs:
      - {id: how, type: STRING, defaults: success}
    MORE
    tasks:
      - {id: first, type: io.kestra.plugin.core.debug.Return, format: "VERSION {{ inputs.how }}"}
      - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: test, flowId: counted}
      - {id: file, type: io.kestra.plugin.core.storage.Write, content: "a\\nb\\n"}
      - id: batches
        type: io.kestra.plugin.core.flow.ForEachItem
        items: "{{ outputs.file.uri }}"
        namespace: test
        flowId: counted
      - id: loop
        type: io.kestra.plugin.core.flow.ForEach
        values: [a, b]
        tasks:
          - {id: inner, type: io.kestra.plugin.core.debug.Return, format: "VERSION {{ taskrun.value }}"}
          - {id: after, type: io.kestra.plugin.core.debug.Return, format: "VERSION {{ taskrun.value }}"}
      - id: nest
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
          - {id: deep, type: io.kestra.plugin.core.debug.Return, format: VERSION}
          - id: end
            type: io.kestra.plugin.core.flow.Parallel
            tasks:
              - {id: beside, type: io.kestra.plugin.core.debug.Return, format: VERSION}
              - id: fail
                type: io.kestra.plugin.core.execution.Fail
                condition: "{{ inputs.how == 'failed' }}"
              - id: warn
                type: io.kestra.plugin.core.execution.Fail
                condition: "{{ inputs.how == 'warning' }}"
                allowFailure: true
              - id: sleep
                type: io.kestra.plugin.core.flow.Sleep
                duration: "{{ inputs.how == 'killed' or inputs.how == 'running' ? 'PT1H' : 'PT0.001S' }}"
          - id: cancel
            type: io.kestra.plugin.core.execution.Exit
            state: CANCELLED
            runIf: "{{ inputs.how == 'cancelled' }}"
          - {id: rest, type: io.kestra.plugin.core.flow.Pause, runIf: "{{ inputs.how == 'paused' }}"}
      - {id: last, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.first.value }}"}
"""

ENDS = {
    "success": "SUCCESS",
    "warning": "WARNING",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
    "killed": "KILLED",
    "paused": "PAUSED",
    "running": "RUNNING",
}

#: From where: the task, in which round of the loop, and how many executions are started again.
PLACES = {
    "everything": (None, None, 3),
    "first": ("first", None, 3),
    "batches": ("batches", None, 2),
    "merge": ("batches_merge", None, 0),
    "loop": ("inner", "b", 0),
    "nested": ("deep", None, 0),
    "parallel": ("end", None, 0),
}


async def came_to(flows: Flows, how: str, more: str = "") -> Ended:
    """An execution that has come to where it ends, or stands still."""
    await flows.save(CHILD)
    flow = await flows.save(FLOW.replace("VERSION", "old").replace("MORE", more))
    execution_id = await flows.start(flow, {"how": how})
    if how == "paused":
        return await flows.reaches(execution_id, StateType.PAUSED)
    if how in ("killed", "running"):
        reached = await flows.until(execution_id, _only_sleeps)
        if how == "running":
            return reached
        await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    return await flows.ended(execution_id)


def _only_sleeps(loaded: Ended) -> bool:
    states = {run.task_id: run.state.current for run in loaded.task_runs}
    besides = [states.get(task_id) for task_id in ("beside", "fail", "warn")]
    return states.get("sleep") is StateType.RUNNING and all(s is StateType.SUCCESS for s in besides)


async def children(flows: Flows) -> int:
    query = ExecutionQuery("main", flow_id=(TextMatch.equal("counted"),))
    return len(await flows.runtime.executions.ids(query))


def values(ended: Ended) -> dict[tuple[str, str | None], object]:
    return {(run.task_id, run.value): (run.outputs or {}).get("value") for run in ended.task_runs}


@pytest.mark.parametrize("how", ENDS)
async def test_a_replay_from_anywhere(flows: Flows, how: str) -> None:
    before = await came_to(flows, how)
    assert before.state == ENDS[how]
    await flows.save(FLOW.replace("VERSION", "new").replace("MORE", ""))
    old = values(before)
    for task_id, value, started in PLACES.values():
        place = next(
            (run.id for run in before.task_runs if (run.task_id, run.value) == (task_id, value)), None
        )
        assert task_id is None or place is not None, f"{task_id} has not run"
        for revision in (1, 2):
            count = await children(flows)
            replayed = await flows.runtime.queue.executor.ask(
                ReplayExecution(before.execution.id, place, revision, {"how": "success"})
            )
            ended = await flows.ended(replayed.id)
            told = (how, task_id, revision, ended.states(), ended.messages())
            assert ended.state == "SUCCESS", told
            assert await children(flows) == count + started, told
            assert ended.execution.flow_revision == revision
            new = values(ended)
            if task_id not in (None, "first"):
                assert new["first", None] == new["last", None] == f"old {how}", told
            else:
                assert new["last", None] == f"{['old', 'new'][revision - 1]} success", told
            if task_id in ("inner", "deep", "end"):
                assert new["inner", "a"] == old["inner", "a"] == "old a", told
            if task_id == "inner":
                assert new["after", "b"] == f"{['old', 'new'][revision - 1]} b", told
    assert (await flows.load(before.execution.id)).states() == before.states(), "the old one was changed"


@pytest.mark.parametrize("revision", [None, 2])
@pytest.mark.parametrize("how", ["failed", "killed"])
async def test_a_restart_runs_what_did_not_end_well(flows: Flows, how: str, revision: int | None) -> None:
    before = await came_to(flows, how)
    await flows.save(
        FLOW.replace("VERSION", "new")
        .replace("MORE", "")
        .replace("{{ inputs.how == 'failed' }}", "false")
        .replace("'PT1H'", "'PT0.001S'")
    )
    if revision is None and how == "failed":
        return  # The same revision fails again; see the tests of restarts.
    count = await children(flows)
    answer = await flows.runtime.queue.executor.ask(RestartExecution(before.execution.id, revision))
    if revision is None:
        await flows.until(before.execution.id, lambda e: e.states().get("sleep") == "RUNNING")
        await flows.runtime.queue.executor.ask(KillExecution(before.execution.id))
        ended = await flows.ended(before.execution.id)
        assert len(ended.run("sleep").attempts or ()) == 2
    else:
        ended = await flows.ended(answer.id)
        assert ended.state == "SUCCESS", (ended.states(), ended.messages())
        assert values(ended)["last", None] == f"old {how}"
    assert values(ended)["beside", None] == "old", "what had ended well was run again"
    assert await children(flows) == count


async def test_an_execution_that_waits_for_its_turn_is_replayed(flows: Flows) -> None:
    await flows.save(CHILD)
    limited = FLOW.replace("VERSION", "old").replace("MORE", "concurrency: {limit: 1}")
    flow = await flows.save(limited)
    first = await flows.start(flow, {"how": "paused"})
    await flows.reaches(first, StateType.PAUSED)
    second = await flows.start(flow, {"how": "success"})
    await flows.reaches(second, StateType.QUEUED)
    await flows.save(FLOW.replace("VERSION", "new").replace("MORE", ""))
    replayed = await flows.runtime.queue.executor.ask(ReplayExecution(second, None, 2))
    assert (await flows.ended(replayed.id)).state == "SUCCESS"
    await flows.runtime.queue.executor.ask(RestartExecution(first))
    assert (await flows.ended(first)).state == "SUCCESS"
    assert (await flows.ended(second)).state == "SUCCESS"
