"""What callers see, and what is left, when PostgreSQL or the way to it is in trouble."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from tests.integration.repository.records import execution, log, task_run
from tests.postgres import Cluster

from windhover.repository.batch import CommitBatch
from windhover.repository.database import DatabaseSettings, open_database
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.executions import ExecutionRepository

pytestmark = pytest.mark.postgres


async def waiting_backends(connection: asyncpg.Connection) -> list[int]:
    """The servers' processes that wait for a lock in the schema of this test."""
    rows = await connection.fetch(
        "SELECT pid FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid() "
        "AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'logs'::regclass)"
    )
    return [row["pid"] for row in rows]


async def test_a_connection_that_breaks_in_the_middle_of_a_commit(postgres_dsn: str) -> None:
    database = await open_database(postgres_dsn)
    executions, written = ExecutionRepository(database), execution(labels={"a": "1"})
    await executions.commit(CommitBatch(created=[written], logs=[log(written.id, 1)]))
    run = task_run(written.id)
    batch = CommitBatch(
        updated=[written], task_runs=[run], logs=[log(written.id, 2)], deleted_logs=["nothing"]
    )

    other = await asyncpg.connect(postgres_dsn)
    # The commit gets as far as the log, and no further.
    transaction = other.transaction()
    await transaction.start()
    await other.execute(
        "INSERT INTO logs (execution_id, sequence, tenant_id, namespace, flow_id, timestamp, level, message) "
        "SELECT execution_id, 2, tenant_id, namespace, flow_id, timestamp, level, 'other' FROM logs"
    )
    commit = asyncio.ensure_future(executions.commit(batch))
    # The server tells nobody that a backend waits; one has to look.
    while not (pids := await waiting_backends(other)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for pid in pids:
        await other.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(RepositoryUnavailable, match="does not serve now"):
        await commit
    await transaction.rollback()

    assert await executions.task_runs(written.id) == []
    assert await executions.last_log_sequence(written.id) == 1
    await executions.commit(batch)
    assert await executions.task_runs(written.id) == [run]
    assert await executions.last_log_sequence(written.id) == 2
    await other.close()
    await database.close()


async def test_idle_connections_that_were_cut_are_replaced(postgres_dsn: str) -> None:
    database = await open_database(postgres_dsn)
    executions, written = ExecutionRepository(database), execution()
    await executions.commit(CommitBatch(created=[written]))
    other = await asyncpg.connect(postgres_dsn)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'windhover' "
        "AND query LIKE '%executions%' AND state = 'idle'"
    )
    # A read is repeated on another connection.
    assert await executions.header(written.id) == written
    await other.close()
    await database.close()


@pytest.mark.slow
async def test_a_server_that_goes_and_comes_back(own_postgres_cluster: Cluster) -> None:
    database = await open_database(own_postgres_cluster.dsn)
    executions, written = ExecutionRepository(database), execution()
    await executions.commit(CommitBatch(created=[written]))

    own_postgres_cluster.stop()
    for _ in range(2):
        with pytest.raises(RepositoryUnavailable):
            await executions.header(written.id)
        with pytest.raises(RepositoryUnavailable):
            await executions.commit(CommitBatch(updated=[written]))
    with pytest.raises(RepositoryUnavailable):
        await open_database(own_postgres_cluster.dsn)

    own_postgres_cluster.start()
    assert await executions.header(written.id) == written
    await executions.commit(CommitBatch(updated=[written], task_runs=[task_run(written.id)]))
    assert len(await executions.task_runs(written.id)) == 1
    await database.close()
    with pytest.raises(RepositoryUnavailable, match="closed"):
        await executions.header(written.id)


async def test_what_the_server_refuses_for_good(postgres_dsn: str) -> None:
    base = postgres_dsn.rpartition("/")[0]
    with pytest.raises(RepositoryError, match="nowhere"):
        await open_database(f"{base}/nowhere")


async def test_the_jdbc_form_of_an_address(postgres_dsn: str) -> None:
    address, _, query = postgres_dsn.removeprefix("postgresql://windhover@").partition("?")
    schema = query.removeprefix("search_path=")
    settings = DatabaseSettings(
        f"jdbc:postgresql://{address}?currentSchema={schema}", username="windhover", password="p@ss/word"
    )
    database = await open_database(settings)
    assert "p@ss" not in repr(database)
    assert f"windhover@{address.partition('?')[0]}" in repr(database)
    await database.close()
    plain = await asyncpg.connect(postgres_dsn)
    assert await plain.fetchval("SELECT count(*) FROM executions") == 0
    await plain.close()
