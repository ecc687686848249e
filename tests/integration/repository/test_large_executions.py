"""Executions that hold a great deal: whole where one is read, cut short where many are listed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.integration.repository.records import execution

from windhover.model.execution import Execution, ExecutionTrigger
from windhover.model.state import StateType
from windhover.repository.abridged import OMITTED_TYPE
from windhover.repository.batch import CommitBatch
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.statement import sql

QUERY = ExecutionQuery("main")


@pytest.fixture
def executions(database: Database) -> ExecutionRepository:
    return ExecutionRepository(database)


def omitted(text: str) -> dict[str, Any]:
    return {"type": OMITTED_TYPE, "size": len(text) + 2}


async def written(executions: ExecutionRepository, **values: Any) -> Execution:
    record = execution(StateType.RUNNING, **values)
    await executions.commit(CommitBatch(created=[record]))
    return record


async def test_a_listing_leaves_out_large_values_and_a_single_execution_has_them(
    executions: ExecutionRepository,
) -> None:
    large = "x" * 60_000
    record = await written(
        executions,
        inputs={"large": large, "small": [1, 2]},
        outputs={"rows": large, "n": 1},
        variables={"v": "kept"},
        trigger=ExecutionTrigger("t", "type", {"executionId": "parent", "body": large}),
    )
    (listed,) = (await executions.search(QUERY)).results
    assert listed.inputs == {"large": omitted(large), "small": [1, 2]}
    assert listed.outputs == {"rows": omitted(large), "n": 1}
    assert listed.variables == {"v": "kept"}
    assert listed.trigger == ExecutionTrigger("t", "type", {"executionId": "parent", "body": omitted(large)})
    assert [each async for each in executions.stream(QUERY)] == [listed]

    assert await executions.header(record.id) == record
    assert await executions.load(record.id) == (record, [])
    assert [each async for each in executions.stream(QUERY, whole=True)] == [record]


async def test_very_many_small_values_are_left_out_together(executions: ExecutionRepository) -> None:
    inputs = {f"input-{number}": "x" * 500 for number in range(2_000)}
    record = await written(executions, inputs=inputs)
    (listed,) = (await executions.search(QUERY)).results
    total = sum(len(msgspec.json.encode(value)) for value in inputs.values())
    assert listed.inputs == {"type": OMITTED_TYPE, "size": total}
    assert await executions.header(record.id) == record


async def test_an_execution_that_is_not_large_is_listed_whole(executions: ExecutionRepository) -> None:
    record = await written(executions, inputs={"text": "x" * 10_000})
    assert (await executions.search(QUERY)).results == [record]


async def test_an_execution_that_gets_small_again_is_read_as_it_is(executions: ExecutionRepository) -> None:
    record = await written(executions, outputs={"rows": "x" * 60_000}, inputs={"n": 1})
    record.outputs = None
    await executions.commit(CommitBatch(updated=[record]))
    assert await executions.header(record.id) == record
    assert (await executions.search(QUERY)).results == [record]


@pytest.mark.parametrize("size", [30_000, 1_000_000])
async def test_what_a_search_reads_does_not_grow_with_what_executions_hold(
    executions: ExecutionRepository, database: Database, size: int
) -> None:
    for name in ("inputs", "outputs", "variables"):
        await written(executions, **{name: {"value": "x" * size}})
    rows = await database.fetch(sql("SELECT max(length(data)) FROM executions"))
    assert rows[0][0] < 2_000
