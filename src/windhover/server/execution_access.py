"""What tasks may do to other executions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import (
    CommandRefused,
    DeleteExecution,
    ExecutionNotFound,
    KillExecution,
    ResumeExecution,
)
from windhover.engine.pause_inputs import needs_decision, pause_form, resolve_pause_inputs
from windhover.executor.children import execution_link
from windhover.model.execution import Execution, JsonValue
from windhover.model.state import TERMINATED, StateType
from windhover.plugin.context import (
    ExecutionPurge,
    ExecutionRefused,
    ExecutionSelection,
    Purged,
    TaskIdentity,
)
from windhover.queue.local import ExecutorQueue
from windhover.repository.execution_query import ChildFilter, ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.filters import LabelMatch, Page, Paging, TextMatch, TextOperator, TimeRange
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable
from windhover.repository.flows import FlowQuery, FlowRecord, FlowRepository
from windhover.repository.logs import LogRepository
from windhover.repository.metrics import MetricRepository
from windhover.server.flow_access import within
from windhover.server.released_files import ReleasedFiles

_FLOWS_AT_ONCE = 500
_EXECUTIONS_AT_ONCE = 500


class ExecutorAccess(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.ExecutionAccess` by asking the executor."""

    executions: ExecutionRepository
    flows: FlowRepository
    logs: LogRepository
    metrics: MetricRepository
    files: ReleasedFiles
    definitions: FlowDefinitions
    executor: ExecutorQueue
    environment: EngineEnvironment
    tenant_id: str
    system_namespace: str = "system"

    async def find(
        self, selection: ExecutionSelection, *, page: int | None = None, size: int = 100
    ) -> AsyncIterator[Execution]:
        query = self._selected(selection)
        number = page or 1
        while True:
            at_once = size if page is not None else _EXECUTIONS_AT_ONCE
            found = await self.executions.search(replace(query, paging=Paging(number, at_once)))
            for execution in found.results:
                yield execution
            if page is not None or len(found.results) < at_once:
                return
            number += 1

    def _selected(self, selection: ExecutionSelection) -> ExecutionQuery:
        namespace, flow_id = selection.namespace, selection.flow_id
        matches = within(namespace, flow_id)
        if selection.system is not None:
            operator = TextOperator.EQUALS if selection.system else TextOperator.NOT_EQUALS
            matches = (*matches, TextMatch(operator, (self.system_namespace,)))
        children = {True: ChildFilter.CHILD, False: ChildFilter.MAIN}
        return ExecutionQuery(
            self.tenant_id,
            namespace=matches,
            flow_id=() if flow_id is None else (TextMatch.equal(flow_id),),
            states=tuple(selection.states),
            started=TimeRange(selection.since, selection.until),
            labels=tuple(LabelMatch.equal(key, value) for key, value in selection.labels.items()),
            trigger_execution_id=selection.triggered_by,
            child=None if selection.children is None else children[selection.children],
        )

    async def purge(self, purge: ExecutionPurge) -> Purged:
        purged = Purged()
        states = tuple(state for state in _states(purge) if state.is_terminated)
        if not states:
            return purged
        batch: list[Execution] = []
        async for execution in self.executions.stream(self._query(purge, states), purge.batch_size):
            batch.append(execution)
            if len(batch) == purge.batch_size:
                await self._delete(batch, purge, purged)
                batch.clear()
        await self._delete(batch, purge, purged)
        return purged

    def _query(self, purge: ExecutionPurge, states: tuple[StateType, ...]) -> ExecutionQuery:
        namespace, flow_id = purge.namespace, purge.flow_id
        return ExecutionQuery(
            self.tenant_id,
            ids=() if purge.execution_id is None else (purge.execution_id,),
            namespace=within(namespace, flow_id),
            flow_id=() if flow_id is None else (TextMatch.equal(flow_id),),
            states=states,
            started=TimeRange(purge.since, purge.until),
        )

    async def _delete(self, executions: list[Execution], purge: ExecutionPurge, purged: Purged) -> None:
        """Delete what is asked for of some executions; they go last, so that a retry finds them again.

        Their files go after them, but are noted as released in the commit that deletes their executions.
        """
        for execution in executions:
            if purge.logs:
                purged.logs += await self.logs.delete_execution(execution.id)
            if purge.metrics:
                purged.metrics += await self.metrics.delete_execution(execution.id)
        ids = [execution.id for execution in executions]
        if purge.executions:
            commands = [DeleteExecution(id_, logs=False, metrics=False, files=purge.files) for id_ in ids]
            answers = await asyncio.gather(*map(self.executor.ask, commands), return_exceptions=True)
            for answer in answers:
                # One that was deleted, or restarted, meanwhile is none of ours any more.
                if isinstance(answer, BaseException) and not isinstance(answer, CommandRefused):
                    raise answer
                purged.executions += not isinstance(answer, BaseException)
        elif purge.files:
            await self.files.release(ids)
        if purge.files:
            purged.files += await self.files.remove(ids)

    async def count(
        self,
        *,
        flows: Collection[tuple[str, str]],
        namespaces: Collection[str],
        states: Collection[StateType],
        since: datetime | None,
        until: datetime | None,
    ) -> Mapping[tuple[str, str], int]:
        started = TimeRange(since, until) if since is not None or until is not None else None
        counts = dict.fromkeys(flows, 0)
        if flows:
            query = ExecutionQuery(self.tenant_id, flows=tuple(flows), states=tuple(states), started=started)
            counts |= await self.executions.count_by_flow(query)
        for namespace in namespaces:
            below = (TextMatch.prefix(namespace),)
            number = 1
            while (page := await self._flow_page(below, number)).results:
                counts |= {
                    (flow.namespace, flow.id): 0
                    for flow in page.results
                    if (flow.namespace, flow.id) not in counts
                }
                number += 1
            query = ExecutionQuery(self.tenant_id, namespace=below, states=tuple(states), started=started)
            counts |= await self.executions.count_by_flow(query)
        return counts

    async def _flow_page(self, namespace: tuple[TextMatch, ...], number: int) -> Page[FlowRecord]:
        return await self.flows.search(
            FlowQuery(self.tenant_id, namespace=namespace, paging=Paging(number, _FLOWS_AT_ONCE))
        )

    async def kill(self, execution_id: str, by: TaskIdentity, *, cascade: bool) -> None:
        header = await self.executions.header(execution_id)
        if header is None or header.tenant_id != self.tenant_id:
            raise ExecutionRefused(str(ExecutionNotFound(execution_id)))
        try:
            await self.executor.ask(KillExecution(execution_id, _named(by), cascade))
        except CommandRefused as error:
            raise ExecutionRefused(str(error)) from None

    async def resume(
        self,
        execution_id: str,
        inputs: Mapping[str, JsonValue],
        by: TaskIdentity,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
    ) -> None:
        try:
            command = await self._command(execution_id, inputs, namespace, flow_id)
            await self.executor.ask(replace(command, task=_named(by)))
        except (CommandRefused, FlowNotFound, FlowUnreadable) as error:
            raise ExecutionRefused(str(error)) from None

    async def _command(
        self,
        execution_id: str,
        inputs: Mapping[str, JsonValue],
        namespace: str | None,
        flow_id: str | None,
    ) -> ResumeExecution:
        found = await self.executions.load(execution_id)
        if found is None or found[0].tenant_id != self.tenant_id:
            raise ExecutionNotFound(execution_id)
        execution, task_runs = found
        if namespace not in (None, execution.namespace) or flow_id not in (None, execution.flow_id):
            raise ExecutionNotFound(execution_id)
        flow = await self.definitions.get(
            execution.tenant_id, execution.namespace, execution.flow_id, execution.flow_revision
        )
        form = pause_form(flow, task_runs)
        if form.comment is not None:
            raise CommandRefused(needs_decision(execution_id))
        resolved = await asyncio.to_thread(
            resolve_pause_inputs, form, inputs, flow, execution, task_runs, self.environment
        )
        if resolved.problems:
            raise CommandRefused("\n".join(problem.message for problem in resolved.problems))
        return ResumeExecution(execution_id, resolved.values, task_run_id=form.task_run_id)


def _named(task: TaskIdentity) -> str:
    """How the log of an execution names the task of another one that did something to it."""
    execution = execution_link(task.execution_id, task.flow_id, task.namespace)
    return f"the task '{task.task_id}' of {execution}"


def _states(purge: ExecutionPurge) -> Collection[StateType]:
    return TERMINATED if purge.states is None else purge.states
