"""What an execution has started, what that has started, and so on: all that a kill goes down to."""

from __future__ import annotations

from collections.abc import Mapping

from windhover.executor.change import Change
from windhover.executor.children import started_by
from windhover.model.execution import Execution
from windhover.repository.executions import ExecutionRepository


async def descendants(
    execution: Execution, executions: ExecutionRepository, changes: Mapping[str, Change]
) -> list[str]:
    """The ids of all that come of an execution and may have to be stopped, waited for or not.

    ``changes`` are those of the round, by execution: what was only just created is not in the repository
    yet, and what has ended there may have been taken up again. Parents come before those they have started.
    """
    known = await executions.started_by(execution.id)
    found = [id_ for id_, is_under_way in known.items() if is_under_way or id_ in changes]
    family = {execution.id, *known}
    # A round creates executions after those that start them.
    for id_, change in changes.items():
        if change.created and id_ not in family and started_by(change.live.record) in family:
            family.add(id_)
            found.append(id_)
    return found
