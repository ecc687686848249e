"""What it costs to try again, and to go round once more, the more often it has been done.

    python -m benchmarks.attempts [--count 2000]

One task that fails is tried ``count`` times, then a LoopUntil goes round ``count`` times; on SQLite, and on
PostgreSQL if its server is installed. For each the processor time of this process, and how much of it the
last quarter took: a quarter, if one more try costs the same however many there were.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from tests import postgres

from benchmarks.__main__ import durable_cluster
from windhover.engine.creation import new_execution
from windhover.engine.messages import Broadcast, CreateExecution, ExecutionChanged
from windhover.repository.database import open_database
from windhover.server.runtime import Runtime, RuntimeSettings
from windhover.util.ids import new_id

RETRIES = """
id: retries
namespace: company.benchmarks
tasks:
  - id: fail
    type: io.kestra.plugin.core.execution.Fail
    retry: {{type: constant, interval: PT0.001S, maxAttempts: {count}}}
"""

ROUNDS = """
id: rounds
namespace: company.benchmarks
tasks:
  - id: until
    type: io.kestra.plugin.core.flow.LoopUntil
    condition: "{{{{ outputs.until.iterationCount >= {count} }}}}"
    checkFrequency: {{interval: PT0.001S, maxIterations: {count}, maxDuration: PT1H}}
    tasks:
      - id: round
        type: io.kestra.plugin.core.debug.Return
        format: "{{{{ outputs.until.iterationCount }}}}"
"""

_QUARTERS = 4


async def measure(url: str, source: str, count: int) -> list[float]:
    """Seconds of processor time that each quarter of the tries took."""
    with tempfile.TemporaryDirectory(prefix="windhover-benchmark-") as name:
        home = Path(name)
        database = await open_database(url)
        runtime = Runtime(
            database,
            RuntimeSettings(home=home, storage_path=home / "storage", temporary=home / "work", environ={}),
        )
        await runtime.start()
        flow = await runtime.definitions.save("main", runtime.definitions.parse(source.format(count=count)))
        execution = new_execution(flow, {}, new_id(), runtime.clock())
        marks: list[float] = []

        def about(message: Broadcast) -> bool:
            return isinstance(message, ExecutionChanged) and message.execution_id == execution.id

        with runtime.queue.broadcasts.subscribe(about) as messages:
            await runtime.queue.executor.ask(CreateExecution(execution))
            while True:
                message = await messages.next()
                marks.append(time.process_time())
                if isinstance(message, ExecutionChanged) and message.ended:
                    break
        await runtime.stop(timedelta())
        await runtime.close()
        await database.close()
    edges = [marks[len(marks) * quarter // _QUARTERS] for quarter in range(_QUARTERS)] + [marks[-1]]
    return [after - before for before, after in pairwise(edges)]


def report(database: str, url: str, count: int) -> None:
    for name, source in (("retries", RETRIES), ("rounds of LoopUntil", ROUNDS)):
        quarters = asyncio.run(measure(url, source, count))
        total = sum(quarters)
        print(
            f"| {count} {name}, {database} | {total:.2f} s | {total / count * 1000:.2f} ms "
            f"| {quarters[-1] / quarters[0]:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    arguments = parser.parse_args()
    print("| what | processor time | of one | last quarter against the first |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="windhover-benchmark-") as name:
        report("SQLite", f"sqlite:///{name}/windhover.db", arguments.count)
        try:
            with durable_cluster(Path(name)) as dsn:
                report("PostgreSQL", dsn, arguments.count)
        except postgres.PostgresNotInstalled as reason:
            print(f"PostgreSQL is left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
