"""Concurrency limits whatever happens: no slot is lost, none is given twice, the queue drains."""

from __future__ import annotations

import asyncio
import os
import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from windhover.engine.creation import new_execution
from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import (
    ChangeStatus,
    Command,
    CommandRefused,
    CreateExecution,
    FlowChanged,
    Job,
    KillExecution,
    PauseExecution,
    ReplayExecution,
    RestartExecution,
    ResumeExecution,
    TaskEnded,
    UnqueueExecution,
)
from windhover.executor.executor import Executor
from windhover.model.execution import Execution
from windhover.model.flow import Flow
from windhover.model.state import TERMINATED, StateType
from windhover.plugin.registry import Registry
from windhover.queue.local import LocalQueue
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository
from windhover.repository.gatherings import GatheringRepository
from windhover.util.ids import new_id

STEPS = int(os.environ.get("WINDHOVER_STEPS", "400"))

FLOW = """
id: limited
namespace: company.team
{concurrency}
tasks:
  - id: first
    type: io.kestra.plugin.core.debug.Return
  - id: second
    type: io.kestra.plugin.core.debug.Return
finally:
  - id: clean
    type: io.kestra.plugin.core.debug.Return
afterExecution:
  - id: after
    type: io.kestra.plugin.core.debug.Return
"""

_ENDED = tuple(TERMINATED)

#: What ends from here has not run; it may have before it was restarted.
_UNSTARTED = (StateType.CREATED, StateType.QUEUED, StateType.RESTARTED)

#: What becomes of an execution for which there is no room.
_BEYOND = {"QUEUE": StateType.QUEUED, "CANCEL": StateType.CANCELLED, "FAIL": StateType.FAILED}


class House:
    """A database, an executor that may crash, and a worker that ends its jobs when it is told to."""

    def __init__(self, database: Database) -> None:
        self.executions = ExecutionRepository(database)
        self.definitions = FlowDefinitions(FlowRepository(database), Registry())
        self.gatherings = GatheringRepository(database)
        self.jobs: dict[str, Job] = {}
        self.have_run: set[str] = set()
        self.ended: list[str] = []
        self.limit: int | None = None
        self.behavior = "QUEUE"
        self.flow: Flow
        self.queue: LocalQueue
        self._run: asyncio.Task[None]

    async def start(self) -> None:
        self.queue = LocalQueue()
        executor = Executor(
            self.executions,
            self.definitions,
            self.queue,
            EngineEnvironment(),
            gatherings=self.gatherings,
        )
        await executor.start()
        self._run = asyncio.create_task(executor.run())
        await self.settle()

    async def crash(self) -> None:
        """Forget all that is not in the database."""
        await self.stop()
        self.jobs.clear()
        await self.start()

    async def stop(self) -> None:
        self._run.cancel()
        await asyncio.gather(self._run, return_exceptions=True)

    async def settle(self) -> None:
        """Let the executor do all that there is to do."""
        for _ in range(2):
            await asyncio.sleep(0)
            if self._run.done():
                self._run.result()
            with pytest.raises(CommandRefused):
                await self.queue.executor.request(PauseExecution("nothing"))
        while len(self.queue.jobs):
            for job in await self.queue.jobs.take(100):
                self.jobs[job.identity.task_run_id] = job

    async def ask(self, command: Command) -> None:
        """Send a command; some are refused, for the state that the execution is in."""
        try:
            await self.queue.executor.request(command)
        except CommandRefused:
            return

    async def save(self, limit: int | None, behavior: str = "QUEUE") -> None:
        self.limit, self.behavior = limit, behavior
        concurrency = "" if limit is None else f"concurrency: {{limit: {limit}, behavior: {behavior}}}"
        parsed = self.definitions.parse(FLOW.format(concurrency=concurrency))
        self.flow = await self.definitions.save("main", parsed)
        self.queue.broadcasts.publish(
            FlowChanged("main", self.flow.namespace, self.flow.id, self.flow.revision or 0)
        )

    def end(self, job: Job, state: StateType) -> None:
        identity = job.identity
        del self.jobs[identity.task_run_id]
        self.queue.executor.send(
            TaskEnded(
                identity.execution_id,
                identity.task_run_id,
                identity.dispatch,
                "worker",
                datetime.now(UTC),
                state,
                outputs={},
            )
        )

    async def state_of(self, execution_id: str) -> StateType:
        found = self.executions.stream(ExecutionQuery("main", ids=(execution_id,)))
        (state,) = [record.state.current async for record in found]
        return state

    async def standing(self) -> tuple[set[str], set[str]]:
        """The executions that hold a slot, and those that wait for one.

        One that has run holds its slot until its last task has ended; one that was taken out of the queue
        to end has none for what runs after its end.
        """
        holders = {job.identity.execution_id for job in self.jobs.values()} & self.have_run
        for record in await self.ended_ones(holders):
            reached = [change.state for change in record.state.histories if change.state not in TERMINATED]
            if reached[-1] in _UNSTARTED:
                holders.discard(record.id)
        queued: set[str] = set()
        async for record in self.executions.stream(ExecutionQuery("main", excluded_states=_ENDED)):
            (queued if record.state.current is StateType.QUEUED else holders).add(record.id)
        self.have_run = (self.have_run | holders) - queued
        return holders, queued

    async def ended_ones(self, ids: set[str]) -> list[Execution]:
        if not ids:
            return []
        query = ExecutionQuery("main", ids=tuple(ids), states=_ENDED)
        return [record async for record in self.executions.stream(query)]

    async def revived(self) -> list[Execution]:
        """The executions that ran again after their end though nobody restarted them."""
        found = []
        async for record in self.executions.stream(ExecutionQuery("main")):
            for before, after in pairwise(change.state for change in record.state.histories):
                if before in TERMINATED and after not in TERMINATED and after is not StateType.RESTARTED:
                    found.append(record)
        return found


async def step(house: House, chance: random.Random, open_: list[str]) -> None:
    """Let one thing happen."""
    what = chance.choices(
        [
            "start",
            "end",
            "kill",
            "restart",
            "replay",
            "limit",
            "crash",
            "pause",
            "resume",
            "unqueue",
            "status",
        ],
        [30 if len(open_) < 12 else 0, 50, 10, 5, 4, 4, 3, 3, 4, 2, 2],
    )[0]
    some = chance.choice(open_) if open_ else "nothing"
    done = chance.choice(house.ended) if house.ended else "nothing"
    match what:
        case "start":
            execution = new_execution(house.flow, {}, new_id(), datetime.now(UTC))
            house.ended.append(execution.id)
            del house.ended[:-30]
            full = house.limit is not None and len((await house.standing())[0]) >= house.limit
            await house.ask(CreateExecution(execution))
            if full:
                await house.settle()
                assert await house.state_of(execution.id) is _BEYOND[house.behavior]
        case "end" if house.jobs:
            job = house.jobs[chance.choice(sorted(house.jobs))]
            house.end(job, chance.choice([StateType.SUCCESS] * 3 + [StateType.FAILED, StateType.KILLED]))
        case "kill":
            await house.ask(KillExecution(some))
        case "restart":
            await house.ask(RestartExecution(done))
        case "replay":
            await house.ask(ReplayExecution(done))
        case "limit":
            behavior = chance.choice(["QUEUE"] * 4 + ["CANCEL", "FAIL"])
            await house.save(chance.choice([1, 2, 3, 5, None]), behavior)
        case "status":
            await house.ask(ChangeStatus(done, chance.choice([StateType.SUCCESS, StateType.FAILED])))
        case "crash":
            await house.crash()
        case "pause":
            await house.ask(PauseExecution(some))
        case "resume":
            await house.ask(ResumeExecution(some))
        case "unqueue":
            await house.ask(UnqueueExecution(some, StateType.CANCELLED))


@pytest.mark.timeout(60 + STEPS // 10)
async def test_slots_are_never_lost_nor_given_twice(database: Database) -> None:
    chance = random.Random(STEPS)
    house = House(database)
    await house.start()
    await house.save(2)
    holders: set[str] = set()
    queued: set[str] = set()
    for number in range(STEPS):
        before = holders
        await step(house, chance, sorted(holders | queued))
        await house.settle()
        holders, queued = await house.standing()
        if house.limit is None:
            assert not queued, f"step {number}: something waits though there is no limit"
            continue
        if len(holders) > house.limit:
            assert holders <= before, f"step {number}: one more runs than may"
        assert not queued or len(holders) >= house.limit, f"step {number}: a slot is free and not taken"
    for _ in range(1000):
        if not holders and not queued:
            break
        for job in list(house.jobs.values()):
            house.end(job, StateType.SUCCESS)
        for some in holders:
            await house.ask(ResumeExecution(some))
        await house.settle()
        holders, queued = await house.standing()
    assert not holders
    assert not queued
    assert await house.revived() == []
    await house.stop()
