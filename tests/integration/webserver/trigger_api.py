"""The API of triggers over a server whose clock is set by the test, and flows with schedules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.integration.scheduler.bench import Bench, running_bench

from windhover.config.loading import load
from windhover.repository.database import Database
from windhover.webserver import create_app

API = "/api/v1/main/triggers"
TYPE = "io.kestra.plugin.core.trigger.Schedule"
HOURLY = "0 * * * *"

NAMES = {"namespace": "io.test", "flowId": "scheduled", "triggerId": "s"}
ONE = f"{API}/io.test/scheduled/s"


def flow(
    id: str = "scheduled",
    *triggers: str,
    namespace: str = "io.test",
    task: str = "debug.Return",
    more: str = "",
) -> str:
    declared = triggers or (schedule(),)
    format = '    format: "{{ trigger.date }}"\n' if task == "debug.Return" else ""
    return (
        f"id: {id}\nnamespace: {namespace}\n{more}tasks:\n  - id: task\n"
        f"    type: io.kestra.plugin.core.{task}\n{format}triggers:\n" + "".join(declared)
    )


def schedule(id: str = "s", cron: str = HOURLY, *lines: str) -> str:
    return f'  - id: {id}\n    type: {TYPE}\n    cron: "{cron}"\n' + "".join(
        f"    {line}\n" for line in lines
    )


POLL = """\
  - id: s
    type: io.kestra.plugin.core.http.Trigger
    uri: http://localhost:1
    disabled: true
"""
#: Its executions run until somebody resumes them.
PAUSING = flow(task="flow.Pause")
#: What a backfill may be asked for: three dates of an hourly schedule.
PAST = {"start": "2026-05-01T00:00:00Z", "end": "2026-05-01T02:00:00Z"}


@dataclass
class TriggerApi:
    """A server with a clock that the test sets, and a scheduler that works when it is told to."""

    bench: Bench
    client: httpx.AsyncClient

    async def save(self, source: str) -> None:
        response = await self.client.post("/api/v1/main/flows", content=source)
        assert response.status_code == 200, response.text
        await self.bench.tick()

    async def call(self, method: str, path: str, status: int = 200, **arguments: Any) -> Any:
        if "body" in arguments:
            arguments["content"] = json.dumps(arguments.pop("body"))
        response = await self.client.request(method, path, **arguments)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.call("GET", ONE))["state"]
        return found

    async def ids(self, **query: Any) -> list[str]:
        page = await self.call("GET", f"{API}/search", params=query)
        return [each["state"]["triggerId"] for each in page["results"]]


@asynccontextmanager
async def running_trigger_api(database: Database, folder: Path) -> AsyncIterator[TriggerApi]:
    """A server on a database; its files are below ``folder``."""
    async with running_bench(database, folder) as bench:
        app = create_app(bench.runtime.web_services(load([], {"HOME": str(folder)}, None)))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://windhover.test") as client:
            yield TriggerApi(bench, client)
