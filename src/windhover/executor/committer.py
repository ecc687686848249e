"""Writes what a round has changed, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable

from windhover.executor.change import Change
from windhover.repository.batch import CommitBatch
from windhover.repository.errors import RepositoryError
from windhover.repository.executions import ExecutionRepository


class Committer:
    """Commits changes; one execution that the database refuses costs the others nothing."""

    def __init__(self, executions: ExecutionRepository) -> None:
        self._executions = executions

    async def commit(self, changes: Iterable[Change]) -> dict[str, RepositoryError]:
        """Write all changes; returns, by execution, why the database refuses those it will never take.

        All others are written when this returns.
        """
        changes = list(changes)
        try:
            await self.write(batch_of(changes))
        except RepositoryError as error:
            if len(changes) == 1:
                return {changes[0].execution_id: error}
        else:
            return {}
        # One execution's rows are to blame: each is written by itself.
        refused = {}
        for change in changes:
            try:
                await self.write(batch_of([change]))
            except RepositoryError as error:
                refused[change.execution_id] = error
        return refused

    async def write(self, batch: CommitBatch) -> None:
        """Write a batch.

        Raises:
            RepositoryError: the database refuses the rows and always will.
        """
        if batch:
            await self._executions.commit(batch)


def batch_of(changes: Iterable[Change]) -> CommitBatch:
    batch = CommitBatch()
    for change in changes:
        change.add_to(batch)
    return batch
