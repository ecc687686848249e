"""How long the database takes: start, commits, reads and searches, on SQLite and PostgreSQL.

    python benchmarks/repository.py [--postgres DSN] [--rows 20000]

Prints one table. Times are what a caller on the event loop waits for. PostgreSQL is measured when a DSN of
an empty schema is given, or when the server's binaries are installed (then with fsync, as in production).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from windhover.model.execution import Execution, ExecutionMetadata, Label, TaskRun
from windhover.model.log import LogEntry, LogLevel
from windhover.model.state import State, StateType
from windhover.repository.batch import CommitBatch, Timer
from windhover.repository.database import Database, open_database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.filters import LabelMatch, TextMatch
from windhover.repository.logs import LogQuery, LogRepository
from windhover.util.ids import new_id

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
STATES = (StateType.SUCCESS, StateType.FAILED, StateType.RUNNING, StateType.WARNING)

Results = dict[str, str]


def execution(number: int = 0) -> Execution:
    state = State.created(NOW + timedelta(seconds=number))
    state.become(StateType.RUNNING, NOW + timedelta(seconds=number + 1))
    state.become(STATES[number % 4], NOW + timedelta(seconds=number + 2))
    id_ = new_id()
    labels = [Label("system.correlationId", id_), Label("team", f"team-{number % 10}")]
    return Execution(
        id=id_,
        tenant_id="main",
        namespace=f"company.team{number % 20}",
        flow_id=f"flow-{number % 50}",
        flow_revision=1,
        state=state,
        original_id=id_,
        metadata=ExecutionMetadata(1, NOW),
        labels=labels,
        inputs={"date": "2026-05-04", "rows": number},
    )


def task_run(execution_id: str, position: int = 0) -> TaskRun:
    state = State.created(NOW)
    state.become(StateType.RUNNING, NOW)
    return TaskRun(new_id(), execution_id, "task", state, position=position, outputs={"rows": position})


def log(execution_id: str, sequence: int) -> LogEntry:
    return LogEntry("main", "company", "flow", execution_id, NOW, LogLevel.INFO, "x" * 100, sequence=sequence)


def quantiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"{statistics.median(ordered) * 1000:.3f} / {ordered[int(len(ordered) * 0.99)] * 1000:.3f} ms"


async def repeat(times: int, call: Callable[[], Awaitable[object]]) -> str:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - started)
    return quantiles(seconds)


async def measure(open_: Callable[[], Awaitable[Database]], rows: int) -> Results:
    results: Results = {}
    started = time.perf_counter()
    database = await open_()
    results["open, empty database"] = f"{(time.perf_counter() - started) * 1000:.1f} ms"
    executions = ExecutionRepository(database)
    try:
        await commits(executions, results)
        await fill(executions, rows)
        await reads(executions, LogRepository(database), results)
    finally:
        await database.close()
    return results


async def commits(executions: ExecutionRepository, results: Results) -> None:
    header = execution(2)
    run = task_run(header.id)
    await executions.commit(CommitBatch(created=[header], task_runs=[run]))
    sequence = 0

    async def step() -> None:
        await executions.commit(CommitBatch(updated=[header], task_runs=[run]))

    async def step_with_log() -> None:
        nonlocal sequence
        sequence += 1
        lines = [log(header.id, sequence)]
        timers = [Timer(header.id, "retry", NOW)]
        await executions.commit(CommitBatch(updated=[header], task_runs=[run], logs=lines, timers_set=timers))

    async def many(count: int) -> str:
        seconds = []
        for _ in range(30):
            batch = CommitBatch(created=[header], task_runs=[task_run(header.id, n) for n in range(count)])
            started = time.perf_counter()
            await executions.commit(batch)
            seconds.append(time.perf_counter() - started)
        return quantiles(seconds)

    results["commit 1 header + 1 task run (median / p99)"] = await repeat(2000, step)
    results["the same + 1 log line + 1 timer"] = await repeat(1000, step_with_log)
    results["commit 1 header + 50 task runs"] = await many(50)
    results["commit 1 header + 500 task runs"] = await many(500)

    started = time.perf_counter()
    for number in range(20):
        await executions.commit(
            CommitBatch(logs=[log(f"logs-{number}", sequence) for sequence in range(1, 2001)])
        )
    results["log lines, 2,000 a commit"] = f"{40_000 / (time.perf_counter() - started):,.0f} rows/s"


async def fill(executions: ExecutionRepository, rows: int) -> None:
    for start in range(0, rows, 500):
        created = [execution(number) for number in range(start, start + 500)]
        await executions.commit(CommitBatch(created=created))


async def reads(executions: ExecutionRepository, logs: LogRepository, results: Results) -> None:
    big = execution(1)
    runs = [task_run(big.id, position) for position in range(1000)]
    await executions.commit(CommitBatch(created=[big], task_runs=[*runs[:10]]))
    results["load, 10 task runs"] = await repeat(500, lambda: executions.load(big.id))
    await executions.commit(CommitBatch(task_runs=runs))
    results["load, 1,000 task runs"] = await repeat(20, lambda: executions.load(big.id))
    results["header"] = await repeat(500, lambda: executions.header(big.id))
    results["next timer"] = await repeat(500, executions.next_timer)

    started = time.perf_counter()
    await executions.search(ExecutionQuery("main"))
    results["first search (imports SQLAlchemy)"] = f"{(time.perf_counter() - started) * 1000:.0f} ms"
    queries = {
        "search, latest 10": ExecutionQuery("main"),
        "search, one flow": ExecutionQuery(
            "main", namespace=(TextMatch.equal("company.team3"),), flow_id=(TextMatch.equal("flow-3"),)
        ),
        "search, failed below a namespace": ExecutionQuery(
            "main", namespace=(TextMatch.prefix("company"),), states=(StateType.FAILED,)
        ),
        "search, label": ExecutionQuery("main", labels=(LabelMatch.equal("team", "team-4"),)),
        "search, correlation id": ExecutionQuery(
            "main", labels=(LabelMatch.equal("system.correlationId", big.id),)
        ),
        "search, text": ExecutionQuery("main", text="team7"),
    }
    for name, query in queries.items():
        results[name] = await repeat(30, lambda query=query: executions.search(query))
    page = LogQuery("main", execution_id="logs-3")
    results["log page of one execution"] = await repeat(50, lambda: logs.find(page))


def imported_by_start() -> Results:
    """What a server that only commits and loads imports, and what `windhover run` pays in all."""
    program = (
        "import time; started = time.perf_counter()\n"
        "import asyncio, sys\n"
        "from windhover.repository.sqlite import SqliteDatabase\n"
        "from windhover.repository.executions import ExecutionRepository\n"
        "imported = time.perf_counter()\n"
        "async def main():\n"
        "    started = time.perf_counter()\n"
        "    database = SqliteDatabase.in_memory()\n"
        "    await database.open()\n"
        "    print(f'{(time.perf_counter() - started) * 1000:.1f} ms')\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
        "print(f'{(imported - started) * 1000:.0f} ms')\n"
        "assert not {'sqlalchemy', 'alembic', 'asyncpg'} & set(sys.modules)\n"
    )
    output = subprocess.check_output([sys.executable, "-c", program], text=True).split("\n")
    return {"open in memory, new process": output[0], "imports, with asyncio and msgspec": output[1]}


def table(columns: dict[str, Results]) -> str:
    names = list(dict.fromkeys(name for results in columns.values() for name in results))
    width = max(map(len, names)) + 2
    lines = [" " * width + "".join(f"{title:>24}" for title in columns)]
    for name in names:
        cells = "".join(f"{results.get(name, '-'):>24}" for results in columns.values())
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)


def throwaway_cluster() -> tuple[str, Callable[[], None]] | None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests import postgres

    folder = Path(tempfile.mkdtemp(prefix="windhover-benchmark-"))
    try:
        cluster = postgres.Cluster(folder)
    except postgres.PostgresNotInstalled as reason:
        shutil.rmtree(folder)
        print(f"Without PostgreSQL: {reason}")
        return None
    cluster.create()
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.write("fsync = on\nfull_page_writes = on\nshared_buffers = 128MB\n")
    cluster.start()

    def remove() -> None:
        cluster.stop()
        shutil.rmtree(folder)

    return cluster.dsn, remove


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--postgres", help="DSN of an empty schema")
    parser.add_argument("--rows", type=int, default=20_000, help="executions to search in")
    arguments = parser.parse_args()

    columns: dict[str, Results] = {}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/benchmark.db"
        columns["SQLite"] = {
            **imported_by_start(),
            **asyncio.run(measure(lambda: open_database(url), arguments.rows)),
        }
    cluster = None if arguments.postgres else throwaway_cluster()
    dsn = arguments.postgres or (cluster and cluster[0])
    try:
        if dsn:
            columns["PostgreSQL"] = asyncio.run(measure(lambda: open_database(dsn), arguments.rows))
    finally:
        if cluster:
            cluster[1]()
    print(table(columns))


if __name__ == "__main__":
    main()
