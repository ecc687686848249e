"""What callers see, and what is left, when SQLite's file or its process is in trouble."""

from __future__ import annotations

import logging
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.repository.records import at, execution, log, task_run

from windhover.model.state import StateType
from windhover.repository import sqlite
from windhover.repository.batch import CommitBatch
from windhover.repository.database import open_database
from windhover.repository.errors import RepositoryError, RepositoryUnavailable
from windhover.repository.executions import ExecutionRepository
from windhover.repository.sqlite import SqliteDatabase

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "windhover.db"


@pytest.fixture
async def impatient(path: Path) -> AsyncIterator[SqliteDatabase]:
    """A database that waits for locks a moment only."""
    database = SqliteDatabase(path, lock_timeout=0.02)
    await database.open()
    yield database
    await database.close()


async def test_a_lock_that_is_never_released(impatient: SqliteDatabase, path: Path) -> None:
    executions, written = ExecutionRepository(impatient), execution()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(RepositoryUnavailable, match=r"windhover.db is locked by another process"):
        await executions.commit(CommitBatch(created=[written]))
    assert await executions.header(written.id) is None

    other.execute("ROLLBACK")
    await executions.commit(CommitBatch(created=[written]))
    assert await executions.header(written.id) == written
    other.close()


async def test_a_lock_is_waited_for_and_the_wait_is_logged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = SqliteDatabase(path)
    await database.open()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    messages: list[str] = []

    class ReleaseAtFirstWarning(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())
            other.execute("ROLLBACK")

    handler = ReleaseAtFirstWarning(logging.WARNING)
    sqlite.logger.addHandler(handler)
    await database._writer.run(lambda connection: connection.execute("PRAGMA busy_timeout=20").fetchall())
    try:
        written = execution()
        await ExecutionRepository(database).commit(CommitBatch(created=[written]))
    finally:
        sqlite.logger.removeHandler(handler)

    assert len(messages) == 1
    assert "Another process holds the lock" in messages[0]
    assert await ExecutionRepository(database).header(written.id) == written
    await database.close()
    other.close()


async def test_a_full_disk(impatient: SqliteDatabase) -> None:
    executions, first, big = ExecutionRepository(impatient), execution(), execution()
    await executions.commit(CommitBatch(created=[first]))

    async def limit_pages(number: int) -> None:
        await impatient._writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count={number}"))

    await limit_pages(1)
    batch = CommitBatch(created=[big], logs=[log(big.id, number, "x" * 1000) for number in range(1, 200)])
    with pytest.raises(RepositoryUnavailable, match="no space left"):
        await executions.commit(batch)
    assert await executions.header(big.id) is None
    assert await executions.header(first.id) == first

    await limit_pages(1_000_000)
    await executions.commit(batch)
    assert await executions.last_log_sequence(big.id) == 199


async def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"these are no pages of a database" * 1000)
    with pytest.raises(RepositoryError, match="not a database"):
        await open_database(f"sqlite:///{path}")


async def test_a_closed_database_says_so(path: Path) -> None:
    database = await open_database(f"sqlite:///{path}")
    await database.close()
    with pytest.raises(RepositoryUnavailable, match="closed"):
        await ExecutionRepository(database).header("x")


async def test_space_returns_to_the_file_system(impatient: SqliteDatabase, path: Path) -> None:
    executions, written = ExecutionRepository(impatient), execution()
    lines = [log(written.id, number, "x" * 2000) for number in range(1, 1500)]
    await executions.commit(CommitBatch(created=[written], logs=lines))
    ids = [written.id]
    await executions.commit(CommitBatch(deleted_executions=ids, deleted_logs=ids))
    await impatient.reclaim_space()
    await impatient.close()
    assert path.stat().st_size < 400_000


WRITER = """
import asyncio, sys
from tests.integration.repository.records import execution, log, task_run
from windhover.model.log import LogLevel
from windhover.repository.batch import CommitBatch, Timer
from windhover.repository.database import open_database
from windhover.repository.executions import ExecutionRepository
from tests.integration.repository.records import at

async def main():
    executions = ExecutionRepository(await open_database(sys.argv[1]))
    one = execution(id="killed")
    runs = [task_run(one.id, position, id=f"run-{position}") for position in range(60)]
    await executions.commit(CommitBatch(created=[one], task_runs=runs))
    for round_ in range(1, 1_000_000):
        one.variables = {"round": round_}
        for run in runs:
            run.outputs = {"round": round_}
        await executions.commit(CommitBatch(
            updated=[one], task_runs=runs, timers_set=[Timer(one.id, "timer", at(round_))],
            logs=[log(one.id, round_)],
        ))
        print(round_, flush=True)

asyncio.run(main())
"""


def kill_a_writer(url: str, random_: random.Random) -> list[int]:
    """Let a process commit, kill it at some moment, and return the rounds it had acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(random_.randrange(1, 60))]
    # Some part of a commit later.
    for _ in range(random_.randrange(20_000)):
        pass
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().splitlines()
    process.wait()
    process.stdout.close()
    return [int(line) for line in lines]


@pytest.mark.parametrize("seed", range(4))
async def test_a_killed_process_leaves_whole_commits_and_all_that_it_acknowledged(
    path: Path, seed: int
) -> None:
    url = f"sqlite:///{path}"
    acknowledged = kill_a_writer(url, random.Random(seed))

    database = await open_database(url)
    executions = ExecutionRepository(database)
    loaded = await executions.load("killed")
    assert loaded is not None
    header, runs = loaded
    round_ = (header.variables or {}).get("round", 0)
    assert {(run.outputs or {}).get("round", 0) for run in runs} == {round_}
    assert [timer.due for timer in await executions.timers("killed")] == [at(round_)]
    assert await executions.last_log_sequence("killed") == round_
    assert round_ >= max(acknowledged)
    await database.close()


async def test_an_abandoned_caller_does_not_undo_its_commit(impatient: SqliteDatabase) -> None:
    import asyncio

    executions, written = ExecutionRepository(impatient), execution(StateType.RUNNING)
    commit = asyncio.ensure_future(
        executions.commit(CommitBatch(created=[written], task_runs=[task_run(written.id)]))
    )
    await asyncio.sleep(0)
    commit.cancel()
    # The writer does one thing after the other: what is asked for now comes after the abandoned commit.
    await executions.commit(CommitBatch(logs=[log(written.id, 1)]))
    assert await executions.header(written.id) == written
