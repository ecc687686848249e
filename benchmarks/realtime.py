"""Realtime triggers on real brokers: how fast messages become executions, and whether a crash loses any.

python -m benchmarks.realtime [--messages 10000] [--family mqtt|mqtt-2|amqp|redis|nats]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.brokers import BrokerNotInstalled
from tests.realtime import FAMILIES, Executions, Family
from tests.server_process import ServerProcess

_DEADLINE = 300.0
_SINGLE_MESSAGES = 30


@dataclass(frozen=True)
class Rate:
    """From messages that wait to executions that have ended."""

    messages: int
    seconds_to_start: float
    seconds_to_end: float

    def __str__(self) -> str:
        return (
            f"{self.messages / self.seconds_to_start * 60:,.0f} executions started a minute,"
            f" {self.messages / self.seconds_to_end * 60:,.0f} ended a minute"
        )


@dataclass(frozen=True)
class Latency:
    """From before a message is sent, its sender's connection included, to its execution; medians."""

    to_start: float
    to_end: float

    def __str__(self) -> str:
        return f"{self.to_start * 1000:.1f} ms from sent to started, {self.to_end * 1000:.1f} ms to ended"


@dataclass(frozen=True)
class Crash:
    """What came of messages while the server was killed in the middle."""

    messages: int
    before: int
    lost: int
    duplicates: int
    seconds_to_resume: float

    def __str__(self) -> str:
        return (
            f"{self.messages:,} messages, SIGKILL after {self.before:,} executions: {self.lost} lost,"
            f" {self.duplicates} duplicates, listening again {self.seconds_to_resume:.0f} s after the start"
        )


def measure_rate(family: Family, server: ServerProcess, messages: int) -> Rate:
    """Let messages wait, then start the server and see how long they take."""
    executions = Executions(server, family)
    server.start()
    server.save_flow(family.flow())
    server.stop()
    asyncio.run(family.publish(range(messages)))
    server.start()
    _until(lambda: executions.total("SUCCESS") >= messages)
    found = executions.all()
    created = [datetime.fromisoformat(one["state"]["startDate"]) for one in found]
    ended = [datetime.fromisoformat(one["state"]["endDate"]) for one in found]
    server.stop()
    first = min(created)
    return Rate(messages, (max(created) - first).total_seconds(), (max(ended) - first).total_seconds())


def measure_latency(family: Family, server: ServerProcess) -> Latency:
    """Send one message after the other to a server that has nothing else to do."""
    executions = Executions(server, family)
    server.start()
    server.save_flow(family.flow())
    asyncio.run(family.publish([0]))
    _until(lambda: executions.total("SUCCESS") == 1)
    sent: dict[int, float] = {}
    for number in range(1, _SINGLE_MESSAGES + 1):
        sent[number] = time.time()
        asyncio.run(family.publish([number]))
        _until(lambda: executions.total("SUCCESS") > number)  # noqa: B023
    later = {number: one["state"] for one in executions.all() for number in family.numbers(one)}
    server.stop()
    return Latency(
        statistics.median(_instant(later[number]["startDate"]) - sent[number] for number in sent),
        statistics.median(_instant(later[number]["endDate"]) - sent[number] for number in sent),
    )


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def measure_crash(family: Family, server: ServerProcess, messages: int) -> Crash:
    """Kill the server when half of the messages have become executions, and count what came of all."""
    executions = Executions(server, family)
    server.start()
    already = executions.total()
    server.save_flow(family.flow())
    asyncio.run(family.publish(range(messages, 2 * messages)))
    _until(lambda: executions.total() >= already + messages // 2)
    server.kill()
    server.start()
    began = time.monotonic()
    before = executions.total() - already
    _until(lambda: executions.total() > already + before)
    resumed = time.monotonic() - began
    _until(lambda: executions.total() >= already + messages)
    _until(lambda: sum(number >= messages for number in executions.numbers()) >= messages)
    server.stop()
    server.start()
    asyncio.run(family.publish([2 * messages]))
    _until(lambda: executions.numbers()[2 * messages] > 0)
    numbers = executions.numbers()
    server.stop()
    seen = [numbers[number] for number in range(messages, 2 * messages)]
    return Crash(messages, before, seen.count(0), sum(seen) - len(seen) + seen.count(0), resumed)


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE
    pause = threading.Event()
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not reached within {_DEADLINE:.0f} s")
        pause.wait(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realtime", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--family", choices=[family.name for family in FAMILIES])
    arguments = parser.parse_args()
    for kind in FAMILIES:
        if arguments.family in (None, kind.name):
            with tempfile.TemporaryDirectory(prefix="windhover-realtime-") as folder:
                _measure(kind, Path(folder), arguments.messages)


def _measure(kind: type[Family], folder: Path, messages: int) -> None:
    try:
        family = kind(folder / "broker")
    except BrokerNotInstalled as reason:
        print(f"{kind.name}: left out, {reason}")
        return
    with family.broker:
        asyncio.run(family.prepare())
        server = ServerProcess(folder / "idle")
        try:
            print(f"{kind.name}: {measure_latency(family, server)}", flush=True)
            server = ServerProcess(folder / "home")
            print(f"{kind.name}: {measure_rate(family, server, messages)}", flush=True)
            print(f"{kind.name}: {measure_crash(family, server, messages)}", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
