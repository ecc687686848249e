"""Triggers that workers look after: they look or listen, and what they see starts executions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.scheduler.watching import Source, WatchingServer, flow, running

from windhover.engine.messages import ExecutionChanged, FlowChanged, LogsCommitted, TriggersChanged
from windhover.model.state import StateType
from windhover.model.trigger_state import Health
from windhover.plugin.trigger import Forget
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.trigger_changes import Disable, Enable
from windhover.scheduler.settings import SchedulerSettings


@pytest_asyncio.fixture
async def server(database: Database, tmp_path: Path, source: Source) -> AsyncIterator[WatchingServer]:
    settings = SchedulerSettings(
        tick=timedelta(milliseconds=50),
        look_limit=timedelta(seconds=2),
        listen_lease=timedelta(seconds=3),
    )
    async with running(database, tmp_path, settings) as made:
        yield made


async def test_each_event_starts_an_execution(server: WatchingServer) -> None:
    await server.save(flow("test.Listen", 'text: "{{ flow.id }}"'))
    for number in range(30):
        server.source.events.put_nowait((number, None))
    assert sorted(await server.values(30)) == sorted(f"{number} seen" for number in range(30))


async def test_nothing_is_told_of_executions_that_nobody_follows(server: WatchingServer) -> None:
    """A server that looks at triggers hears of flows and triggers, and of executions only when asked to."""
    assert server.runtime.queue.broadcasts.is_heard(FlowChanged)
    assert not server.runtime.queue.broadcasts.is_heard(ExecutionChanged)
    assert not server.runtime.queue.broadcasts.is_heard(LogsCommitted)


async def test_an_event_is_acknowledged_once_its_execution_is_committed(server: WatchingServer) -> None:
    written: list[int] = []

    async def count(number: int) -> None:
        written.append(len([each async for each in server.runtime.executions.stream(ExecutionQuery("main"))]))

    server.source.on_acknowledge = count
    await server.save(flow("test.Listen"))
    server.source.events.put_nowait((7, None))
    await server.values(1)
    await server.until(lambda: _true(server.source.acknowledged == [7]))
    assert written == [1]


async def test_an_event_with_a_key_starts_one_execution_however_often_it_comes(
    server: WatchingServer,
) -> None:
    await server.save(flow("test.Listen"))
    for key in ("a", "b", "a", "a", "b"):
        server.source.events.put_nowait((1, key))
    await server.until(lambda: _true(len(server.source.acknowledged) == 5))
    assert len(await server.values(2)) == 2


async def test_a_key_that_is_forgotten_is_that_of_another_event(server: WatchingServer) -> None:
    """Those that begin with a prefix, of this trigger alone."""
    await server.save(flow("test.Listen"))
    told: list[str] = []

    async def see(*events: tuple[int, str | None]) -> None:
        wanted = len(server.source.acknowledged) + len(events)
        for event in events:
            server.source.events.put_nowait(event)
        await server.until(lambda: _true(len(server.source.acknowledged) == wanted))

    async def forget(prefix: str) -> None:
        async def acknowledge() -> None:
            told.append(prefix)

        server.source.events.put_nowait(Forget(prefix, acknowledge))
        await server.until(lambda: _true(told[-1:] == [prefix]))

    await see((1, "session/1/"), (2, "session/11/"), (3, "other"))
    await forget("session/1/")
    await see((4, "session/1/"), (5, "session/11/"), (6, "other"))
    assert sorted(await server.values(4)) == ["1 ", "2 ", "3 ", "4 "]
    await forget("session/")
    await see((7, "session/1/"), (8, "session/11/"), (9, "other"))
    assert sorted(await server.values(6)) == ["1 ", "2 ", "3 ", "4 ", "7 ", "8 "]


async def test_whoever_has_lost_the_trigger_makes_nothing_forgotten(server: WatchingServer) -> None:
    await server.save(flow("test.Listen"))
    server.source.events.put_nowait((1, "a"))
    await server.values(1)
    # Nobody is told, so the listener goes on until its next sign of life.
    await server.runtime.triggers.change([Disable(server.key)], server.runtime.clock())
    told: list[str] = []

    async def acknowledge() -> None:
        told.append("a")

    server.source.events.put_nowait(Forget("a", acknowledge))
    await server.until(lambda: _true(server.source.listeners == 0))
    assert told == []
    assert await server.runtime.triggers.execution_of(server.key, "a") is not None


@pytest.mark.parametrize("kind", ["test.Listen", "test.Look"])
async def test_the_flow_says_which_events_are_the_same(server: WatchingServer, kind: str) -> None:
    """Whatever key the source gives them."""
    more = "" if kind == "test.Listen" else "\ninterval: PT0.05S\nallowConcurrent: true"
    await server.save(flow(kind, 'eventKey: "number {{ trigger.number % 2 }}"' + more))
    for number in range(5):
        server.source.events.put_nowait((number, f"key {number}"))
    await server.until(lambda: _true(len(server.source.acknowledged) == 5))
    assert sorted(await server.values(2)) == ["0 ", "1 "]
    assert len([each async for each in server.runtime.executions.stream(ExecutionQuery("main"))]) == 2


async def test_an_event_whose_key_cannot_be_rendered_is_not_lost(server: WatchingServer) -> None:
    await server.save(flow("test.Listen", 'eventKey: "{{ trigger.no_such_name }}"'))
    server.source.events.put_nowait((1, None))

    async def failed() -> list[str]:
        records = [each async for each in server.runtime.executions.stream(ExecutionQuery("main"))]
        return [record.id for record in records if record.state.current.value == "FAILED"]

    (execution_id,) = await server.until(failed)
    (line, *_) = [entry.message async for entry in server.runtime.logs.stream(execution_id)]
    assert "The eventKey of the trigger cannot be rendered" in line
    assert server.source.acknowledged == [1]


async def test_conditions_choose_events(server: WatchingServer) -> None:
    await server.save(flow("test.Listen", 'when: "{{ trigger.number > 1 }}"'))
    for number in range(4):
        server.source.events.put_nowait((number, None))
    await server.until(lambda: _true(len(server.source.acknowledged) == 4))
    assert sorted(await server.values(2)) == ["2 ", "3 "]


async def test_a_source_that_breaks_is_listened_to_again(server: WatchingServer) -> None:
    await server.save(flow("test.Listen"))
    server.source.events.put_nowait(ConnectionError("the line is dead"))

    async def failing() -> bool:
        return (await server.state()).health is Health.FAILING

    await server.until(failing)
    assert (await server.state()).memory.reason == "the line is dead"
    assert "the line is dead" in (await server.log())[0]
    server.source.events.put_nowait((1, None))
    assert await server.values(1) == ["1 "]
    assert (await server.state()).health is Health.HEALTHY


async def test_a_source_that_breaks_makes_a_failed_execution_where_that_is_wanted(
    server: WatchingServer,
) -> None:
    await server.save(flow("test.Listen", "failOnTriggerError: true"))
    server.source.events.put_nowait(ConnectionError("the line is dead"))

    async def failed() -> bool:
        return [run.state.current for run in await server.executions()] == [StateType.FAILED]

    await server.until(failed)
    (run,) = await server.executions()
    lines = [line.message async for line in server.runtime.logs.stream(run.id)]
    assert lines == ["the line is dead"]
    assert (await server.state()).health is Health.FAILING


async def test_an_event_whose_condition_fails(server: WatchingServer) -> None:
    failing = 'when: "{{ 10 / trigger.number }}"\nfailOnTriggerError: true'
    await server.save(flow("test.Listen", failing))
    server.source.events.put_nowait((0, None))
    server.source.events.put_nowait((1, None))

    async def both() -> bool:
        states = [run.state.current for run in await server.executions()]
        return sorted(states) == [StateType.FAILED, StateType.SUCCESS]

    await server.until(both)
    await server.until(lambda: _true(server.source.acknowledged == [0, 1]))


async def test_disabled_it_listens_no_more_and_enabled_again(server: WatchingServer) -> None:
    await server.save(flow("test.Listen"))
    await server.until(lambda: _true(server.source.listeners == 1))
    await server.runtime.triggers.change([Disable(server.key)], server.runtime.clock())
    server.runtime.queue.broadcasts.publish(TriggersChanged())
    await server.until(lambda: _true(server.source.listeners == 0))
    await server.runtime.triggers.change([Enable(server.key)], server.runtime.clock())
    server.runtime.queue.broadcasts.publish(TriggersChanged())
    await server.until(lambda: _true(server.source.listeners == 1))
    assert server.source.most_listeners == 1


async def test_a_changed_trigger_listens_anew(server: WatchingServer) -> None:
    await server.save(flow("test.Listen", "text: old"))
    await server.until(lambda: _true(server.source.listeners == 1))
    await server.save(flow("test.Listen", "text: new"))

    await server.until(lambda: _true(server.source.texts[-1] == "new"))
    server.source.events.put_nowait((1, None))
    assert await server.values(1) == ["1 new"]
    assert server.source.most_listeners == 1


async def test_an_event_that_comes_too_late_for_its_listener_is_not_acknowledged(
    server: WatchingServer,
) -> None:
    """The source has to give it to whoever listens next."""
    await server.save(flow("test.Listen"))
    await server.until(lambda: _true(server.source.listeners == 1))
    # Nobody is told, so the listener goes on until its next sign of life.
    await server.runtime.triggers.change([Disable(server.key)], server.runtime.clock())
    server.source.events.put_nowait((1, "late"))
    await server.until(lambda: _true(server.source.listeners == 0))
    assert server.source.acknowledged == []
    assert [each async for each in server.runtime.executions.stream(ExecutionQuery("main"))] == []


async def test_a_stop_lets_go_of_the_trigger(server: WatchingServer) -> None:
    await server.save(flow("test.Listen"))
    await server.until(lambda: _true(server.source.listeners == 1))
    await server.runtime._stop_triggers()
    state = await server.state()
    assert server.source.listeners == 0
    assert (state.lease, state.due is not None and state.due <= server.runtime.clock()) == (None, True)


@pytest.mark.parametrize("kind", ["test.Listen", "test.Look"])
async def test_what_a_killed_server_has_listened_to_is_taken_up_at_once(
    database: Database, tmp_path: Path, source: Source, kind: str
) -> None:
    """Though its lease, which a killed server cannot give back, would last for minutes."""
    settings = SchedulerSettings(look_limit=timedelta(minutes=5), listen_lease=timedelta(minutes=5))
    source.hang = True
    async with running(database, tmp_path, settings) as killed:
        await killed.save(flow(kind))
        await killed.until(lambda: _true(source.listeners == 1))
        held = await killed.state()
        assert held.lease is not None
        await killed.kill()

        source.hang = False
        source.events.put_nowait((1, None))
        async with running(database, tmp_path, settings, closing=False) as started:
            assert await started.values(1) == ["1 "]
            assert (await started.state()).lease != held.lease


async def test_a_look_starts_an_execution_and_remembers(server: WatchingServer) -> None:
    await server.save(flow("test.Look", "interval: PT0.05S"))
    server.source.events.put_nowait((1, None))
    server.source.events.put_nowait((2, None))
    assert sorted(await server.values(2)) == ["1 ", "2 "]
    await server.until(lambda: _true({"last": 2} in server.source.looks))
    assert server.source.looks[0] == {}
    assert server.source.acknowledged == [1, 2]
    assert server.source.most_listeners == 1
    assert (await server.log())[0] == "Look 1"


async def test_a_look_that_hangs_is_given_up_and_done_again(server: WatchingServer) -> None:
    server.source.hang = True
    await server.save(flow("test.Look", "interval: PT0.05S"))

    async def failing() -> bool:
        return (await server.state()).health is Health.FAILING

    await server.until(failing)
    assert (await server.state()).memory.reason == "The trigger did not come to an end in time"
    server.source.hang = False
    server.source.events.put_nowait((1, None))
    assert await server.values(1) == ["1 "]


async def test_a_look_that_fails_makes_a_failed_execution_where_that_is_wanted(
    server: WatchingServer,
) -> None:
    await server.save(flow("test.Look", "failOnTriggerError: true"))
    server.source.events.put_nowait(ValueError("nothing to see"))
    (execution,) = await server.until(server.executions)
    assert (await server.flows.ended(execution.id)).state == "FAILED"


async def test_a_property_that_cannot_be_rendered(server: WatchingServer) -> None:
    await server.save(flow("test.Listen", 'text: "{{ no_such_name }}"'))

    async def failing() -> bool:
        return (await server.state()).health is Health.FAILING

    await server.until(failing)
    assert "no_such_name" in ((await server.state()).memory.reason or "")


async def _true(value: bool) -> bool:
    return value
