"""The outputs of the executions that a task run has started."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import msgspec

from windhover.engine.spill import stored_value
from windhover.model.execution import Execution, JsonValue
from windhover.model.state import StateType
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.storage import Storage

_WHOLE_AT_ONCE = 50


class RepositorySubflowOutputs(msgspec.Struct, frozen=True):
    """Implements :class:`windhover.plugin.context.SubflowOutputs` over the repository."""

    executions: ExecutionRepository
    storage: Storage
    tenant_id: str
    #: The largest value that is read back, in bytes of JSON.
    maximum: int = 64 * 1024 * 1024

    async def of(self, execution_id: str, task_run_id: str) -> AsyncIterator[Mapping[str, JsonValue]]:
        latest: dict[int, Mapping[str, JsonValue]] = {}
        query = ExecutionQuery(
            self.tenant_id, trigger_execution_id=execution_id, excluded_states=(StateType.RETRIED,)
        )
        # From the oldest on, so that a later try of a batch takes the place of an earlier one.
        async for execution in self.executions.stream(query, _WHOLE_AT_ONCE, whole=True):
            said = _said(execution)
            if said.get("taskRunId") == task_run_id:
                latest[said.get("taskRunIteration", 0)] = execution.outputs or {}
        for iteration in sorted(latest):
            if latest[iteration]:
                yield {name: await self._whole(value) for name, value in latest[iteration].items()}

    async def _whole(self, value: JsonValue) -> JsonValue:
        """An output, read from the storage if it is kept there."""
        stored = stored_value(value)
        if stored is None:
            return value
        files = self.storage.for_tenant(self.tenant_id)
        return msgspec.json.decode(await files.read(stored.uri, self.maximum))


def _said(execution: Execution) -> Mapping[str, JsonValue]:
    return execution.trigger.variables if execution.trigger is not None else {}
