"""Executions that cannot run: stored with the reason, ended by the executor, and seen as any other end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from textwrap import dedent

import pytest
import pytest_asyncio
from tests.integration.executor.flows import Ended, Flows
from tests.integration.scheduler.bench import Bench

from windhover.engine.messages import (
    CommandRefused,
    Event,
    ExecutionStored,
    ForceRun,
    KillExecution,
    NothingToRestart,
    ReplayExecution,
    RestartExecution,
)
from windhover.model.execution import Execution
from windhover.model.state import StateType
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.server.runtime import Runtime

TYPE = "io.kestra.plugin.core.trigger.Schedule"

#: Runs each hour; the input does not validate from 14:00 on.
UNTIL_TWO = f"""
id: scheduled
namespace: io.test
inputs:
  - {{id: hour, type: INT, max: 13}}
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ inputs.hour }}}}"
afterExecution:
  - id: tell
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ execution.state }}}}"
triggers:
  - id: s
    type: {TYPE}
    cron: "0 * * * *"
    inputs:
      hour: "{{{{ trigger.date | date('H') }}}}"
"""
#: Its condition cannot be told of 15:00, which is looked for at 14:00.
BROKEN_CONDITION = f"""
id: scheduled
namespace: io.test
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: said
afterExecution:
  - id: tell
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ execution.state }}}}"
triggers:
  - id: s
    type: {TYPE}
    cron: "0 * * * *"
    when: "{{{{ 10 / (15 - (trigger.date | date('H') | number)) > 0 }}}}"
    failOnTriggerError: true
"""
LISTENER = """
id: listener
namespace: io.test
tasks:
  - id: say
    type: io.kestra.plugin.core.debug.Return
    format: "{{ trigger.executionId }}"
triggers:
  - id: t
    type: io.kestra.plugin.core.trigger.Flow
    states: [FAILED]
    preconditions:
      id: scheduled
      flows: [{namespace: io.test, flowId: scheduled, states: [FAILED]}]
"""


async def all_of(flows: Flows, flow_id: str) -> list[Ended]:
    query = ExecutionQuery("main", flows=(("io.test", flow_id),))
    return [await flows.ended(id_) for id_ in await flows.runtime.executions.ids(query)]


@pytest_asyncio.fixture
async def next_life(bench: Bench, database: Database) -> AsyncIterator[Flows]:
    """The flows of a server that starts on the database after the one of the bench was killed."""
    runtime = Runtime(database, bench.runtime.settings, clock=bench.clock)
    yield Flows(runtime)
    await runtime.stop(timedelta())


@pytest.mark.parametrize(
    ("source", "reason"), [(UNTIL_TWO, "13"), (BROKEN_CONDITION, "by zero")], ids=["inputs", "condition"]
)
async def test_a_crash_between_evaluation_and_end(
    bench: Bench, next_life: Flows, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    await bench.save(LISTENER)
    bench.clock.set(13, 30)
    await bench.save(source)
    with monkeypatch.context() as patched:
        # The server is killed after the commit of its scheduler, before its executor is told.
        patched.setattr(bench.runtime.queue.executor, "send", lambda event: None)
        await bench.at(14)
    ((stored, _),) = await bench.runtime.executions.unstarted()
    assert (stored.state.current, len(stored.refusals)) == (StateType.CREATED, 1)
    await bench.runtime.stop(timedelta())

    await next_life.runtime.start()
    (refused,) = await all_of(next_life, "scheduled")
    assert refused.execution.id == stored.id
    assert refused.history == ["CREATED", "FAILED"]
    assert refused.states() == {"tell": "SUCCESS"}
    assert refused.run("tell").outputs == {"value": "FAILED"}
    (line,) = [entry for entry in refused.logs if entry.level.name == "ERROR"]
    assert reason in line.message
    assert line.trigger_id == "s"
    (downstream,) = await all_of(next_life, "listener")
    assert downstream.run("say").outputs == {"value": stored.id}


async def test_it_holds_no_slot_and_waits_for_none(bench: Bench) -> None:
    pausing = UNTIL_TWO.replace("debug.Return", "flow.Pause", 1).replace(
        '    format: "{{ inputs.hour }}"\n', ""
    )
    await bench.save(pausing.rstrip() + "\n    allowConcurrent: true\nconcurrency: {limit: 1}\n")
    await bench.at(13)
    (running,) = await bench.runtime.executions.ids(ExecutionQuery("main"))
    await bench.flows.reaches(running, StateType.PAUSED)
    await bench.at(14)
    await bench.at(15)
    _, *refused = await bench.runtime.executions.ids(ExecutionQuery("main"))
    assert [(await bench.flows.ended(id_)).history for id_ in refused] == [["CREATED", "FAILED"]] * 2
    # The slot is still that of the first.
    flow = await bench.runtime.definitions.get("main", "io.test", "scheduled")
    waiting = await bench.flows.start(flow, {"hour": 1})
    assert (await bench.flows.load(waiting)).state == "QUEUED"
    await bench.resume(running)
    await bench.flows.reaches(waiting, StateType.PAUSED)


async def test_the_trigger_waits_for_its_end_and_goes_on(bench: Bench) -> None:
    await bench.save(UNTIL_TWO)
    for number, hour in enumerate((13, 14, 15), 1):
        await bench.at(hour)
        assert len(await bench.executions()) == number
        await bench.tick()
        assert (await bench.state()).execution_id is None
    assert [run.state for run in await bench.executions()] == ["SUCCESS", "FAILED", "FAILED"]


@pytest.mark.parametrize("concurrent", ["true", "false"])
async def test_a_trigger_may_stop_after_it(bench: Bench, concurrent: str) -> None:
    options = f"    allowConcurrent: {concurrent}\n    stopAfter: [FAILED]\n"
    await bench.save(UNTIL_TWO.rstrip() + "\n" + options)
    for hour in (13, 14, 15, 16):
        await bench.at(hour)
        await bench.executions()
        await bench.tick()
    assert [run.state for run in await bench.executions()] == ["SUCCESS", "FAILED"]
    assert (await bench.state()).disabled


async def test_replayed_it_runs_and_there_is_nothing_to_restart(bench: Bench) -> None:
    await bench.save(UNTIL_TWO)
    await bench.at(14)
    (refused,) = await bench.executions()
    ask = bench.runtime.queue.executor.ask
    with pytest.raises(NothingToRestart):
        await ask(RestartExecution(refused.execution.id))
    replayed = await ask(ReplayExecution(refused.execution.id, inputs={"hour": 3}))
    ended = await bench.flows.ended(replayed.id)
    assert (ended.state, ended.run("say").outputs) == ("SUCCESS", {"value": "3"})


async def stored_but_not_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Execution:
    bench.clock.set(13, 30)
    await bench.save(UNTIL_TWO)
    with monkeypatch.context() as patched:
        patched.setattr(bench.runtime.queue.executor, "send", lambda event: None)
        await bench.at(14)
    ((stored, _),) = await bench.runtime.executions.unstarted()
    return stored


async def test_it_cannot_be_forced_to_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = await stored_but_not_told(bench, monkeypatch)
    with pytest.raises(CommandRefused, match="cannot run: Invalid"):
        await bench.runtime.queue.executor.ask(ForceRun(stored.id))


async def test_what_was_killed_before_the_executor_was_told_does_not_begin(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await stored_but_not_told(bench, monkeypatch)
    executor = bench.runtime.queue.executor
    await executor.ask(KillExecution(stored.id))
    told: Event = ExecutionStored(stored.id, stored, 0)
    executor.send(told)
    await bench.flows.run(dedent(LISTENER))
    (killed,) = await bench.executions()
    assert killed.history == ["CREATED", "KILLING", "KILLED"]
