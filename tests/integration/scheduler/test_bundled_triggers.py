"""``http.Trigger``, ``Toggle`` and the triggers of docs/plugins.md, on a server that looks at triggers."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.executor.flows import Ended
from tests.integration.scheduler.trigger_server import TriggerServer, running_triggers
from tests.web_site import Site, running_site

from windhover.engine.messages import TriggersChanged
from windhover.model.flow import Flow
from windhover.model.trigger_state import Health, TriggerState
from windhover.plugin.registry import Registry
from windhover.repository.database import Database
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.trigger_changes import Disable

PAGE = Path(__file__).parents[3] / "docs" / "plugins.md"


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


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


class BundledTriggers(TriggerServer):
    """A server with the bundled triggers and those of the documentation."""

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

    async def runs(self, count: int) -> list[Ended]:
        """The executions, once there are so many and all have ended."""

        async def found() -> list[Ended] | None:
            records = await self.executions()
            if len(records) < count:
                return None
            return [await self.flows.ended(record.id) for record in records]

        return await self.until(found)


@pytest_asyncio.fixture
async def server(
    database: Database, tmp_path: Path, documented: dict[str, Any]
) -> AsyncIterator[BundledTriggers]:
    registry = Registry()
    registry.register(documented["WatchFolder"])
    registry.register(documented["Lines"])
    async with running_triggers(database, tmp_path, registry) as runtime:
        yield BundledTriggers(runtime)


def asks(site: Site, *lines: str) -> str:
    return (
        f"  - id: t\n    type: io.kestra.plugin.core.http.Trigger\n    uri: {site.url}/page\n"
        "    interval: PT0.05S\n" + "".join(f"    {line}\n" for line in lines)
    )


# ---------------------------------------------------------------- http.Trigger


async def test_an_answer_starts_an_execution(server: BundledTriggers, site: Site) -> None:
    await server.save(asks(site, "method: POST", "body: '{{ flow.id }}'", "stopAfter: [SUCCESS]"))
    (run,) = await server.runs(1)
    assert run.execution.trigger is not None
    variables = run.execution.trigger.variables
    assert (variables["code"], variables["body"], variables["uri"]) == (200, "hello", f"{site.url}/page")
    assert variables["headers"]["x-site"] == ["mine"]
    assert site.requests[0] == ("POST", "/page", b"seen")
    await server.until(lambda: disabled(server))


async def test_the_condition_decides_also_about_errors(server: BundledTriggers, site: Site) -> None:
    site.status, site.body = 503, b"busy"
    await server.save(
        asks(site, "responseCondition: \"{{ response.statusCode == 503 and response.body == 'idle' }}\"")
    )
    await server.until(lambda: asked(site, 3))
    assert (await server.state()).last_triggered is None
    assert (await server.state()).health is Health.HEALTHY
    site.body = b"idle"
    assert len(await server.runs(1)) >= 1


async def test_an_error_status_starts_nothing_by_default(server: BundledTriggers, site: Site) -> None:
    site.status = 404
    await server.save(asks(site))
    await server.until(lambda: asked(site, 3))
    assert (await server.state()).last_triggered is None


async def test_a_condition_that_cannot_be_rendered_is_told(server: BundledTriggers, site: Site) -> None:
    await server.save(asks(site, 'responseCondition: "{{ response.nothing.at.all }}"'))
    state = await server.until(lambda: failing(server))
    assert "nothing" in (state.memory.reason or "")
    assert any("tried again in 2 s" in line for line in await server.log())


async def test_a_server_that_is_not_there(server: BundledTriggers, site: Site) -> None:
    trigger = asks(site, "failOnTriggerError: true").replace(site.url, "http://127.0.0.1:9")
    await server.save(trigger)
    (run,) = await server.runs(1)
    assert run.state == "FAILED"
    state = await server.until(lambda: failing(server))
    assert run.messages("ERROR") == [state.memory.reason]


async def test_a_body_that_is_kept_as_a_secret(server: BundledTriggers, site: Site) -> None:
    site.body = b"top secret"
    await server.save(asks(site, "encryptBody: true", "stopAfter: [SUCCESS, FAILED]"))
    state = await server.until(lambda: triggered_or_failing(server))
    # Without an encryption key the look says so; with one the text is encrypted. It is never in clear.
    assert "top secret" not in str(state.memory)
    records = [each async for each in server.runtime.executions.stream(ExecutionQuery("main"))]
    assert "top secret" not in str([each.trigger for each in records])


# ---------------------------------------------------------------- ScheduleMonitor


async def test_a_schedule_that_is_disabled_is_told(server: BundledTriggers) -> None:
    await server.save("  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: '0 0 1 1 *'\n")
    monitor = (
        "  - id: watch\n    type: io.kestra.plugin.kestra.triggers.ScheduleMonitor\n    interval: PT0.05S\n"
        "    namespace: io\n    includeDisabled: true\n    stopAfter: [SUCCESS]\n"
    )
    await server.save(monitor, id="watcher")
    await server.runtime.triggers.change([Disable((await server.state()).key)], server.runtime.clock())
    (run,) = await server.runs(1)
    assert run.execution.trigger is not None
    (told,) = run.execution.trigger.variables["data"]
    assert (told["flowId"], told["triggerId"], told["reason"]) == ("seen", "t", "It is disabled.")


# ---------------------------------------------------------------- Toggle


async def test_toggled_off_and_on(server: BundledTriggers) -> None:
    await server.save("  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: '0 0 1 1 *'\n")
    toggle = (
        "  - id: toggle\n    type: io.kestra.plugin.core.trigger.Toggle\n    trigger: t\n    flowId: seen\n"
    )
    off = await server.save("", id="off", task=toggle)
    on = await server.save("", id="on", task=toggle + "    enabled: true\n")
    for flow, expected in ((off, True), (on, False)):
        run = await server.flows.ended(await server.flows.start(flow))
        assert run.state == "SUCCESS"
        assert (await server.state()).disabled is expected


@pytest.mark.parametrize(
    ("lines", "reason"),
    [("trigger: t\n    flowId: nowhere", "nowhere"), ("trigger: other\n    flowId: seen", "other")],
)
async def test_toggling_what_is_not_there_fails(server: BundledTriggers, lines: str, reason: str) -> None:
    await server.save("  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: '@yearly'\n")
    task = f"  - id: toggle\n    type: io.kestra.plugin.core.trigger.Toggle\n    {lines}\n"
    run = await server.flows.ended(await server.flows.start(await server.save("", id="off", task=task)))
    assert run.state == "FAILED"
    assert reason in " ".join(run.messages("ERROR"))


# ---------------------------------------------------------------- docs/plugins.md


async def test_the_documented_folder_trigger(server: BundledTriggers, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).touch()
    await server.save(
        f"  - id: t\n    type: com.acme.mail.WatchFolder\n    folder: {folder}\n    interval: PT0.05S\n"
    )
    runs = await server.runs(2)
    paths = [run.execution.trigger.variables["path"] for run in runs if run.execution.trigger is not None]
    assert sorted(paths) == [str(folder / "a.txt"), str(folder / "b.txt")]
    assert (await server.log())[:2] == ["Found a.txt", "Found b.txt"]


async def test_the_documented_line_trigger(server: BundledTriggers) -> None:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"first\nsecond\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(send, "127.0.0.1", 0) as source:
        port = source.sockets[0].getsockname()[1]
        await server.save(
            f"  - id: t\n    type: com.acme.mail.Lines\n    host: 127.0.0.1\n    port: {port}\n"
        )
        runs = await server.runs(2)
        texts = [run.execution.trigger.variables["text"] for run in runs if run.execution.trigger is not None]
        assert sorted(texts) == ["first", "second"]
        await server.runtime.triggers.change([Disable((await server.state()).key)], server.runtime.clock())
        server.runtime.queue.broadcasts.publish(TriggersChanged())


async def asked(site: Site, times: int) -> bool:
    return len(site.requests) >= times


async def disabled(server: BundledTriggers) -> bool:
    return (await server.state()).disabled


async def failing(server: BundledTriggers) -> TriggerState | None:
    state = await server.state()
    return state if state.health is Health.FAILING else None


async def triggered_or_failing(server: BundledTriggers) -> TriggerState | None:
    state = await server.state()
    return state if state.last_triggered is not None or state.memory.failures else None
