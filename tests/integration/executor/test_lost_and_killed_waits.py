"""A worker that is lost, and a kill, while an execution is in the middle of each thing that waits."""

from __future__ import annotations

import pytest
from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import KillExecution
from windhover.model.state import StateType

CHILD = """
    id: waiting
    namespace: test
    tasks:
      - {id: rest, type: io.kestra.plugin.core.flow.Pause}
"""

#: What waits: the tasks, the task in the middle of which something happens, and the state it is in then.
WAITS = {
    "directory": (
        """
      - id: outer
        type: io.kestra.plugin.core.flow.WorkingDirectory
        tasks: [{id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}]
""",
        ("t", "RUNNING"),
    ),
    "pause": (
        "\n      - {id: t, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT1H}\n",
        ("t", "PAUSED"),
    ),
    "retry": (
        """
      - id: t
        type: io.kestra.plugin.core.execution.Fail
        retry: {type: constant, interval: PT1H, maxAttempts: 3}
""",
        ("t", "RETRYING"),
    ),
    "batches": (
        """
      - {id: file, type: io.kestra.plugin.core.storage.Write, content: "a\\nb\\n"}
      - id: outer
        type: io.kestra.plugin.core.flow.ForEachItem
        items: "{{ outputs.file.uri }}"
        namespace: test
        flowId: waiting
""",
        ("outer_items", "RUNNING"),
    ),
    "loop": (
        """
      - id: outer
        type: io.kestra.plugin.core.flow.Loop
        values: [a]
        tasks: [{id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}]
""",
        ("t", "RUNNING"),
    ),
    "rounds": (
        """
      - id: t
        type: io.kestra.plugin.core.flow.LoopUntil
        condition: "{{ false }}"
        checkFrequency: {interval: PT1H}
        tasks: [{id: round, type: io.kestra.plugin.core.log.Log, message: hi}]
""",
        ("t", "PAUSED"),
    ),
}


async def in_the_middle(flows: Flows, wait: str) -> Ended:
    await flows.save(CHILD)
    tasks, (task_id, state) = WAITS[wait]
    flow = await flows.save(f"""
    id: waits
    namespace: test
    tasks:{tasks}
    finally:
      - {{id: clean, type: io.kestra.plugin.core.log.Log, message: cleaned}}
""")
    execution_id = await flows.start(flow)
    return await flows.until(execution_id, lambda e: _is(e, task_id, state))


def _is(loaded: Ended, task_id: str, state: str) -> bool:
    return loaded.states().get(task_id) == state and (
        not task_id.endswith("_items") or "iterations" in (loaded.run(task_id).outputs or {})
    )


async def killed(flows: Flows, execution_id: str) -> Ended:
    await flows.runtime.queue.executor.ask(KillExecution(execution_id, "somebody"))
    ended = await flows.ended(execution_id)
    assert ended.state == "KILLED"
    assert ended.states()["clean"] == "SUCCESS"
    assert "Execution killed by somebody." in ended.messages()
    assert "cleaned" in ended.messages()
    for run in ended.task_runs:
        assert all(attempt.state.current.is_terminated for attempt in run.attempts or ())
    assert await flows.runtime.executions.next_timer() is None
    return ended


@pytest.mark.parametrize("wait", WAITS)
async def test_a_kill_ends_what_waits_and_says_who_asked(flows: Flows, wait: str) -> None:
    before = await in_the_middle(flows, wait)
    ended = await killed(flows, before.execution.id)
    assert ended.states()[WAITS[wait][1][0]] == "KILLED"


@pytest.mark.parametrize("wait", WAITS)
async def test_what_waits_goes_on_without_its_worker_and_can_be_killed(flows: Flows, wait: str) -> None:
    before = await in_the_middle(flows, wait)
    task_id, state = WAITS[wait][1]
    await flows.lose_server()
    again = await flows.until(
        before.execution.id, lambda e: _is(e, task_id, state) and _taken_up(e, before, task_id)
    )
    assert again.state == before.state
    if state in ("PAUSED", "RETRYING"):
        assert again.run(task_id).id == before.run(task_id).id
        assert again.run_history(task_id) == before.run_history(task_id), "what only waits was begun again"
    ended = await killed(flows, before.execution.id)
    assert ended.states()[task_id] == "KILLED"


def _taken_up(now: Ended, before: Ended, task_id: str) -> bool:
    """Work that a worker had is with another one; what only waits stays as it was."""
    old = before.run(task_id)
    (run,) = [each for each in now.task_runs if each.task_id == task_id][-1:]
    if run.state.current is not StateType.RUNNING or task_id.endswith("_items"):
        return True
    began = bool(run.attempts) and not run.attempts[-1].state.current.is_terminated
    return began and (run.id != old.id or run.dispatch > old.dispatch)
