"""A hundred thousand schedules on one server: what they cost while they wait, and how fast a thousand start.

python -m benchmarks.triggers [--flows 1000] [--triggers 100] [--database sqlite|postgresql]

The first trigger of each flow is due every ten minutes, all of them in the same second; the others are daily.
The last figures are of the next such second, so a run takes up to twelve minutes a database.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from tests import postgres
from tests.server_process import ServerProcess

from benchmarks.figures import Figure, table
from windhover.plugin.registry import Registry
from windhover.repository.database import Database, open_database
from windhover.repository.flow_definitions import FlowDefinitions
from windhover.repository.flows import FlowRepository
from windhover.repository.statement import sql

_PERIOD = timedelta(minutes=10)
#: How much time before the common second the server must have to itself.
_CALM = timedelta(seconds=50)
_IDLE_SECONDS = 20

_NEVER_LOOKED_AT = sql("SELECT count(*) FROM triggers WHERE next_date IS NULL")
#: As it is with triggers whose first dates their definitions alone do not tell.
_FORGET_DATES = sql("UPDATE triggers SET next_date = NULL, due = updated")
_STARTED = sql("SELECT count(*), count(end_date) FROM executions WHERE start_date >= ?")


@dataclass(frozen=True)
class Size:
    """How many flows, and how many triggers each of them has."""

    flows: int
    triggers: int

    def __str__(self) -> str:
        return f"{self.flows * self.triggers:,} triggers in {self.flows:,} flows"


def flow_source(number: int, triggers: int, away: int) -> str:
    """A flow with many schedules: one every ten minutes, the others daily, at hours after ``away``."""
    lines = [
        f"id: scheduled-{number}",
        "namespace: benchmark.triggers",
        "tasks:",
        "  - id: say",
        "    type: io.kestra.plugin.core.debug.Return",
        '    format: "{{ trigger.date }}"',
        "triggers:",
    ]
    for index in range(triggers):
        daily = f"{(number + index) % 60} {(away + index % 18) % 24} * * *"
        lines += [
            f"  - id: t{index}",
            "    type: io.kestra.plugin.core.trigger.Schedule",
            f'    cron: "{daily if index else "*/10 * * * *"}"',
        ]
    return "\n".join(lines) + "\n"


class TriggerBenchmark:
    """Measures one server on the database at ``url``."""

    def __init__(self, server: ServerProcess, url: str, size: Size) -> None:
        self._server = server
        self._url = url
        self._size = size
        self.figures: list[Figure] = []

    async def run(self) -> list[Figure]:
        """All figures; the server is stopped afterwards."""
        try:
            # The first start makes the database.
            self._server.start()
            self._server.stop()
            database = await open_database(self._url)
            try:
                await self._prepare(database)
                await self._first_look(database)
                await self._ready_and_idle()
                await self._common_second(database)
            finally:
                await database.close()
        finally:
            self._server.stop()
        return self.figures

    async def _prepare(self, database: Database) -> None:
        _say(f"saving {self._size}")
        definitions = FlowDefinitions(FlowRepository(database), Registry(), capacity=1, zone="UTC")
        away = datetime.now(UTC).hour + 3
        began = time.process_time()
        for number in range(self._size.flows):
            parsed = definitions.parse(flow_source(number, self._size.triggers, away))
            await definitions.save("main", parsed)
        each = (time.process_time() - began) / (self._size.flows * self._size.triggers) * 1e6
        self._add(
            "saving a trigger with its flow, its first date included", f"{each:.0f} µs", each, None, "", "",
            "processor time: reading and checking the flow, finding the dates, writing both",
        )  # fmt: skip

    async def _first_look(self, database: Database) -> None:
        """No trigger has a date: the server has to find out when each of them is due."""
        _say("first look at every trigger")
        await database.execute(_FORGET_DATES)
        await _calm(timedelta(minutes=3))
        began = time.perf_counter()
        ready = self._server.start()
        used = psutil.Process(self._server.pid).cpu_times()
        await _until(database, lambda left: left == 0, 300)
        seconds = time.perf_counter() - began
        now = psutil.Process(self._server.pid).cpu_times()
        processor = now.user + now.system - used.user - used.system
        each = processor / (self._size.flows * self._size.triggers) * 1e6
        self._add(
            "first start, triggers never looked at: ready", f"{ready:.2f} s", ready, 5, "5 s", "8 s",
            "from the call of the program to the line that says it answers; all are due to be looked at",
        )  # fmt: skip
        self._add(
            "and the next date of each trigger known", f"{seconds:.1f} s", seconds, None, "", "",
            f"all in all; {each:.0f} µs of processor time a trigger",
        )  # fmt: skip
        self._server.stop()

    async def _ready_and_idle(self) -> None:
        await _calm(timedelta(minutes=2))
        seconds = self._server.start()
        self._add(
            "start to ready", f"{seconds:.2f} s", seconds, 5, "5 s", "8 s",
            f"{self._size}, from the call of the program to the line that says it answers",
        )  # fmt: skip
        # What a server does once, at its start, is no part of idling.
        await asyncio.sleep(20)
        process = psutil.Process(self._server.pid)
        memory = process.memory_full_info().pss / 1e6
        _say(f"idle for {_IDLE_SECONDS} s")
        before = process.cpu_times()
        await asyncio.sleep(_IDLE_SECONDS)
        after = process.cpu_times()
        share = (after.user + after.system - before.user - before.system) / _IDLE_SECONDS * 100
        self._add(
            "idle processor time", f"{share:.2f} %", share, 2, "2 %", "",
            f"user and system time of the process in {_IDLE_SECONDS} s in which nothing is due",
        )  # fmt: skip
        self._add("idle memory, PSS", f"{memory:.0f} MB", memory, None, "", "", "20 seconds after the start")

    async def _common_second(self, database: Database) -> None:
        flows = self._size.flows
        due = _next_common_second()
        _say(f"waiting for {flows:,} that are due at {due:%H:%M}")
        process = psutil.Process(self._server.pid)
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds() - 1)
        before = process.cpu_times()
        stored_after = None
        async with asyncio.timeout(120):
            while True:
                ((stored, ended),) = await database.fetch(_STARTED, (int(due.timestamp() * 1e6),))
                seconds = time.time() - due.timestamp()
                if stored >= flows and stored_after is None:
                    stored_after = seconds
                if ended >= flows:
                    break
                await asyncio.sleep(0.05)
        after = process.cpu_times()
        processor = (after.user + after.system - before.user - before.system) / flows * 1000
        assert stored_after is not None
        self._add(
            f"{flows:,} due in the same second, all committed after",
            f"{stored_after:.2f} s", stored_after, 3, "3 s", "",
            "from that second until another connection to the database sees the last of the executions; they"
            " begin to run meanwhile",
        )  # fmt: skip
        self._add(
            "and all ended after", f"{seconds:.2f} s", seconds, None, "", "",
            f"one task each; {processor:.1f} ms of processor time each for starting and running it",
        )  # fmt: skip

    def _add(
        self, name: str, shown: str, value: float, target: float | None, target_shown: str,
        kestra: str, method: str,
    ) -> None:  # fmt: skip
        self.figures.append(Figure(name, shown, value, target, target_shown, kestra, method))
        _say(f"  {name}: {shown}")


def _next_common_second() -> datetime:
    now = datetime.now(UTC).timestamp()
    period = _PERIOD.total_seconds()
    return datetime.fromtimestamp((now // period + 1) * period, UTC)


async def _calm(needed: timedelta) -> None:
    """Wait until nothing is due for some time."""
    left = _next_common_second() - datetime.now(UTC)
    if left < needed:
        _say("waiting until nothing is due for some time")
        await asyncio.sleep(left.total_seconds() + 10)


async def _until(database: Database, reached: Callable[[int], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            ((left,),) = await database.fetch(_NEVER_LOOKED_AT)
            if reached(left):
                return
            await asyncio.sleep(0.2)


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _servers(kind: str) -> Iterator[tuple[ServerProcess, str]]:
    """A server that is not started, and the address of its database."""
    with tempfile.TemporaryDirectory(prefix="windhover-triggers-") as name:
        folder = Path(name)
        if kind == "sqlite":
            server = ServerProcess(folder / "home")
            yield server, f"sqlite:///{folder / 'home' / 'data' / 'windhover.db'}"
            return
        from benchmarks.__main__ import durable_cluster

        with durable_cluster(folder) as dsn:
            yield ServerProcess(folder / "home", postgres=dsn), dsn


def measure(kind: str, size: Size) -> list[Figure]:
    """All figures on one kind of database."""
    with _servers(kind) as (server, url):
        return asyncio.run(TriggerBenchmark(server, url, size).run())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.triggers", description=__doc__)
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--triggers", type=int, default=100, help="of each flow")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    arguments = parser.parse_args()
    size = Size(arguments.flows, arguments.triggers)
    for kind in ("sqlite", "postgresql"):
        if arguments.database in (None, kind):
            try:
                figures = measure(kind, size)
            except postgres.PostgresNotInstalled as reason:
                print(f"PostgreSQL is left out: {reason}")
            else:
                print(table(f"Triggers on {kind}", figures) + "\n", flush=True)


if __name__ == "__main__":
    main()
