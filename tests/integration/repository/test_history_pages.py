"""Long histories: what is written does not grow with them, and what is read has all of them."""

from __future__ import annotations

import pytest
from tests.integration.repository.records import at, execution, task_run

from windhover.engine.history_pages import turn_pages
from windhover.model.execution import Attempt, Execution, TaskRun
from windhover.model.state import State, StateType
from windhover.repository.batch import CommitBatch
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.records import execution_row, task_run_row
from windhover.repository.statement import sql

TRIES = 100


@pytest.fixture
def executions(database: Database) -> ExecutionRepository:
    return ExecutionRepository(database)


def try_again(header: Execution, run: TaskRun, number: int) -> None:
    """One more try, which fails."""
    for state in (StateType.CREATED, StateType.RUNNING, StateType.FAILED, StateType.RETRYING):
        run.state.become(state, at(number))
    attempt = State.created(at(number))
    attempt.become(StateType.FAILED, at(number))
    run.add_attempt(Attempt(attempt, f"worker-{number}"))
    header.state.become(StateType.RUNNING, at(number))
    header.state.become(StateType.RETRYING, at(number))


async def tried_often(executions: ExecutionRepository) -> tuple[Execution, TaskRun, list[int]]:
    """Records of which each try was committed, and how many bytes that wrote."""
    header, run = execution(), task_run("")
    run.execution_id = header.id
    await executions.commit(CommitBatch(created=[header], task_runs=[run]))
    sizes = []
    for number in range(TRIES):
        try_again(header, run, number)
        pages = turn_pages(header, [run])
        await executions.commit(CommitBatch(updated=[header], task_runs=[run], pages=pages))
        sizes.append(len(execution_row(header)[-2]) + len(task_run_row(run)[-2]))
    return header, run, sizes


async def test_one_more_try_writes_as_much_as_the_first_ones(executions: ExecutionRepository) -> None:
    _, _, sizes = await tried_often(executions)
    assert max(sizes) < 1.2 * max(sizes[:25])


async def test_whoever_reads_a_record_gets_its_whole_history(executions: ExecutionRepository) -> None:
    header, run, _ = await tried_often(executions)
    await executions.commit(CommitBatch(created=[execution()]))

    assert await executions.load(header.id) == (header, [run])
    assert await executions.task_runs(header.id) == [run]
    assert await executions.header(header.id) == header
    assert len(run.attempts or ()) == TRIES
    query = ExecutionQuery("main", ids=(header.id,))
    assert (await executions.search(query)).results == [header]
    assert [each async for each in executions.stream(query)] == [header]


async def test_a_commit_with_pages_may_be_repeated(executions: ExecutionRepository) -> None:
    header, run = execution(), task_run("")
    run.execution_id = header.id
    for number in range(30):
        try_again(header, run, number)
    batch = CommitBatch(created=[header], task_runs=[run], pages=turn_pages(header, [run]))
    await executions.commit(batch)
    await executions.commit(batch)
    assert await executions.load(header.id) == (header, [run])


async def test_pages_go_with_what_they_are_of(executions: ExecutionRepository, database: Database) -> None:
    header, run, _ = await tried_often(executions)
    owners = sql("SELECT DISTINCT record_id FROM history_pages ORDER BY record_id")
    assert [row[0] for row in await database.fetch(owners)] == sorted([header.id, run.id])

    await executions.commit(CommitBatch(removed_task_runs=[run.id]))
    assert [row[0] for row in await database.fetch(owners)] == [header.id]

    await executions.commit(CommitBatch(deleted_executions=[header.id]))
    assert await database.fetch(owners) == []
