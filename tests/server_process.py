"""A real server in a process of its own, on free ports, for fault tests and benchmarks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import psutil

_START_TIMEOUT = 60
_API = re.compile(r"API\s+(http://\S+)/api/v1/main")
_HEALTH = re.compile(r"Health\s+(http://\S+)/health")


class ServerDidNotStart(Exception):
    """The process ended, or said nothing in time; the message holds its log."""


class ServerProcess:
    """``windhover server standalone`` on a home folder; it can be started again on the same one.

    ``configuration`` is YAML beyond the defaults, ``environment`` is added to this process's own,
    ``limits`` is called in the new process before the server begins.
    """

    def __init__(
        self,
        home: Path,
        *,
        postgres: str | None = None,
        configuration: str = "",
        environment: Mapping[str, str] | None = None,
        threads: int | None = None,
        limits: Callable[[], None] | None = None,
    ) -> None:
        self.home = home
        self.log_file = home.parent / f"{home.name}.log"
        self._configuration = home.parent / f"{home.name}.yml"
        self._configuration.write_text(_database(postgres) + configuration)
        self._environment = dict(environment or {})
        self._threads = threads
        self._limits = limits
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.management_url = ""

    @property
    def pid(self) -> int:
        assert self.process is not None, "start() comes first"
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has been started, and neither killed nor stopped since."""
        return self.process is not None and self.process.poll() is None

    @property
    def api(self) -> str:
        """Where the API of the tenant ``main`` begins."""
        return f"{self.url}/api/v1/main"

    def log(self) -> str:
        """What the server has logged in all its lives."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self) -> float:
        """Start, and return the seconds until the server said that it answers.

        Raises:
            ServerDidNotStart: it ended, or said nothing in time.
        """
        arguments = [
            sys.executable, "-m", "windhover.cli.main", "server", "standalone",
            "--port", "0", "--management-port", "0",
            "--home", str(self.home), "--config", str(self._configuration),
        ]  # fmt: skip
        if self._threads is not None:
            arguments += ["--worker-thread", str(self._threads)]
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KESTRA_", "WINDHOVER_", "MICRONAUT_", "DATASOURCES_"))
        }
        began = time.perf_counter()
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(
                arguments,
                env={**inherited, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=self._limits,
            )
        self._read_banner()
        return time.perf_counter() - began

    def kill(self) -> None:
        """SIGKILL to the server alone, as a crash: the processes of its tasks live on."""
        if self.process is not None and self.is_running:
            self.process.kill()
            self.process.wait()

    def kill_all(self) -> None:
        """SIGKILL to the server and everything it started, as a machine that goes away does."""
        if self.process is None or not self.is_running:
            return
        root = psutil.Process(self.pid)
        root.suspend()
        children = root.children(recursive=True)
        for process in (root, *children):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def terminate(self) -> None:
        """SIGTERM; returns at once."""
        assert self.process is not None, "start() comes first"
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 30) -> int:
        """The exit code."""
        assert self.process is not None, "start() comes first"
        return self.process.wait(timeout)

    def stop(self) -> int:
        """SIGTERM twice, so that no task is waited for, and the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.terminate()
            try:
                return self.process.wait(1)
            except subprocess.TimeoutExpired:
                self.terminate()
            try:
                return self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill_all()
        return self.process.wait()

    def _read_banner(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        watchdog = threading.Timer(_START_TIMEOUT, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                if found := _API.search(line):
                    self.url = found[1]
                if found := _HEALTH.search(line):
                    self.management_url = found[1]
                if self.url and self.management_url and "Storage" in line:
                    return
        finally:
            watchdog.cancel()
        code = self.process.wait()
        raise ServerDidNotStart(f"The server ended with code {code}:\n{self.log()[-4000:]}")

    # ---------------------------------------------------------------- the API

    def save_flow(self, source: str) -> None:
        """Create a flow, or a new revision of it."""
        with httpx.Client(timeout=30) as client:
            headers = {"content-type": "application/x-yaml"}
            answer = client.post(f"{self.api}/flows", content=source, headers=headers)
            if answer.status_code == 422:
                namespace, flow_id = (
                    re.search(rf"^{key}: (\S+)", source, re.M) for key in ("namespace", "id")
                )
                assert namespace is not None
                assert flow_id is not None
                answer = client.put(
                    f"{self.api}/flows/{namespace[1]}/{flow_id[1]}", content=source, headers=headers
                )
            assert answer.status_code == 200, answer.text


def _database(postgres: str | None) -> str:
    if postgres is None:
        return ""
    return (
        "datasources:\n  postgres:\n"
        f"    url: {postgres}\n"
        "kestra.repository.type: postgres\n"
        "kestra.queue.type: postgres\n"
    )
