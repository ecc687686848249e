"""Servers in processes of their own, what is asked of them, and waiting with a deadline."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from tests.server_process import ServerProcess

from windhover.model.state import TERMINATED

pytest.register_assert_rewrite("tests.faults.crashes", "tests.faults.load", "tests.faults.second_by_second")

T = TypeVar("T")

NAMESPACE = "tests.faults"
_PLUGIN = Path(__file__).parent / "plugin"
_ENDED = {state.value for state in TERMINATED}
_PAGE = 1_000
_failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


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

    def make(name: str = "home", **options: Any) -> Server:
        made.append(_new_server(tmp_path / name, plugin_path, **options))
        return made[-1]

    yield make
    for server in made:
        server.process.kill_all()
    for process in processes_naming(str(tmp_path)):
        process.kill()


def _new_server(
    home: Path,
    plugin_path: str,
    *,
    configuration: str = "",
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> Server:
    process = ServerProcess(
        home,
        configuration=f"kestra.tasks.tmp-dir.path: {home}-tmp\n" + configuration,
        environment={**(environment or {}), "PYTHONPATH": plugin_path},
        **more,
    )
    return Server(process)


@pytest.fixture
def server(make_server: ServerFactory) -> Server:
    """A server that runs, on SQLite."""
    server = make_server()
    server.process.start()
    return server


SharedServers = Callable[..., "Server"]


@pytest.fixture(scope="session")
def _kept_servers(plugin_path: str) -> Iterator[dict[str, Server]]:
    """The servers that tests share, by their configuration."""
    kept: dict[str, Server] = {}
    yield kept
    for server in kept.values():
        server.process.kill_all()


@pytest.fixture
def shared_servers(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    plugin_path: str,
    _kept_servers: dict[str, Server],
) -> Iterator[SharedServers]:
    """Servers by their configuration that earlier tests may have used, killed and started again.

    For tests that look at their own executions only. After a test that fails others get a new one.
    """
    used: set[str] = set()

    def get(configuration: str = "") -> Server:
        used.add(configuration)
        server = _kept_servers.get(configuration)
        if server is None:
            home = tmp_path_factory.mktemp("shared") / "home"
            server = _new_server(home, plugin_path, configuration=configuration)
            _kept_servers[configuration] = server
        if not server.process.is_running:
            server.process.start()
        server.begin_log()
        return server

    yield get
    if request.node.stash.get(_failed, False):
        for configuration in used & _kept_servers.keys():
            _kept_servers.pop(configuration).process.kill_all()


@pytest.fixture
def shared_server(shared_servers: SharedServers) -> Server:
    """A server that runs, on SQLite, which other tests use as well."""
    return shared_servers()


class Server:
    """A server process and its API."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self.client = httpx.Client(timeout=30)
        self._log_begins = 0

    def begin_log(self) -> None:
        """Forget what the server has logged so far."""
        self._log_begins = len(self.process.log())

    def log(self) -> str:
        """What the server has logged in this test."""
        return self.process.log()[self._log_begins :]

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

    def total(self, flow: str, **query: Any) -> int:
        """How many executions of a flow there are."""
        page = self.get("/executions/search", namespace=NAMESPACE, flowId=flow, size=1, **query)
        return int(page["total"])

    def executions(self, flow: str) -> list[Any]:
        """All executions of a flow, without their task runs."""
        found: list[Any] = []
        query = {"namespace": NAMESPACE, "flowId": flow, "size": _PAGE}
        while True:
            page = self.get("/executions/search", page=len(found) // _PAGE + 1, **query)
            found += page["results"]
            if len(found) >= page["total"] or not page["results"]:
                return found

    def disable(self, flow: str, trigger: str) -> None:
        """Let a trigger fire no more."""
        body = {"namespace": NAMESPACE, "flowId": flow, "triggerId": trigger, "disabled": True}
        answer = self.client.put(self.url("/triggers"), json=body)
        assert answer.status_code == 200, answer.text

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
