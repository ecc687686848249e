"""Executions that others wait for, when they are tried again: by their own retries, or by a restart."""

from __future__ import annotations

import pytest
from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import KillExecution, ReplayExecution, RestartExecution
from windhover.model.state import StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.filters import TextMatch

NOT_RESTARTED = "(labels.system.restarted ?? 'false') != 'true'"
FIRST_TRY = "(labels.system.replay ?? 'false') != 'true'"

CHILD = """
    id: child
    namespace: test
    RETRY
    inputs:
      - {id: row, type: STRING, defaults: none}
    tasks:
      - {id: before, type: io.kestra.plugin.core.debug.Return, format: "{{ execution.id }}"}
      - id: work
        type: io.kestra.plugin.core.execution.Fail
        condition: "{{ CONDITION }}"
    outputs:
      - {id: by, type: STRING, value: "{{ outputs.before.value }}"}
"""

PARENT = """
    id: parent
    namespace: test
    tasks:
      - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: test, flowId: child}
      - {id: after, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.sub.outputs.by }}"}
"""

BATCHES = """
    id: parent
    namespace: test
    tasks:
      - {id: file, type: io.kestra.plugin.core.storage.Write, content: "a\\nb\\nc\\n"}
      - id: each
        type: io.kestra.plugin.core.flow.ForEachItem
        items: "{{ outputs.file.uri }}"
        namespace: test
        flowId: child
        inputs: {row: "{{ read(taskrun.items) | trim }}"}
"""

NEW_EXECUTION = "retry: {type: constant, interval: PT0.05S, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION}"
SAME_TASK = "retry: {type: constant, interval: PT0.05S, maxAttempts: 3}"


async def saved(flows: Flows, retry: str, condition: str) -> None:
    await flows.save(CHILD.replace("RETRY", retry).replace("CONDITION", condition))


async def children(flows: Flows, flow_id: str = "child") -> list[Ended]:
    query = ExecutionQuery("main", flow_id=(TextMatch.equal(flow_id),))
    ids = await flows.runtime.executions.ids(query)
    return [await flows.load(one) for one in ids]


@pytest.mark.parametrize(
    ("retry", "condition", "states"),
    [
        (NEW_EXECUTION, FIRST_TRY, ["RETRIED", "SUCCESS"]),
        (SAME_TASK, "taskrun.attemptsCount < 2", ["SUCCESS"]),
    ],
)
async def test_a_parent_waits_for_the_last_try_of_its_subflow(
    flows: Flows, retry: str, condition: str, states: list[str]
) -> None:
    await saved(flows, retry, condition)
    ended = await flows.run(PARENT)
    assert ended.state == "SUCCESS"
    tries = await children(flows)
    assert sorted(one.state for one in tries) == sorted(states)
    (last,) = [one.execution.id for one in tries if one.state == "SUCCESS"]
    outputs = ended.run("sub").outputs or {}
    assert (outputs["executionId"], outputs["state"]) == (last, "SUCCESS")
    assert (ended.run("after").outputs or {})["value"] == last


async def test_a_subflow_whose_tries_are_used_up_fails_its_parent_once(flows: Flows) -> None:
    await saved(flows, NEW_EXECUTION, "true")
    ended = await flows.run(PARENT)
    assert ended.state == "FAILED"
    assert ended.history.count("FAILED") == 1
    assert sorted(one.state for one in await children(flows)) == ["FAILED", "RETRIED", "RETRIED"]


async def test_batches_are_waited_for_through_their_tries(flows: Flows) -> None:
    await saved(flows, NEW_EXECUTION, f"inputs.row != 'a' and {FIRST_TRY}")
    ended = await flows.run(BATCHES)
    assert ended.state == "SUCCESS"
    assert (ended.run("each_items").outputs or {})["iterations"]["SUCCESS"] == 3
    assert len(await children(flows)) == 5


async def test_a_restart_runs_only_the_batches_that_failed(flows: Flows) -> None:
    await saved(flows, "", f"inputs.row == 'b' and {NOT_RESTARTED}")
    failed = await flows.run(BATCHES)
    assert failed.state == "FAILED"
    before = {one.execution.id: one.state for one in await children(flows)}
    assert sorted(before.values()) == ["FAILED", "SUCCESS", "SUCCESS"]
    await flows.runtime.queue.executor.ask(RestartExecution(failed.execution.id))
    ended = await flows.until(failed.execution.id, lambda e: e.state == "SUCCESS")
    after = {one.execution.id: one for one in await children(flows)}
    assert set(after) == set(before)
    assert {one.state for one in after.values()} == {"SUCCESS"}
    restarted = [one for one in after.values() if "RESTARTED" in one.history]
    assert [before[one.execution.id] for one in restarted] == ["FAILED"]
    (iterations,) = [(ended.run("each_items").outputs or {})["iterations"]]
    assert iterations["SUCCESS"] == 3
    assert not iterations.get("FAILED")
    assert "each_merge" in ended.states()


async def test_a_restart_after_several_tries_runs_only_what_failed_in_the_last(flows: Flows) -> None:
    await saved(flows, "", f"inputs.row == 'b' and {NOT_RESTARTED}")
    retry = "\n        retry: {type: constant, interval: PT0.05S, maxAttempts: 2}\n    "
    failed = await flows.run(BATCHES.rstrip() + retry)
    assert failed.state == "FAILED"
    before = {one.execution.id: one.state for one in await children(flows)}
    assert sorted(before.values()) == ["FAILED"] * 2 + ["SUCCESS"] * 4
    await flows.runtime.queue.executor.ask(RestartExecution(failed.execution.id))
    await flows.until(failed.execution.id, lambda e: e.state == "SUCCESS")
    after = {one.execution.id: one for one in await children(flows)}
    assert set(after) == set(before)
    (again,) = [one for one in after.values() if "RESTARTED" in one.history]
    assert before[again.execution.id] == "FAILED"


async def test_a_killed_execution_is_restarted_with_its_subflow_and_keeps_what_had_ended(
    flows: Flows,
) -> None:
    await flows.save("""
        id: slow
        namespace: test
        tasks:
          - {id: quick, type: io.kestra.plugin.core.debug.Return, format: "{{ execution.id }}"}
          - id: sleep
            type: io.kestra.plugin.core.flow.Sleep
            duration: "{{ (labels.system.restarted ?? 'no') == 'true' ? 'PT0.01S' : 'PT30S' }}"
    """)
    parent = await flows.save("""
        id: outer
        namespace: test
        tasks:
          - {id: first, type: io.kestra.plugin.core.debug.Return, format: one}
          - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: test, flowId: slow}
    """)
    execution_id = await flows.start(parent)
    waiting = await flows.until(execution_id, lambda e: "sub" in e.states() and bool(e.run("sub").outputs))
    child_id = (waiting.run("sub").outputs or {})["executionId"]
    await flows.until(child_id, lambda e: e.states().get("sleep") == "RUNNING")
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    killed = await flows.reaches(execution_id, StateType.KILLED)
    first = killed.run("first")
    await flows.runtime.queue.executor.ask(RestartExecution(execution_id))
    ended = await flows.reaches(execution_id, StateType.SUCCESS)
    assert ended.run("first").id == first.id
    assert len(ended.run("first").attempts or ()) == 1
    (child,) = await children(flows, "slow")
    assert child.state == "SUCCESS"
    assert len(child.run("quick").attempts or ()) == 1
    assert len(child.run("sleep").attempts or ()) == 2


async def test_a_replay_from_a_task_of_a_killed_execution_takes_another_revision_and_other_inputs(
    flows: Flows,
) -> None:
    source = """
        id: replayed
        namespace: test
        inputs:
          - {id: wait, type: STRING, defaults: PT30S}
        tasks:
          - {id: first, type: io.kestra.plugin.core.debug.Return, format: "VERSION {{ inputs.wait }}"}
          - {id: second, type: io.kestra.plugin.core.flow.Sleep, duration: "{{ inputs.wait }}"}
          - {id: third, type: io.kestra.plugin.core.debug.Return, format: "VERSION {{ outputs.first.value }}"}
    """
    execution_id = await flows.start(await flows.save(source.replace("VERSION", "old")), {"wait": "PT30S"})
    running = await flows.until(execution_id, lambda e: e.states().get("second") == "RUNNING")
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    await flows.reaches(execution_id, StateType.KILLED)
    await flows.save(source.replace("VERSION", "new"))
    replayed = await flows.runtime.queue.executor.ask(
        ReplayExecution(execution_id, running.run("second").id, 2, {"wait": "PT0.01S"})
    )
    ended = await flows.ended(replayed.id)
    assert ended.state == "SUCCESS"
    assert (ended.run("first").outputs or {})["value"] == "old PT30S"
    assert (ended.run("third").outputs or {})["value"] == "new old PT30S"
    assert ended.execution.flow_revision == 2


async def test_a_replay_begins_with_all_batches_anew(flows: Flows) -> None:
    await saved(flows, "", f"inputs.row == 'b' and {FIRST_TRY}")
    failed = await flows.run(BATCHES)
    items = failed.run("each_items").id
    replayed = await flows.runtime.queue.executor.ask(ReplayExecution(failed.execution.id, items))
    ended = await flows.ended(replayed.id)
    iterations = (ended.run("each_items").outputs or {})["iterations"]
    assert iterations["SUCCESS"] + iterations.get("FAILED", 0) == 3
    assert len(await children(flows)) == 6


async def test_a_replay_from_what_follows_keeps_the_outputs_of_all_batches(flows: Flows) -> None:
    await saved(flows, "", "false")
    after = """
      - {id: after, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.each_items }}"}
"""
    first = await flows.run(BATCHES.rstrip() + after)
    replayed = await flows.runtime.queue.executor.ask(
        ReplayExecution(first.execution.id, first.run("after").id)
    )
    ended = await flows.ended(replayed.id)
    assert ended.state == "SUCCESS"
    assert '"numberOfBatches":3' in (ended.run("after").outputs or {})["value"]
    assert len(await children(flows)) == 3
