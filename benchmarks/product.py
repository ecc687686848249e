"""The figures of one server process on one database."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from tests.server_process import ServerProcess

from benchmarks import flows
from benchmarks.client import Client
from benchmarks.figures import Figure

Report = Callable[[str], None]

#: Seconds that one rate is held.
_LOAD_SECONDS = 8.0
_HOLD_SECONDS = 30.0
#: The rates tried grow by this factor, then the gap between the last good and the first bad is halved.
_GROWTH = 1.25
_HALVINGS = 2
_MAX_LATENCY = 1.0
_STARTS = 5


class ServerBenchmark:
    """Measures one server; ``report`` is told what is going on."""

    def __init__(self, server: ServerProcess, report: Report, *, quick: bool = False) -> None:
        self._server = server
        self._report = report
        self._quick = quick
        self.figures: list[Figure] = []

    def run(self) -> list[Figure]:
        """All figures; the server is stopped afterwards."""
        server = self._server
        try:
            self._starts()
            for source in (
                flows.B1, flows.B2, flows.ONE_TASK, flows.sequence(40),
                flows.loop(100), flows.loop(1000), flows.loop(10_000),
                flows.BATCH, flows.batches(100, 1), flows.batches(10_000, 10), flows.batches(10_000, 1),
            ):  # fmt: skip
                server.save_flow(source)
            self._idle()
            client = Client(server.url)
            self._single_runs(client)
            self._loops(client)
            self._batches(client)
            self._steady()
            self._throughput("b1", "B1 (OutputValues, Log)", 250, 15_000, "10,250")
            self._throughput("b2", "B2 (five Ifs, ten task runs)", 67, 4_000, "1,140")
        finally:
            server.stop()
        return self.figures

    # ---------------------------------------------------------------- start and idle

    def _starts(self) -> None:
        self._report("starts")
        server = self._server
        seconds = []
        for number in range(_STARTS):
            if number:
                server.stop()
            seconds.append(server.start())
        median = statistics.median(seconds)
        self._add(
            "start to healthy", f"{median:.2f} s", median, 1.5, "1.5 s", "5 s",
            f"median of {_STARTS} starts, from the call of the program to the line that says it answers; "
            "the first makes the database",
        )  # fmt: skip

    def _idle(self) -> None:
        seconds = 5 if self._quick else 20
        self._report(f"idle for {seconds} s")
        process = psutil.Process(self._server.pid)
        time.sleep(1)
        memory = process.memory_full_info()
        before = process.cpu_times()
        time.sleep(seconds)
        after = process.cpu_times()
        share = (after.user + after.system - before.user - before.system) / seconds * 100
        pss, rss = memory.pss / 1e6, memory.rss / 1e6
        self._add(
            "idle memory, PSS", f"{pss:.0f} MB", pss, 120, "120 MB", "416 MB",
            "the server's process a second after its start, seven flows saved",
        )  # fmt: skip
        self._add("idle memory, RSS", f"{rss:.0f} MB", rss, 120, "120 MB", "", "the same")
        self._add(
            "idle processor time", f"{share:.2f} %", share, 1, "1 %", "4.5 %",
            f"user and system time of the process in {seconds} s without a request",
        )  # fmt: skip

    # ---------------------------------------------------------------- one at a time

    def _single_runs(self, client: Client) -> None:
        self._report("single runs")
        for _ in range(20):
            client.run("one")
        median = statistics.median(client.run("one") for _ in range(200)) * 1000
        self._add(
            "one task, call to finished", f"{median:.1f} ms", median, 10, "10 ms", "69 ms",
            "median of 200 calls with wait=true on an idle server, request to answer",
        )  # fmt: skip
        client.run("sequence-40")
        each = statistics.median(client.run_and_look_at("sequence-40") for _ in range(10)) / 40 * 1000
        self._add(
            "a task in a sequence of 40", f"{each:.2f} ms", each, 2, "2 ms", "45 ms",
            "median of 10 executions, request to end, divided by 40",
        )  # fmt: skip

    def _loops(self, client: Client) -> None:
        self._report("loops")
        process = psutil.Process(self._server.pid)
        client.run_and_look_at("loop-100")
        hundred = statistics.median(client.run_and_look_at("loop-100") for _ in range(10))
        self._add(
            "ForEach of 100", f"{hundred:.3f} s", hundred, 0.3, "0.3 s", "1.05 s",
            "median of 10 executions, request to end; all items at once, one task each",
        )  # fmt: skip
        thousand = statistics.median(client.run_and_look_at("loop-1000") for _ in range(5))
        self._add("ForEach of 1,000", f"{thousand:.2f} s", thousand, 2, "2 s", "173 s", "median of 5")
        memory = process.memory_full_info().pss / 1e6
        self._add(
            "memory after ForEach of 1,000, PSS", f"{memory:.0f} MB", memory, None, "", "",
            "after the figures above",
        )  # fmt: skip
        ten_thousand = min(client.run_and_look_at("loop-10000") for _ in range(1 if self._quick else 2))
        ratio = ten_thousand / 100 / hundred
        self._add(
            "ForEach of 10,000, cost of an item against 100",
            f"{ratio:.2f} ({ten_thousand:.1f} s)",
            ratio,
            1.3,
            "1.3",
            "16 (at 1,000)",
            "better of 2 executions; the time of an item here divided by that of an item at 100",
        )

    def _batches(self, client: Client) -> None:
        self._report("batches")
        client.run_and_look_at("batches-100-1")
        hundred = statistics.median(client.run_and_look_at("batches-100-1") for _ in range(5))
        tens = client.run_and_look_at("batches-10000-10")
        self._add(
            "ForEachItem of 10,000 rows, 10 in each of 1,000 executions", f"{tens:.1f} s", tens, None, "", "",
            "one execution, request to end; file written and split, outputs merged",
        )  # fmt: skip
        ones = client.run_and_look_at("batches-10000-1")
        ratio = ones / 100 / hundred
        self._add(
            "ForEachItem of 10,000 rows, cost of an execution against 100 rows",
            f"{ratio:.2f} ({ones:.1f} s)",
            ratio,
            1.3,
            "1.3",
            "",
            "a row an execution; the time of one here divided by that of one at 100",
        )

    # ---------------------------------------------------------------- load

    def _steady(self) -> None:
        self._report("B1 at 1,500 a minute")
        result = self._load("b1", 25)
        p95 = result["p95"] * 1000
        self._add(
            "B1 at 1,500 a minute, p95", f"{p95:.1f} ms", p95, 30, "30 ms", "130 ms",
            f"25 starts a second for {_LOAD_SECONDS:.0f} s, request sent to execution ended",
        )  # fmt: skip

    def _throughput(self, flow: str, name: str, first: float, target: int, kestra: str) -> None:
        good: dict[str, Any] | None = None
        bad: float | None = None
        rate = first
        halvings = 0
        while halvings < _HALVINGS:
            self._report(f"{flow} at {rate * 60:,.0f} a minute")
            result = self._load(flow, rate)
            if result["failed"] == 0 and result["p95"] < _MAX_LATENCY:
                good = result
            else:
                bad = rate
            if bad is None:
                rate *= _GROWTH
            elif good is None:
                rate /= _GROWTH
            else:
                rate = (good["rate"] + bad) / 2
                halvings += 1
        assert good is not None
        good = self._confirmed(flow, good["rate"])
        a_minute = good["rate"] * 60
        self._add(
            f"{name}: executions a minute", f"{a_minute:,.0f} (p95 {good['p95'] * 1000:.0f} ms)",
            a_minute, target, f"{target:,}", kestra,
            f"the highest steady rate at which p95 from request to end stays below 1 s and all executions "
            f"succeed; searched for {_LOAD_SECONDS:.0f} s a rate, then held for {_HOLD_SECONDS:.0f} s",
            higher_is_better=True,
        )  # fmt: skip

    def _confirmed(self, flow: str, rate: float) -> dict[str, Any]:
        """The highest rate from this one downwards that is held for a while."""
        while True:
            self._report(f"{flow} at {rate * 60:,.0f} a minute, for {_HOLD_SECONDS:.0f} s")
            result = self._load(flow, rate, _HOLD_SECONDS)
            if result["failed"] == 0 and result["p95"] < _MAX_LATENCY:
                return result
            rate *= 0.9

    def _load(self, flow: str, rate: float, seconds: float = _LOAD_SECONDS) -> dict[str, Any]:
        arguments = [self._server.url, flow, str(rate), str(seconds)]
        command = [sys.executable, "-m", "benchmarks.load", *arguments]
        result: dict[str, Any] = json.loads(subprocess.check_output(command, text=True))
        self._report(f"  p95 {result['p95'] * 1000:.0f} ms, {result['failed']} failed")
        return result

    def _add(
        self, name: str, shown: str, value: float, target: float | None, target_shown: str, kestra: str,
        method: str, *, higher_is_better: bool = False,
    ) -> None:  # fmt: skip
        figure = Figure(name, shown, value, target, target_shown, kestra, method, higher_is_better)
        self.figures.append(figure)
        self._report(f"{name}: {shown}")


def measure_run() -> Figure:
    """``windhover run`` of the smallest flow, as a person waits for it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hello.yml"
        file.write_text(flows.HELLO)
        seconds = []
        for _ in range(10):
            began = time.perf_counter()
            subprocess.run(
                [Path(sys.executable).parent / "windhover", "run", str(file)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds)
    return Figure(
        "`windhover run` hello world", f"{median:.2f} s", median, 0.5, "0.5 s", "",
        "median of 10 runs of the program, no server, database in memory",
    )  # fmt: skip
