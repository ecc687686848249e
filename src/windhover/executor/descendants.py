"""What an execution has started, what that has started, and so on: all that a kill goes down to."""

from __future__ import annotations

from collections.abc import Iterable

from windhover.executor.change import Change
from windhover.executor.children import started_by
from windhover.model.execution import Execution
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository

_IDS_AT_ONCE = 200


async def descendants(
    execution: Execution, executions: ExecutionRepository, changes: Iterable[Change]
) -> list[str]:
    """The ids of all that come of an execution, waited for or not, those first that it has started itself.

    ``changes`` are those of the round: what was only just created is not in the repository yet.
    """
    new = [change.live.record for change in changes if change.created]
    found: dict[str, None] = {}
    parents = {execution.id}
    while parents:
        started = {record.id for record in new if started_by(record) in parents}
        for parent in parents:
            query = ExecutionQuery(execution.tenant_id, trigger_execution_id=parent)
            started.update(await _ids(executions, query))
        parents = started - found.keys()
        found.update(dict.fromkeys(sorted(parents)))
    return list(found)


async def _ids(executions: ExecutionRepository, query: ExecutionQuery) -> list[str]:
    found: list[str] = []
    while page := await executions.ids(query, found[-1] if found else None, _IDS_AT_ONCE):
        found += page
    return found
