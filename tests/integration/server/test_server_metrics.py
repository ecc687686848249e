"""The metrics of a server, as its management port tells them."""

from __future__ import annotations

from pathlib import Path

import httpx

from windhover.config import load
from windhover.repository.sqlite import SqliteDatabase
from windhover.server.runtime import Runtime, RuntimeSettings
from windhover.webserver import create_management_app


async def test_gauges_have_the_configured_prefix_and_are_told_once(tmp_path: Path) -> None:
    database = SqliteDatabase.in_memory()
    await database.open()
    runtime = Runtime(database, RuntimeSettings(tmp_path, tmp_path / "storage", tmp_path / "work", threads=3))
    services = runtime.web_services(load([], {"HOME": str(tmp_path)}, {"kestra.metrics.prefix": "acme"}))
    transport = httpx.ASGITransport(create_management_app(services))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://management.test") as client:
            text = (await client.get("/prometheus")).text
    finally:
        await runtime.close()
    helps = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
    assert len(helps) == len(set(helps))
    assert {name for name in helps if name.startswith("acme")} == {
        "acme_executor_live_executions",
        "acme_queue_executor_pending",
        "acme_webserver_followers",
        "acme_worker_job_pending",
        "acme_worker_job_running",
        "acme_worker_job_thread",
    }
    assert "acme_worker_job_thread 3.0\n" in text
    assert not any(name.startswith(("kestra", "windhover")) for name in helps)
