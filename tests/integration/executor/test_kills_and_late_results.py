"""A kill wins from every state, and what comes late changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import KillExecution, RestartExecution, TaskEnded, TaskStarted
from windhover.model.execution import TaskRun
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import StateType

SLEEP = """
      - {id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
"""
#: The state to kill in, what leads there, and the task runs afterwards.
CASES = {
    "RUNNING": (SLEEP, {"t": "KILLED"}),
    "PAUSED": (
        """
      - {id: t, type: io.kestra.plugin.core.flow.Pause}
""",
        {"t": "KILLED"},
    ),
    "RETRYING": (
        """
      - id: t
        type: io.kestra.plugin.core.execution.Fail
        retry: {type: constant, interval: PT1H, maxAttempts: 3}
""",
        {"t": "KILLED"},
    ),
}


def flow(tasks: str, more: str = "") -> str:
    return f"""
    id: victim
    namespace: test
    {more}
    tasks:{tasks}"""


async def killed(flows: Flows, execution_id: str) -> Ended:
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    ended = await flows.ended(execution_id)
    assert ended.state == "KILLED"
    for run in ended.task_runs:
        assert all(attempt.state.current.is_terminated for attempt in run.attempts or ())
    assert await flows.runtime.executions.next_timer() is None
    # Neither the next start of the server nor a second kill brings anything back.
    await flows.lose_server()
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    assert (await flows.load(execution_id)).history == ended.history
    return ended


@pytest.mark.parametrize("state", CASES)
async def test_a_kill_wins_in(flows: Flows, state: str) -> None:
    tasks, after = CASES[state]
    execution_id = await flows.start(await flows.save(flow(tasks)))
    await flows.reaches(execution_id, StateType[state])
    assert (await killed(flows, execution_id)).states() == after


async def test_a_kill_wins_while_an_execution_waits_for_its_date(flows: Flows) -> None:
    date = flows.runtime.clock() + timedelta(hours=1)
    execution_id = await flows.start(await flows.save(flow(SLEEP)), schedule_date=date)
    await flows.reaches(execution_id, StateType.CREATED)
    assert (await killed(flows, execution_id)).task_runs == []


async def test_a_kill_wins_while_an_execution_waits_for_its_turn(flows: Flows) -> None:
    saved = await flows.save(flow(SLEEP, "concurrency: {limit: 1}"))
    first, second = [await flows.start(saved) for _ in range(2)]
    await flows.reaches(second, StateType.QUEUED)
    assert (await killed(flows, second)).task_runs == []
    await flows.runtime.queue.executor.ask(KillExecution(first))
    assert (await flows.ended(first)).state == "KILLED"


async def test_a_kill_wins_after_a_restart(flows: Flows) -> None:
    execution_id = await flows.start(await flows.save(flow(SLEEP)))
    await flows.until(execution_id, lambda e: e.states().get("t") == "RUNNING")
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))
    await flows.ended(execution_id)
    await flows.runtime.queue.executor.ask(RestartExecution(execution_id))
    await flows.until(execution_id, lambda e: e.states().get("t") == "RUNNING")
    assert (await killed(flows, execution_id)).states() == {"t": "KILLED"}


def report(run: TaskRun, dispatch: int, at: Flows) -> TaskEnded:
    """The word of a worker that was given up, with a line of its log."""
    now = at.runtime.clock()
    line = LogEntry("main", "test", "victim", run.execution_id, now, LogLevel.INFO, "too late", run.task_id)
    return TaskEnded(
        run.execution_id, run.id, dispatch, "lost", now, StateType.SUCCESS, {"late": True}, logs=[line]
    )


async def test_a_result_of_a_killed_attempt_is_refused(flows: Flows) -> None:
    execution_id = await flows.start(await flows.save(flow(SLEEP)))
    running = await flows.until(execution_id, lambda e: e.states().get("t") == "RUNNING")
    ended = await killed(flows, execution_id)
    for dispatch in (running.run("t").dispatch, ended.run("t").dispatch):
        flows.runtime.queue.executor.send(report(ended.run("t"), dispatch, flows))
    await flows.runtime.queue.executor.ask(KillExecution(execution_id))  # answered after what came before
    assert await flows.load(execution_id) == ended


async def test_a_result_of_an_attempt_that_was_repeated_is_refused(flows: Flows) -> None:
    execution_id = await flows.start(await flows.save(flow(SLEEP)))
    first = (await flows.until(execution_id, lambda e: e.states().get("t") == "RUNNING")).run("t")
    # As when the worker was believed to be dead, and was not.
    await flows.lose_server()
    again = await flows.until(execution_id, lambda e: e.run("t").dispatch > first.dispatch)
    sender = flows.runtime.queue.executor
    sender.send(TaskStarted(execution_id, first.id, first.dispatch, "lost", flows.runtime.clock()))
    sender.send(report(first, first.dispatch, flows))
    await sender.ask(KillExecution(execution_id))
    ended = await flows.ended(execution_id)
    assert again.run("t").state.current is not StateType.SUCCESS
    assert ended.run("t").outputs != {"late": True}
    assert "too late" not in ended.messages()
    assert "lost" not in {attempt.worker_id for attempt in ended.run("t").attempts or ()}
