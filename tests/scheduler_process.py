"""A scheduler in a process of its own, for fault tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


class SchedulerProcess:
    """``windhover server scheduler`` on a PostgreSQL database."""

    def __init__(self, home: Path, dsn: str) -> None:
        home.mkdir()
        configuration = home / "windhover.yml"
        configuration.write_text(
            f"datasources:\n  postgres:\n    url: {dsn}\n"
            "kestra.repository.type: postgres\nkestra.queue.type: postgres\n"
        )
        self._arguments = [
            sys.executable, "-m", "windhover.cli.main", "server", "scheduler",
            "--home", str(home), "--config", str(configuration),
        ]  # fmt: skip
        self._log = home / "log"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        assert "scheduler" in self._process.stdout.readline(), self.log()[-4000:]

    def log(self) -> str:
        """What it has logged in all its lives."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
