"""Flow triggers: what executions start in other flows, when, and exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.executor.flows import TIME_LIMIT, Ended, Flows

from windhover.core.trigger.flow import DEFAULT_STATES
from windhover.engine.creation import new_execution
from windhover.engine.messages import CreateExecution, FlowChanged
from windhover.model.flow import Flow
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.model.trigger_state import TriggerKey
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.gatherings import GatheringRepository
from windhover.repository.trigger_logs import trigger_log_id
from windhover.server.runtime import Runtime, RuntimeSettings

UP = """\
id: {id}
namespace: company.team
tasks:
  - id: out
    type: io.kestra.plugin.core.debug.Return
    format: "{id}"
outputs:
  - id: {id}
    type: STRING
    value: "{{{{ outputs.out.value }}}}"
"""

LISTENER = """\
id: listener
namespace: company.team
tasks:
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "after {{ trigger.flowId }}: {{ trigger.outputs ?? 'nothing' }}"
triggers:
  - id: t
    type: io.kestra.plugin.core.trigger.Flow
"""


def up(id: str) -> str:
    return UP.format(id=id)


def listener(trigger: str, base: str = LISTENER) -> str:
    return base + "".join(f"    {line}\n" for line in trigger.strip("\n").splitlines())


def preconditions(more: str = "", *flows: str) -> str:
    entries = "".join(f"    - {{namespace: company.team, flowId: {id}, states: [SUCCESS]}}\n" for id in flows)
    return f"preconditions:\n  id: all\n  flows:\n{entries}{more}"


class Clock:
    """Time that the test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Triggers(Flows):
    """Flows whose changes are told, as the API tells them."""

    async def declare(self, source: str) -> Flow:
        flow = await self.save(source)
        message = FlowChanged("main", flow.namespace, flow.id, flow.revision or 0)
        self.runtime.queue.broadcasts.publish(message)
        return flow

    async def started(self, flow_id: str = "listener") -> list[Ended]:
        """What was started of a flow, all of it ended."""
        async with asyncio.timeout(TIME_LIMIT):
            while True:
                ids = await self.runtime.executions.ids(_of(flow_id))
                found = [await self.ended(id_) for id_ in ids]
                if await self.runtime.executions.ids(_of(flow_id)) == ids:
                    return found


def _of(flow_id: str) -> ExecutionQuery:
    return ExecutionQuery("main", flows=(("company.team", flow_id),))


class Servers:
    """Runtimes one after the other, on one database."""

    def __init__(self, database: Database, home: Path, clock: Callable[[], datetime] | None = None) -> None:
        self.database, self.home, self.clock = database, home, clock
        self.runtime: Runtime | None = None

    async def start(self) -> Triggers:
        settings = RuntimeSettings(
            home=self.home, storage_path=self.home / "storage", temporary=self.home / "work", environ={}
        )
        options: dict[str, Any] = {} if self.clock is None else {"clock": self.clock}
        self.runtime = Runtime(self.database, settings, **options)
        await self.runtime.start()
        return Triggers(self.runtime)

    async def stop(self) -> None:
        if self.runtime is not None:
            await self.runtime.stop(timedelta())
            self.runtime = None


@pytest_asyncio.fixture
async def servers(database: Database, tmp_path: Path) -> AsyncIterator[Servers]:
    found = Servers(database, tmp_path)
    yield found
    await found.stop()


@pytest_asyncio.fixture
async def clocked(database: Database, tmp_path: Path) -> AsyncIterator[Servers]:
    found = Servers(database, tmp_path, Clock())
    yield found
    await found.stop()


async def run(flows: Triggers, id: str) -> Ended:
    return await flows.run(up(id))


async def test_an_execution_starts_another_with_what_it_knows(servers: Servers) -> None:
    flows = await servers.start()
    await flows.declare(
        LISTENER.replace("tasks:", "inputs:\n  - {id: seen, type: STRING}\ntasks:")
        + '    inputs: {seen: "{{ outputs.out.value }} {{ execution.state }}"}\n'
    )
    first = await run(flows, "a")
    (second,) = await flows.started()
    assert second.state == "SUCCESS"
    assert second.execution.inputs == {"seen": "a SUCCESS"}
    trigger = second.execution.trigger
    assert trigger is not None
    known = {name: trigger.variables[name] for name in ("executionId", "state", "flowId", "outputs")}
    assert known == {
        "executionId": first.execution.id,
        "state": "SUCCESS",
        "flowId": "a",
        "outputs": {"a": "a"},
    }
    correlation = {label.key: label.value for label in second.execution.labels}["system.correlationId"]
    assert correlation == first.execution.id


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("states: [FAILED]", 0),
        ("states: [RUNNING, SUCCESS]", 2),
        ("when: \"{{ flow.id == 'a' and outputs.a == 'a' and state == 'SUCCESS' }}\"", 1),
        ("when: \"{{ flow.id == 'listener' }}\"", 0),
        (
            "conditions:\n"
            "  - {type: io.kestra.plugin.core.condition.Expression,"
            " expression: \"{{ flow.id == 'listener' }}\"}",
            1,
        ),
        (
            "conditions:\n  - {type: io.kestra.plugin.core.condition.Expression, expression: '{{ nope }}'}",
            0,
        ),
        (
            "conditions:\n"
            "  - {type: io.kestra.plugin.core.condition.ExecutionOutputs, "
            "expression: \"{{ trigger.outputs.a == 'a' }}\"}",
            1,
        ),
        ("disabled: true", 0),
    ],
)
async def test_what_counts(servers: Servers, trigger: str, expected: int) -> None:
    flows = await servers.start()
    await flows.declare(listener(trigger))
    await run(flows, "a")
    assert len(await flows.started()) == expected


async def test_a_condition_that_fails_is_told_once_until_the_trigger_fires(servers: Servers) -> None:
    flows = await servers.start()
    await flows.declare(listener("when: \"{{ flow.id == 'b' or outputs.nope.value }}\""))
    for id in ("a", "a", "b", "a", "a"):
        await run(flows, id)
    assert len(await flows.started()) == 1
    key = TriggerKey("main", "company.team", "listener", "t")
    lines = [line async for line in flows.runtime.logs.stream(trigger_log_id(key))]
    assert [(line.level, line.trigger_id) for line in lines] == [(LogLevel.WARN, "t")] * 2
    assert all("nope" in line.message for line in lines)


async def test_a_flow_does_not_listen_to_itself_nor_after_it_was_changed(servers: Servers) -> None:
    flows = await servers.start()
    own = await flows.declare(LISTENER)
    await flows.ended(await flows.start(own))
    assert len(await flows.started()) == 1
    await flows.declare(LISTENER.replace("company.team\n", "company.team\ndisabled: true\n"))
    await run(flows, "a")
    assert len(await flows.started()) == 1


async def test_an_input_that_cannot_be_rendered_makes_a_failed_execution(servers: Servers) -> None:
    flows = await servers.start()
    source = LISTENER.replace("tasks:", "inputs:\n  - {id: seen, type: STRING}\ntasks:")
    after = "afterExecution:\n  - {id: alert, type: io.kestra.plugin.core.log.Log, message: failed}\n"
    await flows.declare(source + '    inputs: {seen: "{{ outputs.nope.value }}"}\n' + after)
    first = await run(flows, "a")
    (second,) = await flows.started()
    assert second.history == ["CREATED", "FAILED"]
    assert second.states() == {"alert": "SUCCESS"}
    assert "nope" in second.messages("ERROR")[0]
    logged = [line.message for line in await _logs(flows, first.execution.id, "WARN")]
    assert logged == ["Failed to trigger flow company.team.listener for trigger t, invalid inputs"]


async def test_a_required_input_that_nothing_gives_stops_nothing(servers: Servers) -> None:
    flows = await servers.start()
    await flows.declare(LISTENER.replace("tasks:", "inputs:\n  - {id: seen, type: STRING}\ntasks:"))
    await run(flows, "a")
    (second,) = await flows.started()
    assert second.state == "SUCCESS"


# ---------------------------------------------------------------- several executions


async def test_preconditions_are_remembered_across_restarts_and_reset(servers: Servers) -> None:
    flows = await servers.start()
    await flows.declare(listener(preconditions("", "a", "b")))
    await run(flows, "a")
    await run(flows, "a")
    assert await flows.started() == []
    await servers.stop()
    flows = await servers.start()
    last = await run(flows, "b")
    (fired,) = await flows.started()
    assert fired.execution.trigger is not None
    assert fired.execution.trigger.variables["executionId"] == last.execution.id
    assert fired.execution.trigger.variables["outputs"] == {"a": "a", "b": "b"}
    await run(flows, "b")
    assert len(await flows.started()) == 1
    await run(flows, "a")
    assert len(await flows.started()) == 2


async def test_without_a_reset_every_further_execution_fires(servers: Servers) -> None:
    flows = await servers.start()
    await flows.declare(listener(preconditions("  resetOnSuccess: false", "a", "b")))
    for id in ("a", "b", "b", "a", "c"):
        await run(flows, id)
    assert len(await flows.started()) == 3


async def test_an_older_multiple_condition_gathers_as_well(servers: Servers) -> None:
    flows = await servers.start()
    condition = "io.kestra.plugin.core.condition"
    await flows.declare(
        listener(
            f"""\
conditions:
  - type: {condition}.MultipleCondition
    id: both
    window: P1D
    conditions:
      a: {{type: {condition}.ExecutionFlow, namespace: company.team, flowId: a}}
      b: {{type: {condition}.ExecutionFlow, namespace: company.team, flowId: b}}
"""
        )
    )
    await run(flows, "a")
    assert await flows.started() == []
    await run(flows, "b")
    assert len(await flows.started()) == 1


@pytest.mark.parametrize(
    ("mode", "expected"), [("mode: ALL", 1), ("mode: ANY", 3), ("mode: AT_LEAST\nminSatisfied: 2", 1)]
)
async def test_so_many_dependencies(servers: Servers, mode: str, expected: int) -> None:
    flows = await servers.start()
    entries = "".join(f"  - {{namespace: company.team, flowId: {id}}}\n" for id in "abc")
    await flows.declare(listener(f"dependsOn:\n{entries}{mode}"))
    for id in "abc":
        await run(flows, id)
    assert len(await flows.started()) == expected


async def test_a_window_that_has_ended_forgets(clocked: Servers) -> None:
    flows = await clocked.start()
    clock = clocked.clock
    assert isinstance(clock, Clock)
    window = "  timeWindow: {type: DAILY_TIME_DEADLINE, deadline: '09:00:00'}"
    await flows.declare(listener(preconditions(window, "a", "b")))
    await run(flows, "a")
    clock.now = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
    await run(flows, "b")
    clock.now = datetime(2026, 5, 5, 8, 0, tzinfo=UTC)
    await run(flows, "b")
    assert await flows.started() == []
    await run(flows, "a")
    assert len(await flows.started()) == 1


async def test_dependencies_look_back_over_a_time(clocked: Servers) -> None:
    flows = await clocked.start()
    clock = clocked.clock
    assert isinstance(clock, Clock)
    entries = "".join(f"  - {{namespace: company.team, flowId: {id}}}\n" for id in "ab")
    await flows.declare(listener(f"dependsOn:\n{entries}window: {{lookback: PT1H}}"))
    for minute, id, fired in ((0, "a", 0), (70, "b", 0), (100, "a", 1), (110, "b", 1)):
        clock.now = datetime(2026, 5, 4, 8, 0, tzinfo=UTC) + timedelta(minutes=minute)
        await run(flows, id)
        assert len(await flows.started()) == fired


DEADLINE = """\
dependsOn:
  - {namespace: company.team, flowId: a}
window: {deadline: '09:00:00'}
onMiss: {labels: {missed: "yes"}}
"""


async def test_a_missed_deadline_makes_a_failed_execution_once(clocked: Servers) -> None:
    flows = await clocked.start()
    clock = clocked.clock
    assert isinstance(clock, Clock)
    await flows.declare(listener(DEADLINE))
    await run(flows, "a")
    assert [each.state for each in await flows.started()] == ["SUCCESS"]
    for day in (4, 5, 5):
        clock.now = datetime(2026, 5, day, 9, 0, 1, tzinfo=UTC)
        flows.runtime.queue.executor.wake()
        await run(flows, "z")
    missed = [each for each in await flows.started() if each.state == "FAILED"]
    assert len(missed) == 1
    assert "not satisfied by 2026-05-05T09:00:00" in missed[0].messages("ERROR")[0]
    assert {label.key for label in missed[0].execution.labels} >= {"missed"}
    await clocked.stop()
    clock.now = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)
    flows = await clocked.start()
    await run(flows, "z")
    assert len([each for each in await flows.started() if each.state == "FAILED"]) == 2


# ---------------------------------------------------------------- chains


async def test_flows_that_trigger_one_another_are_stopped(servers: Servers) -> None:
    flows = await servers.start()
    one = LISTENER + "    conditions: [{type: io.kestra.plugin.core.condition.ExecutionFlow, "
    await flows.declare(one.replace("id: listener", "id: ping") + "namespace: company.team, flowId: pong}]\n")
    pong = one.replace("id: listener", "id: pong") + "namespace: company.team, flowId: ping}]\n"
    await flows.ended(await flows.start(await flows.declare(pong)))
    with flows.runtime.queue.broadcasts.subscribe() as messages:
        async with asyncio.timeout(TIME_LIMIT):
            while len(await flows.started("pong")) < 11:
                await messages.next()
    assert (len(await flows.started("ping")), len(await flows.started("pong"))) == (10, 11)
    lines = [
        line
        for execution in await flows.started("pong")
        for line in await _logs(flows, execution.execution.id, "ERROR")
    ]
    stopped = [line.message for line in lines if line.message.startswith("Flow trigger")]
    assert len(stopped) == 1
    assert "company.team.ping.t is not fired: it has fired 10 times" in stopped[0]


async def test_executions_of_a_kind_start_nothing(servers: Servers) -> None:
    flows = await servers.start()
    await flows.declare(LISTENER)
    flow = await flows.save(up("a"))
    execution = new_execution(flow, {}, "test", flows.runtime.clock(), kind="TEST")
    await flows.runtime.queue.executor.ask(CreateExecution(execution))
    await flows.ended("test")
    assert await flows.started() == []


async def test_the_flows_that_listen_are_known_after_a_restart_and_forgotten_when_deleted(
    servers: Servers,
) -> None:
    flows = await servers.start()
    await flows.declare(listener(preconditions("", "a", "b")))
    await servers.stop()
    flows = await servers.start()
    await run(flows, "a")
    repository = flows.runtime.definitions.repository
    await repository.delete("main", "company.team", "listener", flows.runtime.clock())
    flows.runtime.queue.broadcasts.publish(FlowChanged("main", "company.team", "listener", 2))
    await run(flows, "b")
    assert await flows.started() == []
    assert await GatheringRepository(flows.runtime.database).all() == []


async def _logs(flows: Triggers, execution_id: str, level: str) -> list[Any]:
    found = await flows.ended(execution_id)
    return [line for line in found.logs if line.level.name == level]


def test_terminal_states_are_the_usual_ones() -> None:
    assert {state for state in StateType if state.is_terminated} | {StateType.PAUSED} == set(DEFAULT_STATES)
