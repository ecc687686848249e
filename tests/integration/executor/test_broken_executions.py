"""Executions whose flow can no longer be read, because a plugin is gone: each ends, and says why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.executor.flows import Flows

from windhover.engine.messages import (
    CommandRefused,
    DeleteExecution,
    KillExecution,
    RestartExecution,
    ResumeExecution,
)
from windhover.model.state import StateType
from windhover.plugin.registry import Registry

ECHO = """
    id: echo
    namespace: test
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: said}
"""
PAUSED = """
    id: paused
    namespace: test
    tasks:
      - {id: before, type: io.kestra.plugin.core.debug.Return, format: said}
      - {id: wait, type: io.kestra.plugin.core.flow.Pause}
"""
SLEEPING = """
    id: sleeping
    namespace: test
    tasks:
      - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
"""


class Plugins:
    """Takes the plugins away, as an update of the server may, and gives them back."""

    def __init__(self, flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
        self._flows = flows
        self._monkeypatch = monkeypatch

    def take_away(self) -> None:
        self._flows.runtime.definitions._parsed.clear()
        self._flows.runtime.executor._house.live.clear()
        self._monkeypatch.setattr(Registry, "find", lambda self, name: None)

    def give_back(self) -> None:
        self._monkeypatch.undo()


@pytest.fixture
def plugins(flows: Flows, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    return Plugins(flows, monkeypatch)


async def test_a_timer_ends_the_execution_with_the_reason(flows: Flows, plugins: Plugins) -> None:
    flow = await flows.save(ECHO)
    soon = flows.runtime.clock() + timedelta(seconds=0.2)
    execution = await flows.start(flow, schedule_date=soon)
    plugins.take_away()
    ended = await flows.ended(execution)
    assert ended.state == "FAILED"
    (message,) = ended.messages("ERROR")
    assert message.startswith("The execution cannot go on: Flow 'test.echo' revision 1 cannot be read: ")
    assert "io.kestra.plugin.core.debug.Return" in message
    assert await flows.runtime.executions.next_timer() is None


async def test_at_the_next_start_what_was_under_way_ends_and_can_be_restarted_later(
    flows: Flows, plugins: Plugins
) -> None:
    execution = await flows.start(await flows.save(SLEEPING))
    await flows.until(execution, lambda e: e.states().get("sleep") == "RUNNING")
    plugins.take_away()
    await flows.runtime.executor.start()
    ended = await flows.ended(execution)
    assert (ended.state, ended.states()) == ("FAILED", {"sleep": "FAILED"})
    assert ended.messages("ERROR")[0].startswith("The execution cannot go on: ")
    with pytest.raises(CommandRefused, match="cannot be read"):
        await flows.runtime.queue.executor.ask(RestartExecution(execution))
    assert (await flows.load(execution)).history == ended.history

    plugins.give_back()
    await flows.runtime.queue.executor.ask(RestartExecution(execution))
    await flows.until(execution, lambda e: e.states().get("sleep") == "RUNNING")


async def test_whoever_waits_for_it_is_told(flows: Flows, plugins: Plugins) -> None:
    await flows.save(PAUSED)
    parent = await flows.save("""
        id: parent
        namespace: test
        tasks:
          - {id: child, type: io.kestra.plugin.core.flow.Subflow, namespace: test, flowId: paused, wait: true}
    """)
    execution = await flows.start(parent)
    waiting = await flows.until(execution, lambda e: "executionId" in (e.run("child").outputs or {}))
    child = (waiting.run("child").outputs or {})["executionId"]
    await flows.reaches(child, StateType.PAUSED)
    plugins.take_away()
    await flows.runtime.queue.executor.ask(KillExecution(child))
    assert (await flows.ended(execution)).state == "FAILED"


async def test_a_pause_stays_until_the_plugin_is_back(flows: Flows, plugins: Plugins) -> None:
    execution = await flows.start(await flows.save(PAUSED))
    await flows.reaches(execution, StateType.PAUSED)
    plugins.take_away()
    with pytest.raises(CommandRefused, match="cannot be read"):
        await flows.runtime.queue.executor.ask(ResumeExecution(execution))
    assert (await flows.load(execution)).state == "PAUSED"
    plugins.give_back()
    await flows.runtime.queue.executor.ask(ResumeExecution(execution))
    assert (await flows.ended(execution)).state == "SUCCESS"


async def test_a_kill_wins_and_what_is_over_can_be_deleted(flows: Flows, plugins: Plugins) -> None:
    execution = await flows.start(await flows.save(PAUSED))
    await flows.reaches(execution, StateType.PAUSED)
    plugins.take_away()
    ask = flows.runtime.queue.executor.ask
    with pytest.raises(CommandRefused, match="kill it before deleting it"):
        await ask(DeleteExecution(execution))
    await ask(KillExecution(execution))
    ended = await flows.load(execution)
    assert (ended.state, ended.states()) == ("KILLED", {"before": "SUCCESS", "wait": "KILLED"})
    await ask(DeleteExecution(execution))
    assert await flows.runtime.executions.load(execution) is None


async def test_a_defect_in_a_command_costs_that_command(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    failed = await flows.run(ECHO.replace("debug.Return, format: said", "execution.Fail"))
    monkeypatch.setattr("windhover.executor.actions.restart", broken)
    with pytest.raises(CommandRefused, match="internal error"):
        await flows.runtime.queue.executor.ask(RestartExecution(failed.execution.id))
    assert (await flows.load(failed.execution.id)).history == failed.history
    assert (await flows.run(ECHO)).state == "SUCCESS"


async def test_a_defect_in_the_start_of_a_subflow_fails_its_task(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("windhover.executor.children.resolve_inputs", broken)
    await flows.save(ECHO)
    ended = await flows.run("""
        id: parent
        namespace: test
        tasks:
          - {id: child, type: io.kestra.plugin.core.flow.Subflow, namespace: test, flowId: echo}
    """)
    assert (ended.state, ended.states()) == ("FAILED", {"child": "FAILED"})
    assert "internal error" in ended.messages("ERROR")[0]
