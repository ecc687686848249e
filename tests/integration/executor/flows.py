"""Saves flows, starts executions, and waits for what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from textwrap import dedent

from windhover.engine.creation import new_execution
from windhover.engine.messages import Broadcast, CreateExecution, ExecutionChanged
from windhover.model.execution import Execution, JsonValue, TaskRun
from windhover.model.flow import Flow
from windhover.model.log import LogEntry
from windhover.model.state import StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.server.runtime import Runtime
from windhover.util.ids import new_id

TIME_LIMIT = 60.0


@dataclass
class Ended:
    """An execution as it is in the repository."""

    execution: Execution
    task_runs: list[TaskRun]
    logs: list[LogEntry] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.execution.state.current.value

    @property
    def history(self) -> list[str]:
        return [change.state.value for change in self.execution.state.histories]

    def run(self, task_id: str) -> TaskRun:
        (found,) = [run for run in self.task_runs if run.task_id == task_id]
        return found

    def states(self) -> dict[str, str]:
        return {run.task_id: run.state.current.value for run in self.task_runs}

    def run_history(self, task_id: str) -> list[str]:
        return [change.state.value for change in self.run(task_id).state.histories]

    def messages(self, level: str | None = None) -> list[str]:
        return [entry.message for entry in self.logs if level in (None, entry.level.name)]


class Flows:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def lose_server(self) -> None:
        """Let the server be gone, with its worker and all it remembers, and another one take its place.

        No task that was under way is reported: the database alone says what there is to go on with.
        """
        old = self.runtime
        await old.stop(timedelta())
        await asyncio.to_thread(old.answers.close)
        await old.storage.close()
        self.runtime = Runtime(old.database, old.settings)
        await self.runtime.start()

    async def save(self, source: str) -> Flow:
        return await self.runtime.definitions.save("main", self.runtime.definitions.parse(dedent(source)))

    async def start(
        self, flow: Flow, inputs: dict[str, JsonValue] | None = None, schedule_date: datetime | None = None
    ) -> str:
        execution = new_execution(
            flow, inputs or {}, new_id(), self.runtime.clock(), schedule_date=schedule_date
        )
        await self.runtime.queue.executor.ask(CreateExecution(execution))
        return execution.id

    async def run(self, source: str, inputs: dict[str, JsonValue] | None = None) -> Ended:
        """Save a flow, run it, and return how it ended."""
        return await self.ended(await self.start(await self.save(source), inputs))

    async def ended(self, execution_id: str) -> Ended:
        return await self.until(
            execution_id, lambda e: e.execution.state.current.is_terminated and not _under_way(e)
        )

    async def successor(self, retried: Ended) -> Ended:
        """The end of the execution that took the place of another."""
        query = ExecutionQuery("main", parent_id=retried.execution.id)
        async with asyncio.timeout(TIME_LIMIT):
            with self.runtime.queue.broadcasts.subscribe() as messages:
                while not (found := await self.runtime.executions.ids(query)):
                    await messages.next()
        return await self.ended(found[0])

    async def reaches(self, execution_id: str, state: StateType) -> Ended:
        return await self.until(execution_id, lambda e: e.execution.state.current is state)

    async def until(self, execution_id: str, met: Callable[[Ended], bool]) -> Ended:
        """Look at an execution after each of its commits until a condition is met."""

        def about(message: Broadcast) -> bool:
            return isinstance(message, ExecutionChanged) and message.execution_id == execution_id

        async with asyncio.timeout(TIME_LIMIT):
            with self.runtime.queue.broadcasts.subscribe(about) as messages:
                while True:
                    loaded = await self.load(execution_id)
                    if met(loaded):
                        return loaded
                    await messages.next()

    async def load(self, execution_id: str) -> Ended:
        found = await self.runtime.executions.load(execution_id)
        assert found is not None
        logs = [entry async for entry in self.runtime.logs.stream(execution_id)]
        return Ended(*found, logs)


def _under_way(loaded: Ended) -> bool:
    return any(not run.state.current.is_terminated for run in loaded.task_runs)
