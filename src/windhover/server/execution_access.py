"""What tasks may do to other executions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from windhover.engine.environment import EngineEnvironment
from windhover.engine.messages import CommandRefused, ExecutionNotFound, ResumeExecution
from windhover.engine.pause_inputs import pause_form, resolve_pause_inputs
from windhover.model.execution import JsonValue
from windhover.plugin.context import ExecutionRefused
from windhover.queue.local import ExecutorQueue
from windhover.repository.executions import ExecutionRepository
from windhover.repository.flow_definitions import FlowDefinitions, FlowNotFound, FlowUnreadable


@dataclass(frozen=True, slots=True)
class ExecutorAccess:
    """Implements :class:`windhover.plugin.context.ExecutionAccess` by asking the executor."""

    executions: ExecutionRepository
    definitions: FlowDefinitions
    executor: ExecutorQueue
    environment: EngineEnvironment
    tenant_id: str

    async def resume(
        self,
        execution_id: str,
        inputs: Mapping[str, JsonValue],
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
    ) -> None:
        try:
            await self.executor.ask(await self._command(execution_id, inputs, namespace, flow_id))
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
        resolved = await asyncio.to_thread(
            resolve_pause_inputs, form, inputs, flow, execution, task_runs, self.environment
        )
        if resolved.problems:
            raise CommandRefused("\n".join(problem.message for problem in resolved.problems))
        return ResumeExecution(execution_id, resolved.values, task_run_id=form.task_run_id)
