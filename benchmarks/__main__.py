"""Measure a real server on SQLite and PostgreSQL, and print the figures as markdown.

python -m benchmarks [--quick] [--database sqlite|postgresql] [--all]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import postgres
from tests.server_process import ServerProcess

from benchmarks.figures import PEERS, Figure, table
from benchmarks.product import ServerBenchmark, measure_run

_OTHERS = ("repository.py", "expression.py")


class DurableCluster(postgres.Cluster):
    """A PostgreSQL server as in production: what is committed is on the disk."""

    def create(self) -> None:
        super().create()
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\nfsync = on\nfull_page_writes = on\nsynchronous_commit = on\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter waits; figures are rougher")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument("--all", action="store_true", help="also the benchmarks of single parts")
    arguments = parser.parse_args()
    print(f"# Benchmarks\n\n{_machine()}\n", flush=True)
    on_sqlite: list[Figure] = []
    if arguments.database != "postgresql":
        on_sqlite = [measure_run(), *_on_sqlite(quick=arguments.quick)]
        print(table("SQLite, every commit on the disk (synchronous=FULL)", on_sqlite) + "\n", flush=True)
    if arguments.database != "sqlite":
        try:
            on_postgres = _on_postgres(quick=arguments.quick)
        except postgres.PostgresNotInstalled as reason:
            print(f"PostgreSQL is left out: {reason}\n")
        else:
            print(table("PostgreSQL, fsync and synchronous_commit on", on_postgres) + "\n", flush=True)
            if on_sqlite:
                print(_comparison(on_sqlite, on_postgres) + "\n")
    print(PEERS, flush=True)
    if arguments.all:
        for script in _OTHERS:
            print(f"\n## {script}\n", flush=True)
            subprocess.run([sys.executable, str(Path(__file__).parent / script)], check=True)


def _on_sqlite(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="windhover-benchmark-") as folder:
        return ServerBenchmark(ServerProcess(Path(folder) / "home"), _say, quick=quick).run()


def _on_postgres(*, quick: bool) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="windhover-benchmark-") as name,
        durable_cluster(Path(name)) as dsn,
    ):
        return ServerBenchmark(ServerProcess(Path(name) / "home", postgres=dsn), _say, quick=quick).run()


@contextmanager
def durable_cluster(folder: Path) -> Iterator[str]:
    """A PostgreSQL server below a folder, and its address.

    Raises:
        postgres.PostgresNotInstalled: this machine has none.
    """
    (folder / "cluster").mkdir()
    # The server may run as another user, who has to reach its files.
    folder.chmod(0o755)
    cluster = DurableCluster(folder / "cluster")
    cluster.create()
    cluster.start()
    cluster.watch(os.getpid())
    try:
        yield cluster.dsn
    finally:
        cluster.stop("fast")


def _comparison(on_sqlite: list[Figure], on_postgres: list[Figure]) -> str:
    """How many times more PostgreSQL costs (or less it carries) than SQLite."""
    lines = ["## PostgreSQL against SQLite (target: within 2 times)", "", "| figure | times |", "|---|--:|"]
    of_sqlite = {figure.name: figure for figure in on_sqlite}
    for figure in on_postgres:
        other = of_sqlite.get(figure.name)
        if other is None or not other.value or "memory" in figure.name or "against" in figure.name:
            continue
        times = other.value / figure.value if figure.higher_is_better else figure.value / other.value
        lines.append(f"| {figure.name} | {times:.2f} |")
    return "\n".join(lines)


def _machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, Python {platform.python_version()}, {os.cpu_count()} processors "
        f"({platform.machine()}). Load average before: {load}; above 0.3 something else was running as well."
    )


def _say(text: str) -> None:
    print(f"  … {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
