"""What a round does about executions that others have started: begins, kills, restarts them, tells their end.

Documentation page: ``docs/subflows.md``.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

from windhover.engine.batches import failed_batches
from windhover.engine.effects import Effects
from windhover.engine.events import (
    ChildEnded,
    ChildRefused,
    ChildStarted,
    EngineEvent,
    FailedBatchesFound,
    KillRequested,
)
from windhover.engine.live import LiveExecution
from windhover.engine.messages import (
    CommandRefused,
    RestartExecution,
    StartChild,
)
from windhover.executor.actions import ReworkCommand
from windhover.executor.change import Change
from windhover.executor.children import ChildRefusedError, MadeChild, child_ended, link
from windhover.executor.descendants import descendants
from windhover.executor.failure import (
    NOT_CARRIED_OUT,
    BrokenExecution,
)
from windhover.executor.house import House
from windhover.model.execution import AwaitedBy, Execution
from windhover.model.flow import Flow
from windhover.model.state import TERMINATED, StateType
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.execution_query import ExecutionQuery
from windhover.storage import StorageError

logger = logging.getLogger(__name__)

#: Who asks, where an execution acts on one that it has started.
STARTED_BY = "the execution that started it"


class Family(ABC):
    """The part of a round that is about executions and those that they have started."""

    def __init__(self, house: House) -> None:
        self._house = house
        #: What has been applied so far, by execution.
        self.changes: dict[str, Change] = {}

    @abstractmethod
    async def apply_to(self, execution_id: str, event: EngineEvent) -> None: ...

    @abstractmethod
    async def apply(self, live: LiveExecution, event: EngineEvent) -> Change: ...

    @abstractmethod
    async def fetch(self, execution_id: str) -> LiveExecution | None: ...

    @abstractmethod
    async def rework(self, command: ReworkCommand) -> Change: ...

    @abstractmethod
    async def go_ahead(self, change: Change) -> None: ...

    @abstractmethod
    async def begin_new(self, flow: Flow, execution: Execution) -> None: ...

    async def act_on_children(self, live: LiveExecution, effects: Effects) -> None:
        """Do what a step of an execution means for those that it has started, or starts now."""
        by_task_run: dict[str, list[StartChild]] = {}
        for start in effects.children_to_start:
            by_task_run.setdefault(start.task_run_id, []).append(start)
        for starts in by_task_run.values():
            await self._start_children(live, starts)
        for execution_id in effects.children_to_kill:
            await self.apply_to(execution_id, KillRequested(STARTED_BY))
        if effects.kills_descendants:
            await self.kill_descendants(live.record)
        for task_run_id in effects.batches_to_kill:
            for execution_id in await self._executions_of(_waiting(live, task_run_id), live):
                await self.apply_to(execution_id, KillRequested(STARTED_BY))
        for task_run_id in effects.batches_to_restart:
            await self._restart_batches(live, task_run_id)

    async def kill_descendants(self, execution: Execution) -> None:
        """Kill what an execution has started, waited for or not, what that has started, and so on."""
        for id_ in await descendants(execution, self._house.executions, self.changes):
            await self.apply_to(id_, KillRequested(STARTED_BY))

    async def tell_parent(self, child: LiveExecution) -> None:
        """Let the task run that waits for an execution take over its end, if there is one."""
        awaited_by = child.record.awaited_by
        if awaited_by is None:
            return
        execution_id = awaited_by.execution_id
        event = child_ended(child, awaited_by, self._house.environment)
        try:
            parent = await self.fetch(execution_id)
        except BrokenExecution:
            await self.apply_to(execution_id, event)
            return
        if parent is not None:
            await self.apply(parent, await self._taken_over(event, parent))

    async def _taken_over(self, event: ChildEnded, parent: LiveExecution) -> ChildEnded:
        large_values = self._house.large_values
        return event if large_values is None else await large_values.taken_over(event, parent)

    async def _executions_of(self, waiting: AwaitedBy, parent: LiveExecution) -> list[str]:
        """The executions under way that a task run waits for."""
        found = {live.record.id for live in self._house.live.values() if live.record.awaited_by == waiting}
        query = ExecutionQuery(
            parent.record.tenant_id,
            trigger_execution_id=waiting.execution_id,
            # Of one that was retried, the next may be still to come.
            excluded_states=tuple(TERMINATED - {StateType.RETRIED}),
        )
        async for record in self._house.executions.stream(query):
            if record.awaited_by == waiting:
                found.add(record.id)
        return sorted(found)

    async def _start_children(self, parent: LiveExecution, starts: list[StartChild]) -> None:
        """Start what a task run asks for in one step: all of it, or nothing."""
        first = starts[0]
        if first.restarts is not None and await self._restart_child(parent, first):
            return
        try:
            made = await self._make_children(parent, starts)
        except ChildRefusedError as error:
            await self.apply(parent, ChildRefused(first.task_run_id, str(error), len(starts)))
            return
        for start, (flow, execution, warnings) in zip(starts, made, strict=True):
            wait = start.request.wait
            event = ChildStarted(start.task_run_id, execution.id, link(execution), wait, tuple(warnings))
            await self.apply(parent, event)
            await self.begin_new(flow, execution)

    async def _make_children(self, parent: LiveExecution, starts: list[StartChild]) -> list[MadeChild]:
        """The executions that a task run asks for.

        Raises:
            ChildRefusedError: one of them cannot be made, for whatever reason.
        """
        try:
            made = [await self._house.children.make(parent.record, start) for start in starts]
            if self._house.large_values is not None:
                for _, execution, _ in made:
                    await self._house.large_values.put_away_inputs(execution)
        except StorageError as error:
            raise ChildRefusedError(f"The inputs of the execution cannot be stored: {error}") from error
        except (ChildRefusedError, RepositoryError, RepositoryUnavailable):
            raise
        except Exception as error:
            logger.exception("Execution %s cannot start another one", parent.record.id)
            raise ChildRefusedError(NOT_CARRIED_OUT) from error
        return made

    async def _restart_child(self, parent: LiveExecution, start: StartChild) -> bool:
        """Let a task run that was restarted go on with the execution it had started; False if it cannot."""
        try:
            child = await self.fetch(start.restarts or "")
        except BrokenExecution:
            return False
        waits = AwaitedBy(parent.record.id, start.task_run_id)
        if child is None or child.record.awaited_by != waits:
            return False
        name = link(child.record)
        change: Change | None = None
        if child.record.state.current in (StateType.FAILED, StateType.KILLED):
            try:
                change = await self.rework(RestartExecution(child.record.id, actor=STARTED_BY))
            except CommandRefused:
                return False
        event = ChildStarted(start.task_run_id, child.record.id, name, True, restarted=change is not None)
        await self.apply(parent, event)
        if change is not None:
            await self.go_ahead(change)
        elif child.record.state.current.is_terminated:
            ended = child_ended(child, waits, self._house.environment)
            await self.apply(parent, await self._taken_over(ended, parent))
        return True

    async def _restart_batches(self, parent: LiveExecution, task_run_id: str) -> None:
        """Restart those of the executions that a task run waits for that have failed."""
        waiting = _waiting(parent, task_run_id)
        query = ExecutionQuery(
            parent.record.tenant_id,
            trigger_execution_id=parent.record.id,
            states=(StateType.FAILED, StateType.KILLED),
        )
        failed = [
            record.id async for record in self._house.executions.stream(query) if record.awaited_by == waiting
        ]
        known = failed_batches(parent.nodes[task_run_id])
        await self.apply(parent, FailedBatchesFound(task_run_id, len(failed)))
        for execution_id in sorted(failed) if len(failed) == known else ():
            try:
                change = await self.rework(RestartExecution(execution_id, actor=STARTED_BY))
            except CommandRefused:
                child = await self.fetch(execution_id)
                if child is not None and child.record.state.current.is_terminated:
                    await self.apply(parent, child_ended(child, waiting, self._house.environment))
                continue
            await self.go_ahead(change)


def _waiting(parent: LiveExecution, task_run_id: str) -> AwaitedBy:
    """What the executions have in common that a task run waits for now."""
    return AwaitedBy(parent.record.id, task_run_id, parent.nodes[task_run_id].record.generation)
