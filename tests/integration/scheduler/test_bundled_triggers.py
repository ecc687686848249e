"""``http.Trigger``, ``Toggle`` and the triggers of docs/plugins.md, on a server that looks at triggers."""

from __future__ import annotations

import asyncio
import http.server
import re
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from tests.integration.executor.flows import Ended, Flows

from windhover.engine.messages import ExecutionChanged, TriggersChanged
from windhover.model.flow import Flow
from windhover.model.trigger_state import Health, TriggerKey, TriggerState
from windhover.plugin.registry import Registry
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.trigger_changes import Disable
from windhover.repository.trigger_logs import trigger_log_id
from windhover.server.runtime import Runtime, RuntimeSettings

T = TypeVar("T")
LIMIT = 20.0
PAGE = Path(__file__).parents[3] / "docs" / "plugins.md"


class Site(http.server.ThreadingHTTPServer):
    """A web server whose answer the test sets; it remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.status, self.body = 200, b"hello"
        self.requests: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Page(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.requests.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.send_header("X-Site", "mine")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def documented() -> Iterator[dict[str, Any]]:
    """The classes of docs/plugins.md, as they stand there."""
    module = ModuleType("acme_mail_triggers")
    sys.modules[module.__name__] = module
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if "Trigger[" in block:
            exec(compile(block, str(PAGE), "exec"), module.__dict__)
    yield vars(module)
    del sys.modules[module.__name__]


class Bench:
    """A server, and what the tests ask of it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.flows = Flows(runtime)

    async def save(self, trigger: str, *, id: str = "seen", task: str = "") -> Flow:
        source = dedent(f"""\
            id: {id}
            namespace: io.test
            tasks:
              - id: say
                type: io.kestra.plugin.core.debug.Return
                format: "{{{{ trigger ?? 'by hand' }}}}"
            """)
        saved = await self.flows.save(source + task + ("triggers:\n" + trigger if trigger else ""))
        self.runtime.queue.broadcasts.publish(TriggersChanged())
        return saved

    async def state(self, flow: str = "seen", trigger: str = "t") -> TriggerState:
        state = await self.runtime.triggers.get(TriggerKey("main", "io.test", flow, trigger))
        assert state is not None
        return state

    async def runs(self, count: int) -> list[Ended]:
        """The executions, once there are so many and all have ended."""

        async def found() -> list[Ended] | None:
            records = [each async for each in self.runtime.executions.stream(ExecutionQuery("main"))]
            if len(records) < count:
                return None
            return [await self.flows.ended(record.id) for record in records]

        return await self.until(found)

    async def log(self) -> list[str]:
        key = TriggerKey("main", "io.test", "seen", "t")
        return [entry.message async for entry in self.runtime.logs.stream(trigger_log_id(key))]

    async def until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        async with asyncio.timeout(LIMIT):
            with self.runtime.queue.broadcasts.subscribe(
                lambda message: isinstance(message, ExecutionChanged | TriggersChanged)
            ) as messages:
                while True:
                    found = await look()
                    if found:
                        return found
                    with suppress(TimeoutError):
                        await asyncio.wait_for(messages.next(), 0.05)


@pytest_asyncio.fixture
async def bench(database: Database, tmp_path: Path, documented: dict[str, Any]) -> AsyncIterator[Bench]:
    registry = Registry()
    registry.register(documented["WatchFolder"])
    registry.register(documented["Lines"])
    settings = RuntimeSettings(
        home=tmp_path, storage_path=tmp_path / "storage", temporary=tmp_path / "work", environ={}
    )
    runtime = Runtime(database, settings, registry=registry)
    await runtime.start()
    await runtime.start_triggers()
    yield Bench(runtime)
    await runtime.stop(timedelta())
    await runtime.close()


def asks(site: Site, *lines: str) -> str:
    return (
        f"  - id: t\n    type: io.kestra.plugin.core.http.Trigger\n    uri: {site.url}/page\n"
        "    interval: PT0.05S\n" + "".join(f"    {line}\n" for line in lines)
    )


# ---------------------------------------------------------------- http.Trigger


async def test_an_answer_starts_an_execution(bench: Bench, site: Site) -> None:
    await bench.save(asks(site, "method: POST", "body: '{{ flow.id }}'", "stopAfter: [SUCCESS]"))
    (run,) = await bench.runs(1)
    assert run.execution.trigger is not None
    variables = run.execution.trigger.variables
    assert (variables["code"], variables["body"], variables["uri"]) == (200, "hello", f"{site.url}/page")
    assert variables["headers"]["x-site"] == ["mine"]
    assert site.requests[0] == ("POST", "/page", b"seen")
    await bench.until(lambda: disabled(bench))


async def test_the_condition_decides_also_about_errors(bench: Bench, site: Site) -> None:
    site.status, site.body = 503, b"busy"
    await bench.save(
        asks(site, "responseCondition: \"{{ response.statusCode == 503 and response.body == 'idle' }}\"")
    )
    await bench.until(lambda: asked(site, 3))
    assert (await bench.state()).last_triggered is None
    assert (await bench.state()).health is Health.HEALTHY
    site.body = b"idle"
    assert len(await bench.runs(1)) >= 1


async def test_an_error_status_starts_nothing_by_default(bench: Bench, site: Site) -> None:
    site.status = 404
    await bench.save(asks(site))
    await bench.until(lambda: asked(site, 3))
    assert (await bench.state()).last_triggered is None


async def test_a_condition_that_cannot_be_rendered_is_told(bench: Bench, site: Site) -> None:
    await bench.save(asks(site, 'responseCondition: "{{ response.nothing.at.all }}"'))
    state = await bench.until(lambda: failing(bench))
    assert "nothing" in (state.memory.reason or "")
    assert any("tried again in 2 s" in line for line in await bench.log())


async def test_a_server_that_is_not_there(bench: Bench, site: Site) -> None:
    trigger = asks(site, "failOnTriggerError: true").replace(site.url, "http://127.0.0.1:9")
    await bench.save(trigger)
    (run,) = await bench.runs(1)
    assert run.state == "FAILED"
    state = await bench.until(lambda: failing(bench))
    assert run.messages("ERROR") == [state.memory.reason]


async def test_a_body_that_is_kept_as_a_secret(bench: Bench, site: Site) -> None:
    site.body = b"top secret"
    await bench.save(asks(site, "encryptBody: true", "stopAfter: [SUCCESS, FAILED]"))
    state = await bench.until(lambda: triggered_or_failing(bench))
    # Without an encryption key the look says so; with one the text is encrypted. It is never in clear.
    assert "top secret" not in str(state.memory)
    records = [each async for each in bench.runtime.executions.stream(ExecutionQuery("main"))]
    assert "top secret" not in str([each.trigger for each in records])


# ---------------------------------------------------------------- ScheduleMonitor


async def test_a_schedule_that_is_disabled_is_told(bench: Bench) -> None:
    await bench.save("  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: '0 0 1 1 *'\n")
    monitor = (
        "  - id: watch\n    type: io.kestra.plugin.kestra.triggers.ScheduleMonitor\n    interval: PT0.05S\n"
        "    namespace: io\n    includeDisabled: true\n    stopAfter: [SUCCESS]\n"
    )
    await bench.save(monitor, id="watcher")
    await bench.runtime.triggers.change([Disable((await bench.state()).key)], bench.runtime.clock())
    (run,) = await bench.runs(1)
    assert run.execution.trigger is not None
    (told,) = run.execution.trigger.variables["data"]
    assert (told["flowId"], told["triggerId"], told["reason"]) == ("seen", "t", "It is disabled.")


# ---------------------------------------------------------------- Toggle


async def test_toggled_off_and_on(bench: Bench) -> None:
    await bench.save("  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: '0 0 1 1 *'\n")
    toggle = (
        "  - id: toggle\n    type: io.kestra.plugin.core.trigger.Toggle\n    trigger: t\n    flowId: seen\n"
    )
    off = await bench.save("", id="off", task=toggle)
    on = await bench.save("", id="on", task=toggle + "    enabled: true\n")
    for flow, expected in ((off, True), (on, False)):
        run = await bench.flows.ended(await bench.flows.start(flow))
        assert run.state == "SUCCESS"
        assert (await bench.state()).disabled is expected


@pytest.mark.parametrize(
    ("lines", "reason"),
    [("trigger: t\n    flowId: nowhere", "nowhere"), ("trigger: other\n    flowId: seen", "other")],
)
async def test_toggling_what_is_not_there_fails(bench: Bench, lines: str, reason: str) -> None:
    await bench.save("  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: '@yearly'\n")
    task = f"  - id: toggle\n    type: io.kestra.plugin.core.trigger.Toggle\n    {lines}\n"
    run = await bench.flows.ended(await bench.flows.start(await bench.save("", id="off", task=task)))
    assert run.state == "FAILED"
    assert reason in " ".join(run.messages("ERROR"))


# ---------------------------------------------------------------- docs/plugins.md


async def test_the_documented_folder_trigger(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).touch()
    await bench.save(
        f"  - id: t\n    type: com.acme.mail.WatchFolder\n    folder: {folder}\n    interval: PT0.05S\n"
    )
    runs = await bench.runs(2)
    paths = [run.execution.trigger.variables["path"] for run in runs if run.execution.trigger is not None]
    assert sorted(paths) == [str(folder / "a.txt"), str(folder / "b.txt")]
    assert (await bench.log())[:2] == ["Found a.txt", "Found b.txt"]


async def test_the_documented_line_trigger(bench: Bench) -> None:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"first\nsecond\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(send, "127.0.0.1", 0) as source:
        port = source.sockets[0].getsockname()[1]
        await bench.save(f"  - id: t\n    type: com.acme.mail.Lines\n    host: 127.0.0.1\n    port: {port}\n")
        runs = await bench.runs(2)
        texts = [run.execution.trigger.variables["text"] for run in runs if run.execution.trigger is not None]
        assert sorted(texts) == ["first", "second"]
        await bench.runtime.triggers.change([Disable((await bench.state()).key)], bench.runtime.clock())
        bench.runtime.queue.broadcasts.publish(TriggersChanged())


async def asked(site: Site, times: int) -> bool:
    return len(site.requests) >= times


async def disabled(bench: Bench) -> bool:
    return (await bench.state()).disabled


async def failing(bench: Bench) -> TriggerState | None:
    state = await bench.state()
    return state if state.health is Health.FAILING else None


async def triggered_or_failing(bench: Bench) -> TriggerState | None:
    state = await bench.state()
    return state if state.last_triggered is not None or state.memory.failures else None
