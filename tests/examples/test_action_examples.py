"""What the documentation does to executions, step by step, on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from tests.integration.webserver.server import Server

from windhover.config.loading import load
from windhover.repository.database import open_database
from windhover.server.runtime import Runtime, RuntimeSettings
from windhover.webserver import create_app

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
API = "/api/v1/main"
REPORT = f"{API}/executions/examples.actions/report"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    settings = RuntimeSettings(
        home=tmp_path, storage_path=tmp_path / "storage", temporary=tmp_path / "work", environ={}
    )
    runtime = Runtime(await open_database(f"sqlite:///{tmp_path / 'examples.db'}"), settings)
    await runtime.start()
    services = runtime.web_services(load([], {"HOME": str(tmp_path)}, None))
    app = create_app(services)
    transport = httpx.ASGITransport(app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://windhover.test") as client:
            running = Server(services, app, client)
            await running.create_flow((EXAMPLES / "actions" / "report.yaml").read_text())
            yield running
    finally:
        await runtime.stop(timedelta())
        await runtime.close()


async def post(server: Server, path: str, **arguments: Any) -> dict[str, Any]:
    answer = await server.client.post(path, **arguments)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tries(execution: dict[str, Any]) -> dict[str, int]:
    return {run["taskId"]: len(run["attempts"]) for run in execution["taskRunList"]}


async def is_ready(server: Server) -> None:
    path = f"{API}/namespaces/examples.actions/kv/import.ready"
    assert (await server.client.put(path, content=b"true")).status_code == 200


async def test_a_restart_takes_up_what_failed(server: Server) -> None:
    failed = await post(server, REPORT, params={"wait": "true"})
    assert failed["state"]["current"] == "FAILED"
    await is_ready(server)

    await post(server, f"{API}/executions/{failed['id']}/actions/restart")

    ended = await server.reached(failed["id"], "SUCCESS")
    assert tries(ended) == {"load": 1, "check": 2, "tell": 1}
    assert {"key": "system.restarted", "value": "true"} in ended["labels"]


async def test_a_replay_with_inputs_is_a_new_execution(server: Server) -> None:
    failed = await post(server, REPORT, params={"wait": "true"})
    await is_ready(server)

    replay = await post(
        server,
        f"{API}/executions/{failed['id']}/actions/replay-with-inputs",
        files={"rows": (None, "7")},
    )

    ended = await server.reached(replay["id"], "SUCCESS")
    assert ended["outputs"] == {"loaded": "7 rows"}
    assert ended["parentId"] == failed["id"]


async def test_a_task_that_was_done_by_hand_counts_as_done(server: Server) -> None:
    failed = await post(server, REPORT, params={"wait": "true"})
    check = next(run for run in failed["taskRunList"] if run["taskId"] == "check")

    await post(
        server,
        f"{API}/executions/{failed['id']}/actions/state",
        json={"taskRunId": check["id"], "state": "SUCCESS"},
    )

    ended = await server.reached(failed["id"], "SUCCESS")
    assert [run["taskId"] for run in ended["taskRunList"]] == ["load", "check", "tell"]


async def test_a_breakpoint_lets_somebody_look(server: Server) -> None:
    started = await post(server, REPORT, params={"breakpoints": "check"})
    stopped = await server.reached(started["id"], "BREAKPOINT")
    assert [run["taskId"] for run in stopped["taskRunList"]] == ["load", "check"]

    seen = await post(
        server, f"{API}/executions/{started['id']}/actions/eval", content=b"{{ outputs.load.value }}"
    )
    assert seen["result"] == "3 rows"

    await is_ready(server)
    await post(server, f"{API}/executions/{started['id']}/actions/resume-from-breakpoint")
    await server.reached(started["id"], "SUCCESS")


async def test_fixtures_stand_in_for_tasks(server: Server) -> None:
    fixtures = '[{"id": "load", "outputs": {"value": "no rows"}}, {"id": "check"}]'

    ended = await post(server, REPORT, params={"wait": "true", "kind": "TEST", "fixtures": fixtures})

    assert (ended["state"]["current"], ended["outputs"]) == ("SUCCESS", {"loaded": "no rows"})


async def test_late_payments_are_paid_and_forgotten(server: Server) -> None:
    folder = EXAMPLES / "other-executions"
    await server.create_flow((folder / "payment.yaml").read_text())
    await server.create_flow((folder / "late_payments.yaml").read_text())
    payment = await post(server, f"{API}/executions/examples.others/payment")
    await server.reached(payment["id"], "PAUSED")

    ended = await post(server, f"{API}/executions/examples.others/late_payments", params={"wait": "true"})

    assert ended["state"]["current"] == "SUCCESS"
    assert (await server.client.get(f"{API}/executions/{payment['id']}")).status_code == 404
    extra = next(run for run in ended["taskRunList"] if run["taskId"] == "extra")
    await server.reached(extra["outputs"]["executionId"], "KILLED")
