"""Servers in processes of their own, what is asked of them, and waiting with a deadline."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from tests.server_process import ServerProcess

from windhover.model.state import TERMINATED

T = TypeVar("T")

NAMESPACE = "tests.faults"
_PLUGIN = Path(__file__).parent / "plugin"
_ENDED = {state.value for state in TERMINATED}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def plugin_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What PYTHONPATH must be for a server to know the tasks of the fault tests."""
    folder = tmp_path_factory.mktemp("installed")
    information = folder / "windhover_fault_tasks-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: windhover-fault-tasks\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[windhover.plugins]\nfaults = windhover_fault_tasks\n")
    return os.pathsep.join([str(_PLUGIN), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


ServerFactory = Callable[..., "Server"]


@pytest.fixture
def make_server(tmp_path: Path, plugin_path: str) -> Iterator[ServerFactory]:
    """Make servers with a home below the test's folder; all that they start is ended after the test."""
    made: list[Server] = []

    def make(
        name: str = "home",
        *,
        configuration: str = "",
        environment: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Server:
        process = ServerProcess(
            tmp_path / name,
            configuration=f"kestra.tasks.tmp-dir.path: {tmp_path / name}-tmp\n" + configuration,
            environment={**(environment or {}), "PYTHONPATH": plugin_path},
            **more,
        )
        made.append(Server(process))
        return made[-1]

    yield make
    for server in made:
        server.process.kill_all()
    for process in processes_naming(str(tmp_path)):
        process.kill()


@pytest.fixture
def server(make_server: ServerFactory) -> Server:
    """A server that runs, on SQLite."""
    server = make_server()
    server.process.start()
    return server


class Server:
    """A server process and its API."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self.client = httpx.Client(timeout=30)

    def save(self, source: str) -> None:
        """Save a flow of the tests' namespace."""
        self.process.save_flow(source)

    def url(self, path: str) -> str:
        return f"{self.process.api}{path}"

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(self.url(path), params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, flow: str, **query: Any) -> str:
        """Start an execution and return its id."""
        answer = self.client.post(self.url(f"/executions/{NAMESPACE}/{flow}"), params=query)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def kill(self, execution: str) -> None:
        answer = self.client.delete(self.url(f"/executions/{execution}/kill"))
        assert answer.status_code in (200, 202, 204), answer.text

    def execution(self, id_: str) -> Any:
        return self.get(f"/executions/{id_}")

    def state(self, id_: str) -> str:
        return str(self.execution(id_)["state"]["current"])

    def wait_for_state(self, id_: str, *states: str, seconds: float = 30) -> Any:
        """The execution once it is in one of these states."""

        def look() -> Any:
            found = self.execution(id_)
            return found if found["state"]["current"] in states else None

        return until(look, seconds, lambda: f"{id_} is {self.state(id_)}\n{self.process.log()[-3000:]}")

    def wait_for_end(self, id_: str, seconds: float = 30) -> Any:
        """The execution once it and all its task runs have ended."""

        def look() -> Any:
            found = self.execution(id_)
            runs = found.get("taskRunList", [])
            return found if all(one["state"]["current"] in _ENDED for one in (found, *runs)) else None

        return until(look, seconds, lambda: f"{self.execution(id_)}\n{self.process.log()[-3000:]}")

    def logs(self, id_: str, **query: Any) -> list[Any]:
        found: list[Any] = self.get(f"/logs/{id_}", **query)
        return found


def until(look: Callable[[], T | None], seconds: float, complaint: Callable[[], str] = str) -> T:
    """What ``look`` gives, once it gives something true.

    Looks every 20 ms; where a look takes long, at most a quarter of the time is spent on looking.

    Raises:
        AssertionError: it did not within the deadline.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        began = time.monotonic()
        found = look()
        if found:
            return found
        now = time.monotonic()
        assert now < deadline, f"not within {seconds} s: {complaint()}"
        pause.wait(max(0.02, 3 * (now - began)))


def until_file(path: Path, lines: int = 1, seconds: float = 20) -> None:
    """Wait until a file has so many lines."""
    until(lambda: path.exists() and path.read_text().count("\n") >= lines, seconds, lambda: str(path))


def processes_naming(text: str) -> list[psutil.Process]:
    """The live processes whose command line holds a text, without this one."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or ()
        lives = process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE
        if lives and any(text in part for part in command):
            found.append(process)
    return found


def assert_nothing_unfinished(execution: Any) -> None:
    """An execution that has ended has no task run, and no attempt, that has not."""
    assert execution["state"]["current"] in _ENDED
    for run in execution.get("taskRunList", []):
        assert run["state"]["current"] in _ENDED, run
        for attempt in run.get("attempts") or ():
            assert attempt["state"]["current"] in {*_ENDED, "RESUBMITTED"}, run
