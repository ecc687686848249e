"""What becomes of files that came for an execution before it was committed, on both databases."""

from __future__ import annotations

import pytest
from tests.integration.repository.records import NOW, execution

from windhover.model.execution import Execution
from windhover.model.trigger_state import TriggerKey
from windhover.repository.batch import CommitBatch
from windhover.repository.batched_events import BatchedEvent, BatchedEventRepository, EventContent
from windhover.repository.database import Database
from windhover.repository.executions import ExecutionRepository
from windhover.repository.released_files import ReleasedFileRepository, ReleasedFolder
from windhover.repository.statement import sql
from windhover.repository.uploads import UploadRepository


class Bench:
    def __init__(self, database: Database) -> None:
        self.executions = ExecutionRepository(database)
        self.released = ReleasedFileRepository(database)
        self.uploads = UploadRepository(database)
        self.events = BatchedEventRepository(database)

    async def begin(self) -> Execution:
        """An execution for which files are about to come."""
        made = execution()
        await self.uploads.note(ReleasedFolder(made.id, made.tenant_id, made.namespace, made.flow_id))
        return made

    async def deletable(self) -> list[str]:
        return [folder.execution_id for folder in await self.released.all_deletable()]


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_nothing_is_deleted_while_an_upload_is_under_way(bench: Bench) -> None:
    made = await bench.begin()
    assert await bench.deletable() == []
    assert await bench.released.deletable([made.id]) == []
    await bench.executions.commit(CommitBatch(created=[made]))
    assert await bench.deletable() == []
    # What runs already may delete its own files: nobody else needs them.
    assert not await bench.released.is_lent(made.id)


async def test_files_of_what_was_committed_are_its_own(bench: Bench, database: Database) -> None:
    made = await bench.begin()
    await bench.executions.commit(CommitBatch(created=[made]))
    await bench.uploads.settle([made.id])
    assert await bench.deletable() == []
    for table in ("released_files", "file_loans"):
        assert list(await database.fetch(sql(f"SELECT 1 FROM {table}"))) == []


async def test_files_of_what_was_not_committed_may_go(bench: Bench) -> None:
    made = await bench.begin()
    await bench.uploads.settle([made.id])
    assert await bench.deletable() == [made.id]


async def test_one_that_was_deleted_at_once_keeps_no_files(bench: Bench) -> None:
    made = await bench.begin()
    await bench.executions.commit(CommitBatch(created=[made]))
    await bench.executions.commit(CommitBatch(deleted_executions=[made.id], released_files=[made]))
    await bench.uploads.settle([made.id])
    assert await bench.deletable() == [made.id]


async def test_an_event_that_waits_for_others_keeps_its_files(bench: Bench) -> None:
    made = await bench.begin()
    key = TriggerKey(made.tenant_id, made.namespace, made.flow_id, "hook")
    content = EventContent({}, ["kestra:///company/team/hello/executions/x/inputs/trigger/body"])
    await bench.events.add(BatchedEvent(made.id, key, content, 1, NOW, NOW))
    await bench.uploads.settle([made.id])
    assert await bench.deletable() == []


async def test_the_next_server_settles_what_the_last_one_has_left(bench: Bench) -> None:
    committed, lost = await bench.begin(), await bench.begin()
    lender = execution()
    await bench.executions.commit(CommitBatch(created=[committed, lender]))
    await bench.executions.commit(CommitBatch(deleted_executions=[lender.id], released_files=[lender]))
    await bench.uploads.settle_all()
    assert await bench.deletable() == [lost.id, lender.id]
    await bench.uploads.settle_all()
    assert await bench.deletable() == [lost.id, lender.id]
